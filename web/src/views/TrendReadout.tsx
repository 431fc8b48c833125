// The numbers beside the lines: now, at the cursor, and over what is shown.

import { ActionIcon, Button, Menu, NativeSelect } from '@mantine/core';
import { type Aggregate, aggregates, aggregateText, aggregateUnit, hasBand, isAggregate } from '../model/aggregates';
import type { Series } from '../model/columns';
import { formatNumber, formatShare, formatTime } from '../model/format';
import { t } from '../model/text';
import type { TimeRange } from '../model/timeRange';
import { statsOf, valueAt } from '../model/trendData';
import { LiveValue } from '../parts/LiveValue';
import { TagPath } from '../parts/TagPath';
import type { TrendTag } from '../parts/trendOptions';

interface ReadoutProps {
  tags: TrendTag[];
  series: Map<string, Series>;
  range: TimeRange;
  cursorMs: number | null;
  /** The past is shown as it was known then: what is now has no place beside it. */
  isThen: boolean;
  onAggregate: (path: string, aggregate: Aggregate) => void;
  onStates: (path: string) => void;
  onRemove: (path: string) => void;
  onAlarm: ((path: string, direction: 'above' | 'below') => void) | null;
}

export function TrendReadout(props: ReadoutProps) {
  const { tags, series, range, cursorMs, isThen, onAggregate, onStates, onRemove, onAlarm } = props;
  return (
    <div className="ls-table-wrap">
      <table className="ls-table" data-testid="trend-readout">
        <thead>
          <tr>
            <th className="grow">{t('trend.tag')}</th>
            <th className="ls-wide-only">{t('trend.shownAs')}</th>
            <th className="right">{t('trend.now')}</th>
            <th className="right" style={{ minWidth: 110 }}>
              {cursorMs === null ? t('trend.atCursor') : formatTime(cursorMs)}
            </th>
            <th className="right ls-wide-only">{t('trend.min')}</th>
            <th className="right ls-wide-only">{t('trend.mean')}</th>
            <th className="right ls-wide-only">{t('trend.max')}</th>
            <th className="right ls-wide-only">{t('trend.good')}</th>
            <th>{t('trend.unit')}</th>
            <th />
          </tr>
        </thead>
        <tbody>
          {tags.map((tag) => {
            const one = series.get(tag.path);
            const stats = one === undefined ? null : statsOf(one, range.fromMs, range.toMs);
            const at = one === undefined || cursorMs === null ? null : valueAt(one, cursorMs);
            return (
              <tr key={tag.path}>
                <td className="grow">
                  <span className="ls-row tight">
                    <span className="ls-swatch" style={{ color: tag.color }} />
                    <TagPath path={tag.path} />
                  </span>
                </td>
                <td className="ls-wide-only">
                  {tag.type === 'string' ? null : (
                    <NativeSelect
                      size="xs"
                      miw={150}
                      aria-label={t('trend.shownAsOf', { tag: tag.path })}
                      value={tag.aggregate}
                      onChange={(event) =>
                        isAggregate(event.currentTarget.value) && onAggregate(tag.path, event.currentTarget.value)
                      }
                      data={aggregates.map((it) => ({ value: it, label: aggregateText(it) }))}
                      data-testid={`pen-${tag.path}`}
                    />
                  )}
                </td>
                <td className="right">{isThen ? <span className="ls-dim">–</span> : <LiveValue path={tag.path} />}</td>
                <td
                  className="right ls-num"
                  title={
                    at?.min != null ? `${formatNumber(at.min)} … ${formatNumber(at.max ?? Number.NaN)}` : undefined
                  }
                >
                  {at === null ? '' : formatNumber(at.value)}
                </td>
                <td className="right ls-num ls-wide-only">{stats === null ? '–' : formatNumber(stats.min)}</td>
                <td className="right ls-num ls-wide-only">{stats === null ? '–' : formatNumber(stats.mean)}</td>
                <td className="right ls-num ls-wide-only">{stats === null ? '–' : formatNumber(stats.max)}</td>
                <td className="right ls-num ls-wide-only">{formatShare(stats?.good)}</td>
                <td className="ls-dim">{aggregateUnit(tag.aggregate, tag.unit)}</td>
                <td>
                  <span className="ls-row tight">
                    <Button
                      variant="default"
                      size="compact-sm"
                      className="ls-wide-only"
                      onClick={() => onStates(tag.path)}
                      data-testid={`states-${tag.path}`}
                    >
                      {t('states.button')}
                    </Button>
                    {onAlarm !== null && tag.type !== 'string' && hasBand(tag.aggregate) && (
                      <Menu>
                        <Menu.Target>
                          <Button variant="default" size="compact-sm" data-testid={`trend-alarm-${tag.path}`}>
                            {t('trend.alarm')}
                          </Button>
                        </Menu.Target>
                        <Menu.Dropdown>
                          <Menu.Item onClick={() => onAlarm(tag.path, 'above')}>{t('trend.alarmAboveShort')}</Menu.Item>
                          <Menu.Item onClick={() => onAlarm(tag.path, 'below')}>{t('trend.alarmBelowShort')}</Menu.Item>
                        </Menu.Dropdown>
                      </Menu>
                    )}
                    <ActionIcon
                      size="sm"
                      aria-label={t('trend.remove', { tag: tag.path })}
                      onClick={() => onRemove(tag.path)}
                    >
                      ×
                    </ActionIcon>
                  </span>
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}
