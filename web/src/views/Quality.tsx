// What is wrong with the data, worst first, from the whole plant down to the stretch of one tag; and the ledger.

import { Button, NativeSelect, Tabs } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { serverNow } from '../api/client';
import { quality as qualityApi } from '../api/dataEndpoints';
import type { QualityItem } from '../api/dataTypes';
import { complaintsOf, crumbsOf, isBranch, shareMissing, skewText, worstStretch } from '../model/dataQuality';
import { formatShare, formatTime, formatTimeShort } from '../model/format';
import { navigate, setSearchParams, useSearchParam } from '../model/navigation';
import { useAssets } from '../model/queries';
import { href, trendHref } from '../model/router';
import { t } from '../model/text';
import { absoluteRange, resolveRange } from '../model/timeRange';
import { complain } from '../model/toasts';
import { Bar } from '../parts/Bar';
import { type Column, DataTable } from '../parts/DataTable';
import { Link } from '../parts/Link';
import { Offer, Page, Panel, StateMark, Waiting } from '../parts/Page';
import { RangeSelect } from '../parts/RangeSelect';
import { TagPath } from '../parts/TagPath';
import { Ledger } from './Ledger';

const itemsMax = 500;

export default function Quality() {
  const [tab, setTab] = useSearchParam('tab', 'quality');
  const [range, setRange] = useSearchParam('range', '24h');
  return (
    <Page
      full
      title={t('nav.quality')}
      testId="quality"
      tools={
        <>
          <Tabs value={tab} onChange={setTab} className="ls-grow">
            <Tabs.List>
              <Tabs.Tab value="quality" data-testid="tab-quality">
                {t('dataQuality.tab')}
              </Tabs.Tab>
              <Tabs.Tab value="ledger" data-testid="tab-ledger">
                {t('nav.ledger')}
              </Tabs.Tab>
            </Tabs.List>
          </Tabs>
          <RangeSelect value={range} onChange={setRange} />
        </>
      }
    >
      {tab === 'ledger' ? <Ledger range={range} /> : <QualityTable range={range} />}
    </Page>
  );
}

function QualityTable({ range }: { range: string }) {
  const [prefix] = useSearchParam('prefix');
  const [asset, setAsset] = useSearchParam('asset');
  const [by, setBy] = useSearchParam('by', asset === '' || prefix !== '' ? 'level' : 'device');
  const answer = useQuery({
    queryKey: ['data-quality', prefix, asset, by, range],
    queryFn: () => qualityApi.read({ prefix, asset, by, from: `now-${range}`, to: 'now', limit: itemsMax }),
    refetchInterval: 30_000,
    placeholderData: (before) => before,
  });
  const data = answer.data;
  const open = (item: QualityItem): void => {
    if (isBranch(item)) setSearchParams({ prefix: item.path, by: null, asset: null });
    else showWorst(item.path, range);
  };
  return (
    <>
      <div className="ls-row">
        <Crumbs prefix={prefix} asset={asset} />
        <span className="ls-grow" />
        <AssetFilter
          value={asset}
          onChange={(it) => {
            setSearchParams({ prefix: null, by: null });
            setAsset(it);
          }}
        />
        <NativeSelect
          aria-label={t('dataQuality.by')}
          value={by}
          onChange={(event) => setBy(event.currentTarget.value)}
          data={[
            { value: 'level', label: t('dataQuality.byLevel') },
            { value: 'device', label: t('dataQuality.byDevice') },
            { value: 'tag', label: t('dataQuality.byTag') },
          ]}
          data-testid="quality-by"
        />
      </div>
      {data === undefined ? (
        answer.isError ? (
          <Offer title={t('dataQuality.failed')} text={answer.error.message}>
            <Button variant="default" onClick={() => setSearchParams({ prefix: null, asset: null, by: null })}>
              {t('dataQuality.wholePlant')}
            </Button>
          </Offer>
        ) : (
          <Waiting />
        )
      ) : (
        <>
          <Total total={data.total} tagsMore={data.tags_more} />
          <Panel pad={false} className="ls-fill">
            {data.items.length === 0 ? (
              <Offer title={t('dataQuality.none')} text={t('dataQuality.noneText')}>
                <Link href={href('addDevice')}>{t('devices.add')}</Link>
              </Offer>
            ) : (
              <DataTable
                label={t('nav.quality')}
                rows={data.items}
                columns={columns}
                rowId={(item) => item.path}
                onOpen={open}
                rowTestId="quality-row"
              />
            )}
          </Panel>
          {data.items_more > 0 && (
            <span className="ls-dim ls-small">{t('dataQuality.itemsMore', { count: data.items_more })}</span>
          )}
        </>
      )}
    </>
  );
}

/** To the trend, at the longest stretch that is missing; all of the range when nothing is. */
function showWorst(path: string, range: string): void {
  const whole = resolveRange(range, serverNow());
  if (whole === null) return;
  const [from, to] = [whole.fromMs, whole.toMs].map((ms) => new Date(ms).toISOString());
  qualityApi.completeness([path], from ?? '', to ?? '').then((found) => {
    const stretch = worstStretch(found.get(path)?.missing ?? [], whole);
    navigate(trendHref([path], absoluteRange(stretch ?? whole)));
  }, complain);
}

function Crumbs({ prefix, asset }: { prefix: string; asset: string }) {
  const go = (to: string | null) => () => setSearchParams({ prefix: to, by: null, asset: null });
  const crumbs = crumbsOf(prefix);
  const place = useAssets().data?.find((it) => it.id === asset)?.path;
  return (
    <nav className="ls-crumbs" aria-label={t('dataQuality.crumbs')} data-testid="quality-crumbs">
      <button type="button" onClick={go(null)} disabled={prefix === '' && asset === ''}>
        {t('dataQuality.wholePlant')}
      </button>
      {place !== undefined && prefix === '' && <b>{place}</b>}
      {crumbs.map((crumb, i) => (
        <button
          key={crumb.prefix}
          type="button"
          onClick={go(crumb.prefix)}
          aria-current={i === crumbs.length - 1 ? 'location' : undefined}
        >
          {crumb.name}
        </button>
      ))}
    </nav>
  );
}

function AssetFilter({ value, onChange }: { value: string; onChange: (asset: string | null) => void }) {
  const assets = useAssets().data ?? [];
  if (assets.length === 0) return null;
  return (
    <NativeSelect
      aria-label={t('dataQuality.asset')}
      value={value}
      onChange={(event) => onChange(event.currentTarget.value === '' ? null : event.currentTarget.value)}
      data={[
        { value: '', label: t('dataQuality.anyAsset') },
        ...assets
          .map((asset) => ({ value: asset.id, label: asset.path }))
          .sort((a, b) => a.label.localeCompare(b.label, undefined, { numeric: true })),
      ]}
      data-testid="quality-asset"
    />
  );
}

function Total({ total, tagsMore }: { total: QualityItem; tagsMore: number }) {
  const missing = shareMissing(total);
  const figures: [string, string, string][] = [
    ['tags', t('dataQuality.tags'), total.tags.toLocaleString('en-US')],
    ['samples', t('dataQuality.samples'), total.samples.toLocaleString('en-US')],
    ['silent', t('dataQuality.silent'), total.silent.toLocaleString('en-US')],
    ['missing', t('dataQuality.missing'), missing === null ? '–' : formatShare(missing)],
    ['bad', t('dataQuality.bad'), formatShare(total.bad)],
    ['late', t('dataQuality.late'), formatShare(total.late)],
    ['stuck', t('dataQuality.stuck'), total.stuck.toLocaleString('en-US')],
    ['range', t('dataQuality.outOfRange'), formatShare(total.out_of_range)],
    ['refused', t('dataQuality.refused'), total.refused.toLocaleString('en-US')],
  ];
  return (
    <div className="ls-figures" data-testid="quality-total">
      {figures.map(([key, name, value]) => (
        <div key={key} className="ls-figure small">
          <span>{name}</span>
          <b className="ls-num" data-testid={`quality-total-${key}`}>
            {value}
          </b>
        </div>
      ))}
      {tagsMore > 0 && <StateMark kind="part">{t('dataQuality.tagsMore', { count: tagsMore })}</StateMark>}
    </div>
  );
}

function shareColumn(id: string, header: () => string, of: (item: QualityItem) => number | null): Column<QualityItem> {
  return {
    id,
    header,
    accessorFn: (item) => of(item) ?? -1,
    meta: { cell: 'right ls-wide-only' },
    sortDescFirst: true,
    cell: ({ row }) => {
      const share = of(row.original);
      return <span className={`ls-num ${share === 0 || share === null ? 'ls-dim' : ''}`}>{formatShare(share)}</span>;
    },
  };
}

const columns: Column<QualityItem>[] = [
  {
    id: 'path',
    header: () => t('dataQuality.where'),
    accessorFn: (item) => item.path,
    meta: { cell: 'grow ls-where' },
    cell: ({ row }) => <TagPath path={row.original.path} />,
  },
  {
    id: 'badness',
    header: () => t('dataQuality.badness'),
    accessorFn: (item) => item.badness,
    sortDescFirst: true,
    meta: { cell: 'ls-wide-only' },
    cell: ({ row }) => <Bar share={row.original.badness} title={formatShare(row.original.badness)} />,
  },
  {
    id: 'what',
    header: () => t('dataQuality.what'),
    enableSorting: false,
    meta: { cell: 'wrap ls-complaints' },
    cell: ({ row }) => {
      const complaints = complaintsOf(row.original);
      return complaints.length === 0 ? (
        <span className="ls-dim">{t('dataQuality.well')}</span>
      ) : (
        <span>{complaints.slice(0, 3).join(', ')}</span>
      );
    },
  },
  {
    id: 'tags',
    header: () => t('dataQuality.tags'),
    accessorFn: (item) => item.tags,
    meta: { cell: 'right ls-wide-only' },
    cell: ({ row }) => <span className="ls-num">{row.original.tags.toLocaleString('en-US')}</span>,
  },
  shareColumn('missing', () => t('dataQuality.missing'), shareMissing),
  shareColumn(
    'late',
    () => t('dataQuality.late'),
    (item) => item.late,
  ),
  shareColumn(
    'bad',
    () => t('dataQuality.bad'),
    (item) => item.bad,
  ),
  shareColumn(
    'range',
    () => t('dataQuality.range'),
    (item) => item.out_of_range,
  ),
  {
    id: 'skew',
    header: () => t('dataQuality.skew'),
    accessorFn: (item) => Math.abs(item.clock_skew_s ?? 0),
    sortDescFirst: true,
    meta: { cell: 'right ls-wide-only' },
    cell: ({ row }) => {
      const skew = row.original.clock_skew_s;
      if (skew === null) return <span className="ls-dim">–</span>;
      return (
        <span className="ls-num" title={skewText(skew)}>
          {t('dataQuality.seconds', { n: skew.toFixed(1).replace('-', '−') })}
        </span>
      );
    },
  },
  {
    id: 'refused',
    header: () => t('dataQuality.refused'),
    accessorFn: (item) => item.refused,
    sortDescFirst: true,
    meta: { cell: 'right ls-wide-only' },
    cell: ({ row }) => <span className="ls-num">{row.original.refused.toLocaleString('en-US')}</span>,
  },
  {
    id: 'last',
    header: () => t('dataQuality.last'),
    accessorFn: (item) => item.last_time ?? '',
    meta: { cell: 'ls-wide-only' },
    cell: ({ row }) => (
      <span className="ls-num" title={formatTime(row.original.last_time)}>
        {formatTimeShort(row.original.last_time)}
      </span>
    ),
  },
];
