// How the house itself is: what to do first, then what it holds, takes and refuses.

import type { Status } from '../api/types';
import { formatBytes, formatDuration, formatNumber, formatTime } from '../model/format';
import { useStatus } from '../model/queries';
import { href } from '../model/router';
import { t } from '../model/text';
import { type Column, DataTable } from '../parts/DataTable';
import { Link } from '../parts/Link';
import { Facts, Page, Panel, StateMark, Waiting } from '../parts/Page';

type Refusal = NonNullable<Status['refused']>[number];

const mqttKeys = [
  'connections',
  'sessions',
  'subscriptions',
  'retained',
  'messages_in_per_second',
  'messages_out_per_second',
] as const;

const whole = (n: number | undefined): string => (n === undefined ? '–' : n.toLocaleString('en-US'));
const bytes = (n: number | undefined): string => (n === undefined ? '–' : formatBytes(n));

export default function System() {
  const status = useStatus().data;
  if (status === undefined) return <Waiting />;
  return (
    <Page
      title={t('system.title')}
      testId="system"
      tools={
        <>
          <span className="ls-grow" />
          <Link href={href('api')}>{t('system.api')}</Link>
          <a href="/metrics">{t('system.metrics')}</a>
        </>
      }
    >
      <Warnings warnings={status.warnings ?? []} />
      <div className="ls-cols">
        <Panel title={t('system.server')}>
          <Facts
            items={[
              [t('system.version'), status.version],
              [t('system.uptime'), formatDuration(status.uptime_s)],
              [t('system.role'), status.role ?? '–'],
              [t('system.shards'), whole(status.shards)],
              ...Object.entries(status.ports ?? {}).map(([name, port]): [string, React.ReactNode] => [
                name.toUpperCase(),
                port ? (
                  <span key={name} className="ls-num">
                    {port}
                  </span>
                ) : (
                  t('system.closed')
                ),
              ]),
            ]}
          />
        </Panel>
        <StorePanel store={status.store} />
        <Panel title={t('system.ingest')}>
          <Facts
            items={[
              [
                t('system.rate'),
                <strong key="rate" className="ls-num" data-testid="ingest-rate">
                  {formatNumber(status.ingest?.samples_per_second ?? 0)}
                </strong>,
              ],
              ...Object.entries(status.ingest?.by_protocol ?? {}).map(([name, rate]): [string, React.ReactNode] => [
                name,
                <span key={name} className="ls-num">
                  {formatNumber(rate)}
                </span>,
              ]),
            ]}
          />
        </Panel>
        {status.mqtt && (
          <Panel title={t('system.mqtt')}>
            <Facts
              items={mqttKeys
                .filter((key) => status.mqtt?.[key] !== undefined)
                .map((key) => [
                  t(`system.mqttKey.${key}`),
                  <span key={key} className="ls-num">
                    {formatNumber(status.mqtt?.[key] ?? 0)}
                  </span>,
                ])}
            />
          </Panel>
        )}
      </div>
      <Refused refused={status.refused ?? []} />
    </Page>
  );
}

function Warnings({ warnings }: { warnings: NonNullable<Status['warnings']> }) {
  return (
    <Panel title={t('system.warnings')}>
      {warnings.length === 0 ? (
        <span className="ls-dim">{t('system.noWarnings')}</span>
      ) : (
        <div className="ls-stack" data-testid="system-warnings">
          {warnings.map((warning) => (
            <div key={warning.code + warning.text}>
              <StateMark kind="bad">
                <strong>{warning.text}</strong>{' '}
                <Link className="ls-mono ls-small" href={`${href('errors')}#${warning.code}`}>
                  {warning.code}
                </Link>
              </StateMark>
              <div className="ls-dim">{t('common.try', { remedy: warning.remedy })}</div>
            </div>
          ))}
        </div>
      )}
    </Panel>
  );
}

function StorePanel({ store }: { store: Status['store'] }) {
  const isOk = store.state === 'ok';
  return (
    <Panel title={t('system.store')}>
      <Facts
        items={[
          [
            t('system.storeState'),
            <StateMark
              key="state"
              kind={isOk ? 'on' : 'bad'}
            >{`${store.state}${store.detail ? `: ${store.detail}` : ''}`}</StateMark>,
          ],
          [t('system.series'), whole(store.series)],
          [t('system.samples'), whole(store.samples)],
          [t('system.size'), bytes(store.bytes)],
          [t('system.perSample'), !store.bytes_per_sample ? '–' : formatNumber(store.bytes_per_sample)],
          [t('system.wal'), bytes(store.wal_bytes)],
          [t('system.diskFree'), bytes(store.disk_free_bytes)],
        ]}
      />
    </Panel>
  );
}

function Refused({ refused }: { refused: Refusal[] }) {
  const columns: Column<Refusal>[] = [
    { id: 'what', header: t('system.what'), accessorFn: (it) => it.what },
    { id: 'reason', header: t('system.reason'), accessorFn: (it) => it.reason, meta: { cell: 'grow' } },
    {
      id: 'count',
      header: t('system.count'),
      accessorFn: (it) => it.count,
      meta: { cell: 'right' },
      cell: ({ row }) => <span className="ls-num">{whole(row.original.count)}</span>,
    },
    {
      id: 'last',
      header: t('system.last'),
      accessorFn: (it) => it.last ?? '',
      cell: ({ row }) => formatTime(row.original.last),
    },
  ];
  return (
    <Panel title={t('system.refused')} pad={refused.length === 0}>
      {refused.length === 0 ? (
        <span className="ls-dim">{t('system.refusedNone')}</span>
      ) : (
        <DataTable
          label={t('system.refused')}
          rows={refused}
          columns={columns}
          rowId={(it) => `${it.what} ${it.reason}`}
        />
      )}
    </Panel>
  );
}
