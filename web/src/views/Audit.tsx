// Who did what, when, from where: as sentences, with what it was before and after.

import { Button, TextInput } from '@mantine/core';
import { useInfiniteQuery, useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { audit as auditApi } from '../api/endpoints';
import type { AuditEntry } from '../api/types';
import { auditSentence, differences } from '../model/auditText';
import { formatTime } from '../model/format';
import { useSearchParam } from '../model/navigation';
import { t } from '../model/text';
import { matches } from '../model/tree';
import { type Column, DataTable } from '../parts/DataTable';
import { Offer, Page, Panel, StateMark, Waiting } from '../parts/Page';

const idOf = (entry: AuditEntry): string => `${entry.number ?? ''} ${entry.time} ${entry.action} ${entry.target}`;

export default function Audit() {
  const [search, setSearch] = useSearchParam('q');
  const [open, setOpen] = useState<string | null>(null);
  const verify = useMutation({ mutationFn: auditApi.verify });
  const list = useInfiniteQuery({
    queryKey: ['audit'],
    queryFn: ({ pageParam }) => auditApi.list(pageParam || undefined),
    initialPageParam: '',
    getNextPageParam: (page) => page.next ?? undefined,
  });
  const entries = list.data?.pages.flatMap((page) => page.items) ?? [];
  const shown = entries.filter(
    (entry) =>
      search === '' || matches(`${auditSentence(entry)} ${entry.action} ${entry.target} ${entry.outcome}`, search),
  );
  const columns: Column<AuditEntry>[] = [
    {
      id: 'time',
      header: t('audit.time'),
      accessorFn: (entry) => entry.time,
      cell: ({ row }) => <span className="ls-num">{formatTime(row.original.time)}</span>,
    },
    {
      id: 'what',
      header: t('audit.what'),
      accessorFn: auditSentence,
      meta: { cell: 'grow' },
      cell: ({ row }) => (
        <span title={`${row.original.action} ${row.original.target}`}>{auditSentence(row.original)}</span>
      ),
    },
    {
      id: 'outcome',
      header: t('audit.outcome'),
      accessorFn: (entry) => entry.outcome,
      cell: ({ row }) => (
        <StateMark kind={/refused|failed/.test(row.original.outcome) ? 'bad' : 'on'}>{row.original.outcome}</StateMark>
      ),
    },
    {
      id: 'address',
      header: t('audit.from'),
      accessorFn: (entry) => entry.address ?? '',
      meta: { cell: 'ls-wide-only' },
    },
  ];
  return (
    <Page
      full
      title={t('audit.title')}
      testId="audit"
      tools={
        <>
          <span className="ls-grow" role="status" data-testid="audit-verdict">
            {verify.data?.ok === true && (
              <StateMark kind="on">{t('audit.verified', { count: verify.data.entries })}</StateMark>
            )}
            {verify.data?.ok === false && (
              <StateMark kind="bad">
                <strong>{t('audit.broken')}</strong> {verify.data.detail}
              </StateMark>
            )}
          </span>
          <TextInput
            data-search
            aria-label={t('common.search')}
            placeholder={t('common.search')}
            value={search}
            onChange={(event) => setSearch(event.currentTarget.value)}
          />
          <Button
            variant="default"
            onClick={() => verify.mutate()}
            loading={verify.isPending}
            data-testid="audit-verify"
          >
            {t('audit.verify')}
          </Button>
          {list.hasNextPage && (
            <Button variant="default" loading={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
              {t('audit.older')}
            </Button>
          )}
        </>
      }
    >
      <Panel pad={false} className="ls-fill">
        {list.isPending ? (
          <Waiting />
        ) : shown.length === 0 ? (
          <Offer title={t('audit.none')} text={t('audit.noneText')} />
        ) : (
          <DataTable
            label={t('audit.title')}
            rows={shown}
            columns={columns}
            rowId={idOf}
            onOpen={(entry) => setOpen(open === idOf(entry) ? null : idOf(entry))}
            below={(entry) => (open === idOf(entry) ? <Change entry={entry} /> : null)}
            rowTestId="audit-row"
          />
        )}
      </Panel>
    </Page>
  );
}

function Change({ entry }: { entry: AuditEntry }) {
  const changes = differences(entry.detail?.before, entry.detail?.after);
  return (
    <div className="ls-stack">
      <span className="ls-dim ls-mono">
        {entry.actor} · {entry.action} · {entry.target}
      </span>
      {changes.length > 0 ? (
        <table className="ls-table">
          <thead>
            <tr>
              <th />
              <th>{t('audit.before')}</th>
              <th>{t('audit.after')}</th>
            </tr>
          </thead>
          <tbody>
            {changes.map((change) => (
              <tr key={change.key}>
                <td>{change.key}</td>
                <td className="wrap ls-mono">{change.before}</td>
                <td className="wrap ls-mono">{change.after}</td>
              </tr>
            ))}
          </tbody>
        </table>
      ) : (
        entry.detail !== null && (
          <pre>{typeof entry.detail === 'string' ? entry.detail : JSON.stringify(entry.detail, null, 2)}</pre>
        )
      )}
    </div>
  );
}
