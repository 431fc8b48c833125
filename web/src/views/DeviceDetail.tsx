// One device: live values, tags, settings, connection, and what can be done with it.

import { Button, Tabs } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { devices as devicesApi, values as valuesApi } from '../api/endpoints';
import type { Device, Tag } from '../api/types';
import { formatShare, formatTime, formatUnit } from '../model/format';
import { live } from '../model/live';
import { navigate, useRoute, useSearchParam } from '../model/navigation';
import { agoText, deviceTitle } from '../model/plantText';
import { useDevice, useRefresh, useTagsOf } from '../model/queries';
import { useMay } from '../model/roles';
import { trendHref } from '../model/router';
import { t } from '../model/text';
import { complain, done } from '../model/toasts';
import { type Column, DataTable } from '../parts/DataTable';
import { Link } from '../parts/Link';
import { LiveAge, LiveQuality, LiveRangeBar, LiveValue } from '../parts/LiveValue';
import { Facts, Offer, Page, Panel, Waiting } from '../parts/Page';
import { Sparkline } from '../parts/Sparkline';
import { TagDialog } from '../parts/TagDialog';
import { TagPath } from '../parts/TagPath';
import { WriteDialog } from '../parts/WriteDialog';
import { DeviceSettings } from './DeviceSettings';
import { ConnectionMark } from './Devices';

export default function DeviceDetail() {
  const id = useRoute().params.id ?? '';
  const device = useDevice(id).data;
  const tags = useTagsOf(id).data;
  const [tab, setTab] = useSearchParam('tab', 'values');
  const mayEdit = useMay('engineer');
  const paths = (tags ?? []).map((tag) => tag.path);
  const key = paths.join('\n');

  // The joined paths stand for the list.
  useEffect(() => {
    valuesApi.of(paths.slice(0, 500)).then((items) => live.seed(items), complain);
  }, [key]);

  if (device === undefined) return <Waiting />;
  return (
    <Page
      full
      title={deviceTitle(device)}
      testId="device-detail"
      tools={
        <>
          <ConnectionMark device={device} />
          <span className="ls-dim">
            {device.protocol} · {t(`deviceState.${device.state}`)}
          </span>
          <span className="ls-grow" />
          {device.state !== 'accepted' && mayEdit && <Accept device={device} />}
          {paths.length > 0 && (
            <Button variant="default" onClick={() => navigate(trendHref(paths.slice(0, 8)))}>
              {t('device.trendAll')}
            </Button>
          )}
        </>
      }
    >
      <Tabs value={tab} onChange={setTab}>
        <Tabs.List>
          <Tabs.Tab value="values">{t('device.values')}</Tabs.Tab>
          <Tabs.Tab value="tags" data-testid="tab-tags">
            {t('device.tags')}
          </Tabs.Tab>
          <Tabs.Tab value="settings" data-testid="tab-settings">
            {t('device.settings')}
          </Tabs.Tab>
          <Tabs.Tab value="connection">{t('device.connection')}</Tabs.Tab>
        </Tabs.List>
      </Tabs>
      {tab === 'settings' ? (
        <DeviceSettings device={device} />
      ) : tab === 'connection' ? (
        <ConnectionPanel device={device} />
      ) : tags === undefined ? (
        <Waiting />
      ) : tags.length === 0 ? (
        <Panel>
          <Offer title={t('device.noTags')} text={t('device.noTagsText')} />
        </Panel>
      ) : tab === 'tags' ? (
        <TagTable tags={tags} mayEdit={mayEdit} />
      ) : (
        <ValueTable tags={tags} />
      )}
    </Page>
  );
}

function Accept({ device }: { device: Device }) {
  const refresh = useRefresh();
  const accept = useMutation({
    mutationFn: () => devicesApi.accept(device.id),
    onSuccess: () => done(t('devices.accepted', { count: 1 })),
    onSettled: () => refresh('device', 'devices'),
  });
  return (
    <Button onClick={() => accept.mutate()} loading={accept.isPending} data-testid="device-accept">
      {t('devices.accept')}
    </Button>
  );
}

function ValueTable({ tags }: { tags: Tag[] }) {
  const [writing, setWriting] = useState<Tag | null>(null);
  const mayWrite = useMay('operator');
  const columns: Column<Tag>[] = [
    {
      id: 'address',
      header: t('value.name'),
      accessorFn: (tag) => tag.address,
      meta: { cell: 'grow' },
      cell: ({ row }) => (
        <Link href={trendHref([row.original.path])} title={row.original.path}>
          {row.original.address}
          <span className="ls-dim ls-small"> {row.original.description}</span>
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
      accessorFn: (tag) => tag.unit,
      cell: ({ row }) => <span className="ls-dim">{formatUnit(row.original.unit)}</span>,
    },
    {
      id: 'range',
      header: t('device.range'),
      enableSorting: false,
      meta: { cell: 'ls-wide-only' },
      cell: ({ row }) => {
        const [low, high] = row.original.range ?? [null, null];
        return (
          low !== null &&
          high !== null && (
            <div style={{ width: 110 }}>
              <LiveRangeBar path={row.original.path} low={low} high={high} />
            </div>
          )
        );
      },
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
      enableSorting: false,
      meta: { cell: 'ls-wide-only' },
      cell: ({ row }) => <LiveQuality path={row.original.path} />,
    },
    {
      id: 'age',
      header: t('value.age'),
      enableSorting: false,
      meta: { cell: 'right' },
      cell: ({ row }) => <LiveAge path={row.original.path} />,
    },
    {
      id: 'write',
      header: '',
      enableSorting: false,
      cell: ({ row }) =>
        mayWrite &&
        row.original.writable && (
          <Button
            variant="default"
            size="compact-sm"
            onClick={() => setWriting(row.original)}
            data-testid={`write-${row.original.path}`}
          >
            {t('device.write')}
          </Button>
        ),
    },
  ];
  return (
    <Panel pad={false} className="ls-fill">
      <DataTable
        label={t('device.values')}
        rows={tags}
        columns={columns}
        rowId={(tag) => tag.id}
        onOpen={(tag) => navigate(trendHref([tag.path]))}
        rowTestId="value-row"
      />
      {writing !== null && <WriteDialog tag={writing} onClose={() => setWriting(null)} />}
    </Panel>
  );
}

function TagTable({ tags, mayEdit }: { tags: Tag[]; mayEdit: boolean }) {
  const [editing, setEditing] = useState<Tag | null>(null);
  const columns: Column<Tag>[] = [
    {
      id: 'path',
      header: t('trend.tag'),
      accessorFn: (tag) => tag.path,
      meta: { cell: 'grow' },
      cell: ({ row }) => <TagPath path={row.original.path} />,
    },
    { id: 'type', header: t('device.type'), accessorFn: (tag) => tag.type },
    { id: 'unit', header: t('value.unit'), accessorFn: (tag) => tag.unit },
    { id: 'scale', header: t('device.scale'), accessorFn: (tag) => tag.scale, meta: { cell: 'right ls-wide-only' } },
    { id: 'offset', header: t('device.offset'), accessorFn: (tag) => tag.offset, meta: { cell: 'right ls-wide-only' } },
    {
      id: 'deadband',
      header: t('device.deadband'),
      accessorFn: (tag) => tag.deadband,
      meta: { cell: 'right ls-wide-only' },
    },
    {
      id: 'range',
      header: t('device.range'),
      enableSorting: false,
      cell: ({ row }) =>
        row.original.range === null ? '' : `${row.original.range[0] ?? '–'} … ${row.original.range[1] ?? '–'}`,
    },
    {
      id: 'writable',
      header: t('device.writable'),
      accessorFn: (tag) => (tag.writable ? t('common.yes') : t('common.no')),
    },
    {
      id: 'description',
      header: t('device.description'),
      accessorFn: (tag) => tag.description,
      meta: { cell: 'wrap ls-wide-only' },
    },
    {
      id: 'tools',
      header: '',
      enableSorting: false,
      cell: ({ row }) =>
        mayEdit && (
          <Button
            variant="default"
            size="compact-sm"
            onClick={() => setEditing(row.original)}
            data-testid={`edit-${row.original.path}`}
          >
            {t('common.edit')}
          </Button>
        ),
    },
  ];
  return (
    <Panel pad={false} className="ls-fill">
      <DataTable
        label={t('device.tags')}
        rows={tags}
        columns={columns}
        rowId={(tag) => tag.id}
        onOpen={mayEdit ? setEditing : undefined}
        rowTestId="tag-row"
      />
      {editing !== null && <TagDialog tag={editing} onClose={() => setEditing(null)} />}
    </Panel>
  );
}

function ConnectionPanel({ device }: { device: Device }) {
  const { connection } = device;
  return (
    <Panel title={t('device.connection')}>
      <div className="ls-stack">
        <Facts
          items={[
            [t('devices.state'), <ConnectionMark key="state" device={device} />],
            ...(connection?.detail ? ([['', connection.detail]] as [string, string][]) : []),
            ...(connection?.since ? ([[t('device.since'), formatTime(connection.since)]] as [string, string][]) : []),
            ...(connection?.requests_per_second !== undefined
              ? ([[t('device.requests'), connection.requests_per_second.toFixed(1)]] as [string, string][])
              : []),
            ...(connection?.errors !== undefined
              ? ([[t('device.errors'), String(connection.errors)]] as [string, string][])
              : []),
            [t('devices.firstHeard'), formatTime(device.first_heard)],
            [t('devices.lastHeard'), `${formatTime(device.last_heard)} (${agoText(device.last_heard)})`],
            [t('devices.good'), formatShare(device.good_share)],
            [t('devices.tags'), String(device.tag_count)],
          ]}
        />
        {connection === null && <div className="ls-dim">{t('device.noConnection')}</div>}
      </div>
    </Panel>
  );
}
