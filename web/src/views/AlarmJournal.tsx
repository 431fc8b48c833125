// What alarms did, newest first.

import { Button, NativeSelect, TextInput } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { alarms as alarmsApi } from '../api/endpoints';
import type { JournalEntry } from '../api/types';
import { formatTime, formatValue } from '../model/format';
import { useSearchParam } from '../model/navigation';
import { t } from '../model/text';
import { matches } from '../model/tree';
import { AlarmBadge } from '../parts/AlarmBadge';
import { type Column, DataTable } from '../parts/DataTable';
import { Offer, Panel, Waiting } from '../parts/Page';
import { TagPath } from '../parts/TagPath';

const pageSize = 200;

export function AlarmJournal() {
  const [since, setSince] = useSearchParam('since', '7d');
  const [search, setSearch] = useSearchParam('q');
  const [event, setEvent] = useSearchParam('event');
  const journal = useInfiniteQuery({
    queryKey: ['journal', since],
    queryFn: ({ pageParam }) =>
      alarmsApi.journal({
        from: since === 'all' ? undefined : `now-${since}`,
        limit: pageSize,
        cursor: pageParam || undefined,
      }),
    initialPageParam: '',
    getNextPageParam: (page) => page.next ?? undefined,
    refetchInterval: 10_000,
  });
  const entries = useMemo(() => journal.data?.pages.flatMap((page) => page.items) ?? [], [journal.data]);
  const events = useMemo(() => [...new Set(entries.map((entry) => entry.event))].sort(), [entries]);
  const shown = entries.filter(
    (entry) =>
      (event === '' || entry.event === event) &&
      (search === '' || matches(`${entry.name} ${entry.tag_path} ${entry.comment ?? ''} ${entry.by ?? ''}`, search)),
  );
  const columns: Column<JournalEntry>[] = [
    {
      id: 'time',
      header: t('alarm.time'),
      accessorFn: (entry) => entry.time,
      cell: ({ row }) => <span className="ls-num">{formatTime(row.original.time)}</span>,
    },
    {
      id: 'priority',
      header: '',
      accessorFn: (entry) => entry.priority,
      cell: ({ row }) => <AlarmBadge priority={row.original.priority} />,
    },
    { id: 'event', header: t('alarm.event'), accessorFn: (entry) => entry.event },
    { id: 'name', header: t('alarm.name'), accessorFn: (entry) => entry.name },
    {
      id: 'tag',
      header: t('alarm.tag'),
      accessorFn: (entry) => entry.tag_path,
      meta: { cell: 'grow' },
      cell: ({ row }) => <TagPath path={row.original.tag_path} />,
    },
    {
      id: 'value',
      header: t('alarm.value'),
      enableSorting: false,
      meta: { cell: 'right' },
      cell: ({ row }) => (
        <span className="ls-num">
          {formatValue(row.original.value)}
          <span className="ls-dim">
            {' '}
            {row.original.limit} {row.original.threshold === null ? '' : formatValue(row.original.threshold)}
          </span>
        </span>
      ),
    },
    { id: 'by', header: t('alarm.by'), accessorFn: (entry) => entry.by ?? '', meta: { cell: 'ls-wide-only' } },
    {
      id: 'comment',
      header: t('alarm.comment'),
      accessorFn: (entry) => entry.comment ?? '',
      meta: { cell: 'wrap ls-wide-only' },
    },
  ];
  return (
    <>
      <div className="ls-row">
        <TextInput
          data-search
          aria-label={t('alarms.filter')}
          placeholder={t('alarms.filter')}
          value={search}
          onChange={(change) => setSearch(change.currentTarget.value)}
          w={280}
        />
        <NativeSelect
          aria-label={t('alarm.event')}
          value={event}
          onChange={(change) => setEvent(change.currentTarget.value)}
          data={[{ value: '', label: t('alarms.anyEvent') }, ...events]}
        />
        <NativeSelect
          aria-label={t('trend.range')}
          value={since}
          onChange={(change) => setSince(change.currentTarget.value)}
          data={[
            { value: '24h', label: t('alarms.lastDay') },
            { value: '7d', label: t('alarms.lastWeek') },
            { value: '30d', label: t('alarms.lastMonth') },
            { value: 'all', label: t('alarms.allTime') },
          ]}
        />
        {journal.hasNextPage && (
          <Button variant="default" loading={journal.isFetchingNextPage} onClick={() => void journal.fetchNextPage()}>
            {t('alarms.older')}
          </Button>
        )}
      </div>
      <Panel pad={false} className="ls-fill">
        {journal.isPending ? (
          <Waiting />
        ) : shown.length === 0 ? (
          <Offer title={t('alarms.journalNone')} text={t('alarms.journalNoneText')} />
        ) : (
          <DataTable
            label={t('alarms.journal')}
            rows={shown}
            columns={columns}
            rowId={(entry) => `${entry.time} ${entry.alarm} ${entry.event}`}
            rowTestId="journal-row"
          />
        )}
      </Panel>
    </>
  );
}
