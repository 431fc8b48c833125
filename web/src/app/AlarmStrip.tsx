// The line at the top that nothing covers: the foremost alarm, how many there are, and the way to acknowledge.

import { Button } from '@mantine/core';
import { lazy, type ReactNode, Suspense, useEffect, useState } from 'react';
import { foremost, priorities } from '../model/alarms';
import { formatTimeShort, formatUnit, formatValue } from '../model/format';
import { navigate } from '../model/navigation';
import { useAlarms } from '../model/queries';
import { useMay } from '../model/roles';
import { href } from '../model/router';
import { t } from '../model/text';
import { AlarmBadge } from '../parts/AlarmBadge';
import { Link } from '../parts/Link';

// Fetched when the strip stands: acknowledging then waits for nothing.
const loadAckDialog = () => import('../parts/AckDialog');
const AckDialog = lazy(async () => ({ default: (await loadAckDialog()).AckDialog }));

export function AlarmStrip({ tools }: { tools: ReactNode }) {
  const alarms = useAlarms().data;
  const mayAcknowledge = useMay('operator');
  const [acking, setAcking] = useState(false);
  useEffect(() => void loadAckDialog(), []);
  const first = foremost(alarms?.items ?? []);
  const counts = alarms?.counts;
  const active = priorities.filter((priority) => (counts?.[priority] ?? 0) > 0);
  return (
    <header className="ls-strip" data-testid="alarm-strip">
      <Link href="/" className="ls-brand ls-wide-only" title={t('nav.overview')}>
        Lineshaft
      </Link>
      <button
        type="button"
        className="ls-strip-alarm"
        onClick={() => navigate(href('alarms'))}
        data-testid="strip-alarm"
      >
        {first === null ? (
          <span className="ls-dim">{active.length > 0 ? t('strip.allAcknowledged') : t('strip.none')}</span>
        ) : (
          <>
            <AlarmBadge priority={first.priority} unacknowledged />
            <span className="ls-num ls-wide-only">{formatTimeShort(first.raised)}</span>
            <strong className="ls-cut">{first.name || first.tag_path}</strong>
            <span className="ls-num ls-wide-only">
              {formatValue(first.value)} {formatUnit(first.unit)} · {first.limit} {formatValue(first.threshold)}
            </span>
            <span className="ls-dim ls-cut ls-wide-only">{t(`alarmState.${first.state}`)}</span>
          </>
        )}
      </button>
      {first !== null && mayAcknowledge && (
        <Button variant="default" size="compact-sm" onClick={() => setAcking(true)} data-testid="strip-ack">
          {t('alarm.acknowledge')}
        </Button>
      )}
      <Link
        href={href('alarms')}
        className="ls-row tight"
        style={{ color: 'inherit', textDecoration: 'none' }}
        aria-label={t('strip.counts', { count: counts?.unacknowledged ?? 0 })}
        title={t('strip.counts', { count: counts?.unacknowledged ?? 0 })}
        data-testid="strip-counts"
      >
        {active.map((priority) => (
          <span key={priority} className="ls-row tight" style={{ gap: 3 }}>
            <AlarmBadge priority={priority} />
            <span className="ls-num">{counts?.[priority]}</span>
          </span>
        ))}
      </Link>
      {tools}
      <Suspense fallback={null}>
        {acking && first !== null && <AckDialog alarms={[first]} onClose={() => setAcking(false)} />}
      </Suspense>
    </header>
  );
}
