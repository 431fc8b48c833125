// All devices, and the inbox of those that were heard for the first time.

import { Button, Tabs, TextInput } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { devices as devicesApi } from '../api/endpoints';
import type { Device } from '../api/types';
import { formatShare, formatTime } from '../model/format';
import { navigate, useSearchParam } from '../model/navigation';
import { agoText, connectionText, deviceTitle } from '../model/plantText';
import { useAssets, useDevices, useRefresh } from '../model/queries';
import { useMay } from '../model/roles';
import { href } from '../model/router';
import { t } from '../model/text';
import { done } from '../model/toasts';
import { matches } from '../model/tree';
import { AssetSelect } from '../parts/AssetSelect';
import { type Column, DataTable } from '../parts/DataTable';
import { Link } from '../parts/Link';
import { Offer, Page, Panel, StateMark, Waiting } from '../parts/Page';
import { TagPath } from '../parts/TagPath';

export default function Devices() {
  const [tab, setTab] = useSearchParam('tab', 'all');
  const [search, setSearch] = useSearchParam('q');
  const devices = useDevices().data;
  const mayEdit = useMay('engineer');
  const count = devices?.filter((device) => device.state === 'discovered').length ?? 0;
  const found = (devices ?? []).filter(
    (device) => search === '' || matches(`${device.name} ${device.title} ${device.protocol}`, search),
  );
  return (
    <Page
      full
      title={t('devices.title')}
      testId="devices"
      tools={
        <>
          <Tabs value={tab} onChange={setTab} className="ls-grow">
            <Tabs.List>
              <Tabs.Tab value="all" data-testid="tab-all">
                {t('devices.all')}
              </Tabs.Tab>
              <Tabs.Tab value="discovered" data-testid="tab-discovered">
                {t('devices.inbox')} {count > 0 && <strong>{count}</strong>}
              </Tabs.Tab>
              <Tabs.Tab value="ignored" data-testid="tab-ignored">
                {t('devices.ignored')}
              </Tabs.Tab>
            </Tabs.List>
          </Tabs>
          <TextInput
            data-search
            aria-label={t('devices.search')}
            placeholder={t('devices.search')}
            value={search}
            onChange={(event) => setSearch(event.currentTarget.value)}
          />
          {mayEdit && (
            <Button onClick={() => navigate(href('addDevice'))} data-testid="device-add">
              {t('devices.add')}
            </Button>
          )}
        </>
      }
    >
      {devices === undefined ? (
        <Waiting />
      ) : tab === 'discovered' ? (
        <Inbox devices={found.filter((device) => device.state === 'discovered')} />
      ) : tab === 'ignored' ? (
        <Inbox devices={found.filter((device) => device.state === 'ignored')} />
      ) : (
        <DeviceList devices={found.filter((device) => device.state !== 'ignored')} />
      )}
    </Page>
  );
}

function DeviceList({ devices }: { devices: Device[] }) {
  const assets = useAssets().data ?? [];
  const pathOf = (device: Device): string => assets.find((asset) => asset.id === device.asset)?.path ?? '';
  const columns: Column<Device>[] = [
    {
      id: 'connection',
      header: t('devices.connection'),
      accessorFn: (device) => connectionText(device).text,
      cell: ({ row }) => <ConnectionMark device={row.original} />,
    },
    {
      id: 'name',
      header: t('devices.name'),
      accessorFn: (device) => deviceTitle(device),
      meta: { cell: 'grow' },
      cell: ({ row }) => (
        <Link href={href('device', { id: row.original.id })} data-testid={`device-${row.original.name}`}>
          <TagPath path={deviceTitle(row.original)} />
        </Link>
      ),
    },
    {
      id: 'asset',
      header: t('device.asset'),
      accessorFn: pathOf,
      meta: { cell: 'ls-wide-only' },
      // Not the accessor's value: that is kept from before the assets were there.
      cell: ({ row }) => pathOf(row.original),
    },
    {
      id: 'protocol',
      header: t('devices.protocol'),
      accessorFn: (device) => device.protocol,
      meta: { cell: 'ls-wide-only' },
    },
    {
      id: 'state',
      header: t('devices.state'),
      accessorFn: (device) => t(`deviceState.${device.state}`),
      meta: { cell: 'ls-wide-only' },
    },
    {
      id: 'tags',
      header: t('devices.tags'),
      accessorFn: (device) => device.tag_count,
      meta: { cell: 'right ls-wide-only' },
    },
    {
      id: 'good',
      header: t('devices.good'),
      accessorFn: (device) => device.good_share ?? -1,
      meta: { cell: 'right' },
      cell: ({ row }) => <span className="ls-num">{formatShare(row.original.good_share)}</span>,
    },
    {
      id: 'heard',
      header: t('devices.lastHeard'),
      accessorFn: (device) => device.last_heard ?? '',
      meta: { cell: 'right' },
      cell: ({ row }) => (
        <span className="ls-num" title={formatTime(row.original.last_heard)}>
          {agoText(row.original.last_heard)}
        </span>
      ),
    },
  ];
  return (
    <Panel pad={false} className="ls-fill">
      {devices.length === 0 ? (
        <Offer title={t('devices.none')} text={t('devices.noneText')}>
          <Button onClick={() => navigate(href('addDevice'))}>{t('devices.add')}</Button>
        </Offer>
      ) : (
        <DataTable
          label={t('devices.title')}
          rows={devices}
          columns={columns}
          rowId={(device) => device.id}
          initialSort={[{ id: 'name', desc: false }]}
          onOpen={(device) => navigate(href('device', { id: device.id }))}
          rowTestId="device-row"
        />
      )}
    </Panel>
  );
}

export function ConnectionMark({ device }: { device: Device }) {
  const { kind, text, detail } = connectionText(device);
  return (
    <StateMark kind={kind} title={detail}>
      {text}
    </StateMark>
  );
}

/** One click takes a device in; many at once the same. Ignored devices can be taken back here too. */
function Inbox({ devices }: { devices: Device[] }) {
  const [chosen, setChosen] = useState<Set<string>>(new Set());
  const [asset, setAsset] = useState<string | null>(null);
  const mayEdit = useMay('engineer');
  const refresh = useRefresh();
  const accept = useMutation({
    mutationFn: async (ids: string[]) => {
      if (asset === null && ids.length > 1) await devicesApi.acceptAll(ids);
      else await Promise.all(ids.map((id) => devicesApi.accept(id, asset)));
      return ids.length;
    },
    onSuccess: (count) => {
      done(t('devices.accepted', { count }));
      setChosen(new Set());
    },
    onSettled: () => refresh('devices', 'values'),
  });
  const ignore = useMutation({
    mutationFn: (id: string) => devicesApi.ignore(id),
    onSuccess: () => done(t('devices.ignoredDone')),
    onSettled: () => refresh('devices'),
  });
  const shown = devices.filter((device) => chosen.has(device.id));
  const columns: Column<Device>[] = [
    {
      id: 'name',
      header: t('devices.name'),
      accessorFn: (device) => device.name,
      meta: { cell: 'grow' },
      cell: ({ row }) => (
        <Link href={href('device', { id: row.original.id })}>
          <TagPath path={row.original.name} />
        </Link>
      ),
    },
    {
      id: 'protocol',
      header: t('devices.protocol'),
      accessorFn: (device) => device.protocol,
      meta: { cell: 'ls-wide-only' },
    },
    { id: 'tags', header: t('devices.tags'), accessorFn: (device) => device.tag_count, meta: { cell: 'right' } },
    {
      id: 'first',
      header: t('devices.firstHeard'),
      accessorFn: (device) => device.first_heard ?? '',
      meta: { cell: 'ls-wide-only' },
      cell: ({ row }) => <span className="ls-num">{formatTime(row.original.first_heard)}</span>,
    },
    {
      id: 'heard',
      header: t('devices.lastHeard'),
      accessorFn: (device) => device.last_heard ?? '',
      meta: { cell: 'right' },
      cell: ({ row }) => agoText(row.original.last_heard),
    },
    {
      id: 'tools',
      header: '',
      enableSorting: false,
      cell: ({ row }) =>
        mayEdit && (
          <span className="ls-row tight">
            <Button size="compact-sm" onClick={() => accept.mutate([row.original.id])} data-testid="device-accept">
              {t('devices.accept')}
            </Button>
            {row.original.state !== 'ignored' && (
              <Button
                variant="default"
                size="compact-sm"
                onClick={() => ignore.mutate(row.original.id)}
                data-testid="device-ignore"
              >
                {t('devices.ignore')}
              </Button>
            )}
          </span>
        ),
    },
  ];
  if (devices.length === 0) {
    return (
      <Panel>
        <Offer title={t('devices.inboxNone')} text={t('devices.inboxNoneText')}>
          {mayEdit && <Button onClick={() => navigate(href('addDevice'))}>{t('devices.add')}</Button>}
        </Offer>
      </Panel>
    );
  }
  return (
    <>
      {mayEdit && (
        <div className="ls-row">
          <span className="ls-dim">{t('devices.place')}</span>
          <AssetSelect value={asset} onChange={setAsset} />
          <span className="ls-grow" />
          {shown.length > 0 && (
            <Button
              onClick={() => accept.mutate(shown.map((device) => device.id))}
              loading={accept.isPending}
              data-testid="device-accept-selected"
            >
              {t('devices.acceptSelected', { count: shown.length })}
            </Button>
          )}
        </div>
      )}
      <Panel pad={false} className="ls-fill">
        <DataTable
          label={t('devices.inbox')}
          rows={devices}
          columns={columns}
          rowId={(device) => device.id}
          selected={chosen}
          onSelect={setChosen}
          onOpen={(device) => navigate(href('device', { id: device.id }))}
          rowTestId="discovered-row"
        />
      </Panel>
    </>
  );
}
