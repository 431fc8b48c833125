// The plant at a glance: tree with alarms and quality rolled up, and the live values of what is chosen in it.

import { Button, SegmentedControl, TextInput } from '@mantine/core';
import { useMemo, useState } from 'react';
import type { CurrentValue } from '../api/types';
import { localEndpoint } from '../model/endpoint';
import { formatUnit } from '../model/format';
import { navigate, useSearchParam } from '../model/navigation';
import { useAssets, useDevices, useSession, useValues } from '../model/queries';
import { useMay } from '../model/roles';
import { href, trendHref } from '../model/router';
import { mqttLine } from '../model/snippets';
import { t } from '../model/text';
import { assetsBelow, assetTree, findNode, matches, type PlantNode, pathTree } from '../model/tree';
import { AlarmBadge } from '../parts/AlarmBadge';
import { Snippet } from '../parts/Copy';
import { type Column, DataTable } from '../parts/DataTable';
import { Link } from '../parts/Link';
import { LiveAge, LiveQuality, LiveValue } from '../parts/LiveValue';
import { Offer, Page, Panel, Waiting } from '../parts/Page';
import { Sparkline } from '../parts/Sparkline';
import { TagPath } from '../parts/TagPath';
import { Tree } from '../parts/Tree';

export function Overview() {
  const values = useValues('');
  const assets = useAssets().data ?? [];
  const devices = useDevices().data ?? [];
  const [at, setAt] = useSearchParam('at');
  const [search, setSearch] = useSearchParam('q');
  const [mode, setMode] = useSearchParam('as', 'table');
  const [chosen, setChosen] = useState<Set<string>>(new Set());

  const plant = useMemo(() => {
    const items = values.data ?? [];
    if (assets.length === 0) return { tree: pathTree(items), assetOf: () => null };
    const assetByDevice = new Map<string, string | null>();
    for (const device of devices) {
      assetByDevice.set(device.id, device.asset);
      assetByDevice.set(device.name, device.asset);
    }
    const assetOf = (value: CurrentValue): string | null => assetByDevice.get(value.device) ?? null;
    return { tree: assetTree(assets, items, assetOf, t('overview.unplaced')), assetOf };
  }, [values.data, assets, devices]);

  const shown = useMemo(() => {
    const items = values.data ?? [];
    const below = filterOf(at, assets, plant.assetOf);
    return items.filter((item) => below(item) && (search === '' || matches(item.path, search)));
  }, [values.data, at, search, assets, plant]);

  if (values.data === undefined) return <Waiting />;
  if (values.data.length === 0) return <FirstValues />;

  const node = findNode(plant.tree, at);
  const prefix = commonPrefix(shown);
  const select = (key: string): void => setAt(key === at ? null : key);
  return (
    <Page
      full
      title={node?.name ?? t('overview.title')}
      testId="overview"
      tools={
        <>
          <span className="ls-dim ls-grow ls-cut">
            {node?.path && node.path !== node.name ? `${node.path} · ` : ''}
            {t('overview.count', { count: shown.length })}
          </span>
          {chosen.size > 0 && (
            <Button onClick={() => navigate(trendHref([...chosen]))} data-testid="trend-selected">
              {t('overview.trendSelected', { count: chosen.size })}
            </Button>
          )}
          <TextInput
            data-search
            aria-label={t('overview.search')}
            placeholder={t('overview.search')}
            value={search}
            onChange={(event) => setSearch(event.currentTarget.value)}
            data-testid="overview-search"
          />
          <SegmentedControl
            value={mode}
            onChange={setMode}
            data={[
              { value: 'table', label: t('overview.table') },
              { value: 'cards', label: t('overview.cards') },
            ]}
          />
        </>
      }
    >
      <div className="ls-split">
        <Panel pad={false} className="ls-scroll">
          <div style={{ padding: 4 }}>
            <Tree
              items={plant.tree}
              selected={at}
              onSelect={select}
              label={t('overview.tree')}
              extra={(item) => <RollUp node={item} />}
            />
          </div>
        </Panel>
        <Panel pad={false} className="ls-scroll">
          {shown.length === 0 ? (
            <Offer title={t('overview.nothing')} text={t('overview.nothingText')}>
              <Button variant="default" onClick={() => setSearch(null)}>
                {t('overview.showAll')}
              </Button>
            </Offer>
          ) : mode === 'cards' ? (
            <Cards items={shown} prefix={prefix} />
          ) : (
            <ValueTable items={shown} prefix={prefix} chosen={chosen} onChoose={setChosen} />
          )}
        </Panel>
      </div>
    </Page>
  );
}

function filterOf(
  at: string,
  assets: Parameters<typeof assetsBelow>[0],
  assetOf: (value: CurrentValue) => string | null,
): (value: CurrentValue) => boolean {
  const [kind, rest] = [at.slice(0, at.indexOf(':')), at.slice(at.indexOf(':') + 1)];
  if (kind === 'path') return (value) => value.path.startsWith(`${rest}/`);
  if (kind === 'unplaced') return (value) => assetOf(value) === null;
  if (kind !== 'asset') return () => true;
  const ids = assetsBelow(assets, rest);
  return (value) => ids.has(assetOf(value) ?? '');
}

/** What all paths begin with, up to a '/': said once instead of in every row. */
function commonPrefix(items: CurrentValue[]): string {
  let prefix = items[0]?.path ?? '';
  prefix = prefix.slice(0, prefix.lastIndexOf('/') + 1);
  for (const item of items) {
    while (prefix !== '' && !item.path.startsWith(prefix))
      prefix = prefix.slice(0, prefix.lastIndexOf('/', prefix.length - 2) + 1);
  }
  return prefix;
}

function RollUp({ node }: { node: PlantNode }) {
  const doubtful = node.bad + node.uncertain;
  return (
    <>
      {doubtful > 0 && (
        <span className="ls-count" title={t('overview.quality', { bad: node.bad, uncertain: node.uncertain })}>
          {t('overview.doubtful', { n: doubtful })}
        </span>
      )}
      {node.alarm !== null && <AlarmBadge priority={node.alarm} />}
      <span className="ls-count ls-num">{node.total}</span>
    </>
  );
}

interface TableProps {
  items: CurrentValue[];
  prefix: string;
  chosen: Set<string>;
  onChoose: (chosen: Set<string>) => void;
}

function ValueTable({ items, prefix, chosen, onChoose }: TableProps) {
  const columns = useMemo(
    (): Column<CurrentValue>[] => [
      {
        id: 'alarm',
        header: '',
        accessorFn: (item) => item.alarm ?? 9,
        cell: ({ row }) => row.original.alarm !== null && <AlarmBadge priority={row.original.alarm} />,
      },
      {
        id: 'path',
        header: t('value.name'),
        accessorFn: (item) => item.path,
        meta: { cell: 'grow' },
        cell: ({ row }) => (
          <Link href={trendHref([row.original.path])} title={row.original.path}>
            <TagPath path={row.original.path.slice(prefix.length)} />
          </Link>
        ),
      },
      {
        id: 'value',
        header: t('value.value'),
        enableSorting: false,
        meta: { cell: 'right' },
        cell: ({ row }) => <LiveValue path={row.original.path} />,
      },
      {
        id: 'unit',
        header: t('value.unit'),
        accessorFn: (item) => item.unit,
        cell: ({ row }) => <Unit item={row.original} />,
      },
      {
        id: 'spark',
        header: t('value.lastHour'),
        enableSorting: false,
        meta: { cell: 'ls-wide-only' },
        cell: ({ row }) => row.original.type !== 'string' && <Sparkline path={row.original.path} />,
      },
      {
        id: 'quality',
        header: t('value.quality'),
        accessorFn: (item) => item.quality_code,
        meta: { cell: 'ls-wide-only' },
        cell: ({ row }) => <LiveQuality path={row.original.path} />,
      },
      {
        id: 'age',
        header: t('value.age'),
        accessorFn: (item) => item.time ?? '',
        meta: { cell: 'right' },
        cell: ({ row }) => <LiveAge path={row.original.path} />,
      },
    ],
    [prefix],
  );
  return (
    <DataTable
      label={t('overview.title')}
      rows={items}
      columns={columns}
      rowId={(item) => item.path}
      selected={chosen}
      onSelect={onChoose}
      onOpen={(item) => navigate(trendHref([item.path]))}
      rowTestId="value-row"
    />
  );
}

function Unit({ item }: { item: CurrentValue }) {
  return (
    <span className="ls-dim" title={item.unit}>
      {formatUnit(item.unit)}
    </span>
  );
}

function Cards({ items, prefix }: { items: CurrentValue[]; prefix: string }) {
  return (
    <div className="ls-cards">
      {items.map((item) => (
        <Link key={item.path} href={trendHref([item.path])} className="ls-card" title={item.path}>
          <span className="ls-row tight">
            <span className="ls-grow ls-small" style={{ minWidth: 0 }}>
              <TagPath path={item.path.slice(prefix.length)} />
            </span>
            {item.alarm !== null && <AlarmBadge priority={item.alarm} />}
          </span>
          <LiveValue path={item.path} unit={item.unit} />
          {item.type !== 'string' && <Sparkline path={item.path} height={34} />}
          <span className="ls-row tight ls-small">
            <span className="ls-grow">
              <LiveQuality path={item.path} />
            </span>
            <LiveAge path={item.path} />
          </span>
        </Link>
      ))}
    </div>
  );
}

/** Nothing has arrived yet: the shortest ways to change that. */
function FirstValues() {
  const mayAdd = useMay('engineer');
  const claimed = useSession().data?.claimed === true;
  return (
    <Page title={t('overview.title')} testId="overview">
      <Panel>
        <Offer title={t('overview.empty')} text={t('overview.emptyText')}>
          {claimed && (
            <Snippet text={mqttLine(localEndpoint(), 'hall-1/press', t('overview.tokenHere'))} testId="first-line" />
          )}
          {mayAdd && (
            <Button onClick={() => navigate(href('addDevice'))} data-testid="add-first-device">
              {t('devices.add')}
            </Button>
          )}
        </Offer>
      </Panel>
    </Page>
  );
}
