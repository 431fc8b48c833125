// The ledger: what each source sent, hour by hour, and whether all of it is stored.

import { Button, NumberInput, TextInput } from '@mantine/core';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { serverNow } from '../api/client';
import { ledger as ledgerApi } from '../api/dataEndpoints';
import type { LedgerSource } from '../api/dataTypes';
import { formatAge, formatTime, formatTimeShort } from '../model/format';
import { cellKind, type HourCell, hourStrips, linesOf, type NumberLine, upTo } from '../model/ledgerView';
import { useSearchParam } from '../model/navigation';
import { t } from '../model/text';
import { resolveRange } from '../model/timeRange';
import type { Column } from '../parts/DataTable';
import { DataTable } from '../parts/DataTable';
import { Offer, Panel, StateMark, Waiting } from '../parts/Page';

const pageSize = 500;
const whole = (n: number): string => n.toLocaleString('en-US');

export function Ledger({ range }: { range: string }) {
  const [search, setSearch] = useSearchParam('q');
  const [chosen, setChosen] = useSearchParam('source');
  const list = useInfiniteQuery({
    queryKey: ['ledger-sources', search],
    queryFn: ({ pageParam }) => ledgerApi.sources({ q: search, limit: pageSize, cursor: pageParam || undefined }),
    initialPageParam: '',
    getNextPageParam: (page) => page.next ?? undefined,
    refetchInterval: 10_000,
    placeholderData: (before) => before,
  });
  const sources = list.data?.pages.flatMap((page) => page.items);
  // A year of hours is more than one answer holds; the strip shows a month at most.
  const shownRange = range === '365d' ? '30d' : range;
  const hours = useQuery({
    queryKey: ['ledger-hours', shownRange],
    queryFn: () => ledgerApi.hours({ from: `now-${shownRange}`, to: 'now' }),
    refetchInterval: 30_000,
    placeholderData: (before) => before,
  }).data;
  const nowMs = serverNow();
  const asked = resolveRange(shownRange, nowMs) ?? { fromMs: nowMs - 86_400_000, toMs: nowMs };
  const strips = hours === undefined ? null : hourStrips(hours.items, asked.fromMs, asked.toMs, hours.up, nowMs);
  const columns: Column<LedgerSource>[] = [
    { id: 'source', header: t('ledger.source'), accessorFn: (it) => it.source, meta: { cell: 'ls-cut' } },
    {
      id: 'complete',
      header: t('ledger.stored'),
      accessorFn: (it) => Number(it.complete),
      cell: ({ row }) => <Verdict source={row.original} />,
    },
    {
      id: 'samples',
      header: t('ledger.samples'),
      accessorFn: (it) => it.samples,
      meta: { cell: 'right ls-wide-only' },
      cell: ({ row }) => <span className="ls-num">{whole(row.original.samples)}</span>,
    },
    {
      id: 'refused',
      header: t('ledger.refused'),
      accessorFn: (it) => it.refused,
      meta: { cell: 'right ls-wide-only' },
      cell: ({ row }) => <span className="ls-num">{whole(row.original.refused)}</span>,
    },
    {
      id: 'presence',
      header: t('ledger.presence'),
      accessorFn: (it) => it.presence,
      meta: { cell: 'ls-wide-only' },
      cell: ({ row }) => <Presence source={row.original} nowMs={nowMs} />,
    },
    {
      id: 'heard',
      header: t('ledger.lastHeard'),
      accessorFn: (it) => it.last_heard ?? '',
      meta: { cell: 'ls-wide-only' },
      cell: ({ row }) => (
        <span className="ls-num" title={formatTime(row.original.last_heard)}>
          {formatTimeShort(row.original.last_heard, nowMs)}
        </span>
      ),
    },
    {
      id: 'strip',
      header: t('ledger.hours'),
      enableSorting: false,
      meta: { cell: 'grow ls-wide-only' },
      cell: ({ row }) => <HourStrip cells={strips?.get(row.original.source) ?? []} />,
    },
  ];
  if (sources === undefined) return <Waiting />;
  return (
    <>
      <div className="ls-row">
        <TextInput
          data-search
          aria-label={t('ledger.search')}
          placeholder={t('ledger.search')}
          value={search}
          onChange={(event) => setSearch(event.currentTarget.value)}
          w={280}
          data-testid="ledger-search"
        />
        <Legend />
        <span className="ls-grow" />
        {list.hasNextPage && (
          <Button variant="default" loading={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
            {t('ledger.moreSources')}
          </Button>
        )}
      </div>
      <Panel pad={false} className="ls-fill">
        {sources.length === 0 ? (
          <Offer title={t('ledger.none')} text={t(search === '' ? 'ledger.noneText' : 'ledger.noneFits')} />
        ) : (
          <DataTable
            label={t('nav.ledger')}
            rows={sources}
            columns={columns}
            rowId={(it) => it.source}
            onOpen={(it) => setChosen(it.source === chosen ? null : it.source)}
            rowTestId="ledger-row"
            below={(it) => (it.source === chosen ? <SourceDetail source={it} /> : undefined)}
          />
        )}
      </Panel>
    </>
  );
}

function Verdict({ source }: { source: LedgerSource }) {
  if (!source.complete) return <StateMark kind="part">{t('ledger.notYet')}</StateMark>;
  if (source.own_missing > 0)
    return <StateMark kind="bad">{t('ledger.lostOnTheWay', { count: source.own_missing })}</StateMark>;
  return <StateMark kind="on">{t('ledger.all')}</StateMark>;
}

function Presence({ source, nowMs }: { source: LedgerSource; nowMs: number }) {
  if (source.presence === 'unknown') return <span className="ls-dim">–</span>;
  const since = source.presence_since === null ? '' : formatAge(nowMs - Date.parse(source.presence_since));
  return (
    <StateMark kind={source.presence === 'connected' ? 'on' : 'off'} title={formatTime(source.presence_since)}>
      {t(`ledger.${source.presence}`, { since })}
    </StateMark>
  );
}

const kinds = ['whole', 'open', 'refused', 'empty', 'down'] as const;

function Legend() {
  return (
    <span className="ls-legend ls-small">
      {kinds.map((kind) => (
        <span key={kind}>
          <i className="ls-cell" data-kind={kind} />
          {t(`ledger.cell.${kind}`)}
        </span>
      ))}
    </span>
  );
}

function cellTitle(cell: HourCell): string {
  const facts = { time: formatTime(cell.hourMs), assigned: whole(cell.assigned), stored: whole(cell.stored) };
  const refused = cell.refused > 0 ? `, ${t('dataQuality.refusedText', { count: cell.refused })}` : '';
  return `${t('ledger.cellText', facts)}${refused}`;
}

function HourStrip({ cells }: { cells: HourCell[] }) {
  if (cells.length === 0) return <span className="ls-dim ls-small">{t('ledger.nothingThen')}</span>;
  const most = Math.max(...cells.map((cell) => cell.assigned));
  return (
    <span className="ls-heat" role="img" aria-label={t('ledger.hoursOf', { count: cells.length })}>
      {cells.map((cell) => (
        <i
          key={cell.hourMs}
          className="ls-cell"
          data-kind={cellKind(cell)}
          title={cellTitle(cell)}
          // Much and little differ in depth, so that a quiet night is seen.
          style={{ opacity: cell.assigned === 0 ? 1 : 0.35 + 0.65 * (cell.assigned / most) }}
        />
      ))}
    </span>
  );
}

function SourceDetail({ source }: { source: LedgerSource }) {
  const lines = linesOf(source);
  return (
    <div className="ls-stack" data-testid="ledger-detail">
      <UpToBox source={source} lines={lines} />
      <table className="ls-table plain" aria-label={t('ledger.numbers')}>
        <thead>
          <tr>
            <th>{t('ledger.numbers')}</th>
            <th className="right">{t('ledger.highest')}</th>
            <th className="right">{t('ledger.completeTo')}</th>
            <th>{t('ledger.holes')}</th>
          </tr>
        </thead>
        <tbody>
          {lines.map((line) => (
            <tr key={line.key}>
              <td>{lineName(line)}</td>
              <td className="right ls-num">{whole(line.highest)}</td>
              <td className="right ls-num" data-testid="ledger-complete-to">
                {whole(line.completeTo)}
              </td>
              <td className="wrap">{holesText(line)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const lineName = (line: NumberLine): string =>
  line.device === null ? t('ledger.givenBy', { shard: line.shard }) : t('ledger.ownOf', { device: line.device });

function holesText(line: NumberLine): string {
  if (line.holes.length === 0) return t('ledger.noHoles');
  const ranges = line.holes.map(([first, last]) =>
    first === last ? whole(first) : `${whole(first)} – ${whole(last)}`,
  );
  const more = line.holesMore > 0 ? ` ${t('common.more', { count: line.holesMore })}` : '';
  return `${ranges.join(', ')}${more}`;
}

function UpToBox({ source, lines }: { source: LedgerSource; lines: NumberLine[] }) {
  const [n, setN] = useState<number | string>('');
  return (
    <div className="ls-row">
      <NumberInput
        label={t('ledger.upToQuestion', { source: source.source })}
        placeholder="n"
        min={1}
        allowDecimal={false}
        value={n}
        onChange={setN}
        w={420}
        data-testid="ledger-up-to"
      />
      {typeof n === 'number' && (
        <div className="ls-stack tight" data-testid="ledger-verdict" aria-live="polite">
          {lines.map((line) => {
            const answer = upTo(line, n);
            return (
              <StateMark key={line.key} kind={answer.isStored ? 'on' : 'bad'}>
                <strong>{answer.isStored ? t('ledger.yes') : t('ledger.no')}</strong>{' '}
                {answer.isAhead && answer.missing === 0
                  ? t('ledger.ahead', { highest: whole(line.highest) })
                  : answer.isStored
                    ? ''
                    : t('ledger.firstMissing', { n: whole(answer.firstMissing ?? 0), count: answer.missing })}{' '}
                <span className="ls-dim">{lineName(line)}</span>
              </StateMark>
            );
          })}
        </div>
      )}
    </div>
  );
}
