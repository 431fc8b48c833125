// What history takes of the disk: figures, days, damage; what may leave when; and the copies that are kept of it.

import { Tabs } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { serverNow } from '../api/client';
import { storage as storageApi } from '../api/dataEndpoints';
import type { Storage as Report, StorageDamage, StorageDay } from '../api/dataTypes';
import { formatAge, formatBytes, formatNumber, formatTime } from '../model/format';
import { useSearchParam } from '../model/navigation';
import { useMay } from '../model/roles';
import { trendHref } from '../model/router';
import { dayBars, fullKind } from '../model/storageView';
import { t } from '../model/text';
import { absoluteRange } from '../model/timeRange';
import { type Column, DataTable } from '../parts/DataTable';
import { Link } from '../parts/Link';
import { Facts, Offer, Page, Panel, StateMark, Waiting } from '../parts/Page';
import { TagPath } from '../parts/TagPath';
import { Backups } from './Backups';
import { Retention } from './Retention';

export default function Storage() {
  const [tab, setTab] = useSearchParam('tab', 'overview');
  const isAdministrator = useMay('administrator');
  return (
    <Page
      title={t('nav.storage')}
      testId="storage"
      tools={
        <Tabs value={tab} onChange={setTab} className="ls-grow">
          <Tabs.List>
            <Tabs.Tab value="overview">{t('storage.overview')}</Tabs.Tab>
            <Tabs.Tab value="retention" data-testid="tab-retention">
              {t('nav.retention')}
            </Tabs.Tab>
            {isAdministrator && (
              <Tabs.Tab value="backups" data-testid="tab-backups">
                {t('backup.title')}
              </Tabs.Tab>
            )}
          </Tabs.List>
        </Tabs>
      }
    >
      {tab === 'retention' ? <Retention /> : tab === 'backups' && isAdministrator ? <Backups /> : <Overview />}
    </Page>
  );
}

const whole = (n: number): string => n.toLocaleString('en-US');
const bytesOf = (n: number | null): string => (n === null ? '–' : formatBytes(n));

function Overview() {
  const report = useQuery({ queryKey: ['storage'], queryFn: storageApi.read, refetchInterval: 5000 }).data;
  if (report === undefined) return <Waiting />;
  return (
    <>
      {report.state !== 'ok' && (
        <Panel>
          <StateMark kind="bad">
            <strong>{`${report.state}${report.detail ? `: ${report.detail}` : ''}`}</strong>
          </StateMark>
        </Panel>
      )}
      <Figures report={report} />
      <Days days={report.days} />
      <div className="ls-cols">
        <Panel title={t('storage.compaction')}>
          <Facts
            items={[
              [
                t('storage.now'),
                <StateMark key="state" kind={report.compaction.running ? 'part' : 'on'}>
                  {t(report.compaction.running ? 'storage.merging' : 'storage.resting')}
                </StateMark>,
              ],
              [t('storage.backlog'), t('storage.segments', { count: report.compaction.backlog })],
              [
                t('storage.amplification'),
                report.compaction.write_amplification === null
                  ? '–'
                  : formatNumber(report.compaction.write_amplification),
              ],
              [t('storage.written'), bytesOf(report.compaction.flushed_bytes)],
              [t('storage.merged'), bytesOf(report.compaction.merged_bytes)],
              [t('storage.copied'), bytesOf(report.compaction.copied_bytes)],
              [t('storage.erasuresOpen'), whole(report.erasures_open)],
            ]}
          />
        </Panel>
        <Panel title={t('storage.where')}>
          <Facts
            items={[
              [t('storage.memory'), bytesOf(report.memory_bytes)],
              [t('storage.wal'), bytesOf(report.wal_bytes)],
              [t('storage.oldest'), formatTime(report.oldest)],
              [t('storage.newest'), formatTime(report.newest)],
            ]}
          />
        </Panel>
        <Cold cold={report.cold} />
      </div>
      <Damage damage={report.damage} />
    </>
  );
}

function Figures({ report }: { report: Report }) {
  const nowMs = serverNow();
  const kind = fullKind(report.disk, nowMs);
  const perDay = report.disk.bytes_per_day;
  const full =
    kind === 'soon' || kind === 'later'
      ? formatTime(report.disk.full_at).slice(0, 10)
      : t(kind === 'never' ? 'storage.notInSight' : 'storage.notKnown');
  const fullNote =
    kind === 'soon' || kind === 'later'
      ? t('storage.fullIn', { time: formatAge(Date.parse(report.disk.full_at ?? '') - nowMs) })
      : kind === 'unknown'
        ? t('storage.notKnownText')
        : '';
  const figures: [string, string, string, string][] = [
    ['series', t('storage.series'), whole(report.series), ''],
    [
      'samples',
      t('storage.samples'),
      shortCount(report.samples),
      report.samples < shortFrom ? '' : whole(report.samples),
    ],
    ['bytes', t('storage.bytes'), formatBytes(report.bytes), ''],
    [
      'bytes-per-value',
      t('storage.bytesPerValue'),
      !report.bytes_per_value ? '–' : report.bytes_per_value.toFixed(2),
      '',
    ],
    [
      'write-rate',
      t('storage.writeRate'),
      report.write_rate === null ? '–' : formatNumber(Math.round(report.write_rate)),
      t('storage.perSecond'),
    ],
    [
      'disk-free',
      t('storage.diskFree'),
      bytesOf(report.disk.free),
      report.disk.total === null ? '' : t('storage.of', { total: formatBytes(report.disk.total) }),
    ],
    [
      'full-at',
      t('storage.fullAt'),
      full,
      perDay === null || kind === 'unknown'
        ? fullNote
        : `${fullNote} ${t('storage.perDay', { bytes: formatBytes(perDay) })}`.trim(),
    ],
  ];
  return (
    <div className="ls-figures">
      {figures.map(([key, name, value, note]) => (
        <div key={key} className="ls-figure" data-urgent={key === 'full-at' && kind === 'soon'}>
          <span>{name}</span>
          <b className="ls-num" data-testid={`storage-${key}`}>
            {value}
          </b>
          <span className="ls-small">{note}</span>
        </div>
      ))}
    </div>
  );
}

const shortFrom = 1_000_000;

/** 81.2 million is read at a glance; the whole number stands below it. */
function shortCount(n: number): string {
  if (n < shortFrom) return whole(n);
  const [size, unit] = n >= 1e9 ? [n / 1e9, t('storage.billion')] : [n / 1e6, t('storage.million')];
  return `${size.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2)} ${unit}`;
}

const dayText = (day: StorageDay): string => {
  const [from, to] = [day.from.slice(0, 10), new Date(Date.parse(day.to) - 1).toISOString().slice(0, 10)];
  return from === to ? from : `${from} – ${to}`;
};

function Days({ days }: { days: StorageDay[] }) {
  const bars = dayBars(days);
  const [first, last] = [days[0], days.at(-1)];
  return (
    <Panel
      title={t('storage.days')}
      tools={
        <span className="ls-legend ls-small">
          {(['warm', 'cold', 'damaged'] as const).map((kind) => (
            <span key={kind}>
              <i className="ls-day-key" data-kind={kind} />
              {t(`storage.key.${kind}`)}
            </span>
          ))}
        </span>
      }
    >
      {first === undefined || last === undefined ? (
        <Offer title={t('storage.noDays')} text={t('storage.noDaysText')} />
      ) : (
        <>
          <ul className="ls-days" aria-label={t('storage.days')} data-testid="storage-days">
            {bars.map(({ day, height, width, bytesPerValue }) => {
              const text = t('storage.dayText', {
                day: dayText(day),
                bytes: formatBytes(day.bytes),
                samples: whole(day.samples),
                perValue: bytesPerValue === null ? '–' : bytesPerValue.toFixed(2),
                count: day.segments,
              });
              const damaged = day.damaged_blocks > 0;
              const more = damaged ? ` ${t('dataQuality.damagedText', { count: day.damaged_blocks })}` : '';
              return (
                <li
                  key={day.from}
                  style={{ flexGrow: width }}
                  title={text + more}
                  aria-label={text + more}
                  data-testid="storage-day"
                >
                  {damaged && <b aria-hidden>!</b>}
                  <i
                    data-kind={damaged ? 'damaged' : day.cold ? 'cold' : 'warm'}
                    style={{ height: `${Math.max(2, height * 100)}%` }}
                  />
                </li>
              );
            })}
          </ul>
          <div className="ls-row ls-dim ls-small">
            <span>{first.from.slice(0, 10)}</span>
            <span className="ls-grow" />
            <span>{t('storage.utcDays')}</span>
            <span className="ls-grow" />
            <span>{last.from.slice(0, 10)}</span>
          </div>
        </>
      )}
    </Panel>
  );
}

function Cold({ cold }: { cold: Report['cold'] }) {
  return (
    <Panel title={t('storage.cold')}>
      {cold.path === null ? (
        <span className="ls-dim">{t('storage.noCold')}</span>
      ) : (
        <Facts
          items={[
            [t('storage.coldPath'), <code key="path">{cold.path}</code>],
            [t('storage.size'), t('storage.inSegments', { bytes: formatBytes(cold.bytes), count: cold.segments })],
            ...(cold.segments_missing > 0
              ? ([
                  [
                    t('storage.coldMissing'),
                    <StateMark key="missing" kind="bad">
                      {t('storage.coldMissingText', { count: cold.segments_missing })}
                    </StateMark>,
                  ],
                ] as [string, React.ReactNode][])
              : []),
          ]}
        />
      )}
    </Panel>
  );
}

function Damage({ damage }: { damage: StorageDamage[] }) {
  const columns: Column<StorageDamage>[] = [
    {
      id: 'tag',
      header: t('alarm.tag'),
      accessorFn: (it) => it.tag_path ?? '',
      meta: { cell: 'grow' },
      cell: ({ row }) =>
        row.original.tag_path === null ? (
          <span className="ls-dim">{t('storage.severalTags')}</span>
        ) : (
          <Link href={trendHref([row.original.tag_path], rangeOf(row.original))}>
            <TagPath path={row.original.tag_path} />
          </Link>
        ),
    },
    {
      id: 'from',
      header: t('trend.from'),
      accessorFn: (it) => it.from,
      cell: ({ row }) => <span className="ls-num">{formatTime(row.original.from)}</span>,
    },
    {
      id: 'to',
      header: t('trend.to'),
      accessorFn: (it) => it.to,
      cell: ({ row }) => <span className="ls-num">{formatTime(row.original.to)}</span>,
    },
    {
      id: 'blocks',
      header: t('storage.blocks'),
      accessorFn: (it) => it.blocks,
      meta: { cell: 'right' },
      cell: ({ row }) => <span className="ls-num">{whole(row.original.blocks)}</span>,
    },
    {
      id: 'why',
      header: t('storage.why'),
      accessorFn: (it) => it.why,
      meta: { cell: 'wrap' },
      cell: ({ row }) => (
        <>
          {row.original.why}{' '}
          <span className="ls-dim">{t(row.original.repaired ? 'storage.repaired' : 'storage.leftOut')}</span>
        </>
      ),
    },
    {
      id: 'file',
      header: t('storage.file'),
      accessorFn: (it) => it.file,
      meta: { cell: 'ls-wide-only' },
      cell: ({ row }) => <code>{row.original.file}</code>,
    },
  ];
  return (
    <Panel title={t('storage.damage')} pad={damage.length === 0}>
      {damage.length === 0 ? (
        <StateMark kind="on">{t('storage.noDamage')}</StateMark>
      ) : (
        <>
          <div className="ls-note">
            <StateMark kind="bad">{t('storage.damageText')}</StateMark>
          </div>
          <DataTable
            label={t('storage.damage')}
            rows={damage}
            columns={columns}
            rowId={(it) => `${it.file} ${it.tag} ${it.from}`}
            rowTestId="damage-row"
          />
        </>
      )}
    </Panel>
  );
}

function rangeOf(damage: StorageDamage): string {
  const [fromMs, toMs] = [Date.parse(damage.from), Date.parse(damage.to)];
  const margin = Math.max((toMs - fromMs) / 2, 60_000);
  return absoluteRange({ fromMs: fromMs - margin, toMs: toMs + margin });
}
