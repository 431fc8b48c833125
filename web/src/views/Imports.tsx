// Files of other stores: drop one, see what would become which tag, then take it in.

import { Button, NativeSelect, TextInput } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { type DragEvent, useRef, useState } from 'react';
import { imports as importsApi } from '../api/dataEndpoints';
import type { ImportJob, NewImport } from '../api/dataTypes';
import { formatBytes, formatTime } from '../model/format';
import { useSearchParam } from '../model/navigation';
import { useRefresh } from '../model/queries';
import { t } from '../model/text';
import { complain, done } from '../model/toasts';
import { isActive, progressOf, upload } from '../model/transfer';
import { type Column, DataTable } from '../parts/DataTable';
import { JobState } from '../parts/JobState';
import { Offer, Panel, StateMark, Waiting } from '../parts/Page';
import { Progress } from '../parts/Progress';
import { TagPath } from '../parts/TagPath';

const formats = ['auto', 'csv', 'jsonl', 'line-protocol', 'influx-csv', 'prometheus', 'postgres', 'table'] as const;
const whole = (n: number): string => n.toLocaleString('en-US');

export function Imports() {
  const [chosen, setChosen] = useSearchParam('job');
  const jobs = useQuery({
    queryKey: ['imports'],
    queryFn: importsApi.list,
    refetchInterval: (query) => (query.state.data?.some((job) => isActive(job)) ? 1000 : 5000),
  }).data;
  return (
    <>
      <NewImportPanel onMade={(job) => setChosen(job.id)} />
      <Panel title={t('transfer.jobs')} pad={false}>
        {jobs === undefined ? (
          <Waiting />
        ) : jobs.length === 0 ? (
          <Offer title={t('transfer.noImports')} text={t('transfer.noImportsText')} />
        ) : (
          <DataTable
            label={t('transfer.jobs')}
            rows={jobs}
            columns={columns}
            rowId={(job) => job.id}
            rowTestId="import-row"
            onOpen={(job) => setChosen(job.id === chosen ? null : job.id)}
            below={(job) => (job.id === chosen ? <Detail key={job.id} id={job.id} /> : undefined)}
          />
        )}
      </Panel>
    </>
  );
}

const columns: Column<ImportJob>[] = [
  {
    id: 'name',
    header: () => t('common.name'),
    accessorFn: (job) => job.name,
    meta: { cell: 'grow' },
    cell: ({ row }) => (
      <>
        {row.original.name} <span className="ls-dim ls-small">{row.original.format}</span>
      </>
    ),
  },
  {
    id: 'state',
    header: () => t('job.state'),
    accessorFn: (job) => job.state,
    cell: ({ row: { original: job } }) =>
      job.state === 'running' || job.state === 'uploading' ? (
        <Progress share={progressOf(job)} label={t(`job.${job.state}`)} />
      ) : (
        <span className="ls-row tight">
          <JobState state={job.state} error={job.error} />
          {job.dry_run && <span className="ls-dim ls-small">{t('transfer.dryRun')}</span>}
        </span>
      ),
  },
  {
    id: 'points',
    header: () => t('transfer.points'),
    accessorFn: (job) => job.points,
    meta: { cell: 'right' },
    cell: ({ row }) => <span className="ls-num">{whole(row.original.points)}</span>,
  },
  {
    id: 'refused',
    header: () => t('dataQuality.refused'),
    accessorFn: (job) => job.refused,
    meta: { cell: 'right' },
    cell: ({ row }) => <span className="ls-num">{whole(row.original.refused)}</span>,
  },
  {
    id: 'size',
    header: () => t('transfer.size'),
    accessorFn: (job) => job.received,
    meta: { cell: 'right ls-wide-only' },
    cell: ({ row }) => <span className="ls-num">{formatBytes(row.original.received)}</span>,
  },
  {
    id: 'created',
    header: () => t('transfer.created'),
    accessorFn: (job) => job.created ?? '',
    meta: { cell: 'ls-wide-only' },
    cell: ({ row }) => (
      <span className="ls-num" title={t('transfer.by', { name: row.original.by })}>
        {formatTime(row.original.created)}
      </span>
    ),
  },
];

type Options = Pick<NewImport, 'format' | 'device' | 'time_column' | 'date_order' | 'utc_offset'>;

function NewImportPanel({ onMade }: { onMade: (job: ImportJob) => void }) {
  const [options, setOptions] = useState<Options>({});
  const [isOver, setOver] = useState(false);
  const [sent, setSent] = useState<{ name: string; share: number } | null>(null);
  const stop = useRef<AbortController | null>(null);
  const field = useRef<HTMLInputElement>(null);
  const refresh = useRefresh();
  const set = (change: Options): void => setOptions({ ...options, ...change });

  const take = async (file: File): Promise<void> => {
    stop.current = new AbortController();
    setSent({ name: file.name, share: 0 });
    try {
      const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== '' && value !== 'auto'));
      const job = await importsApi.create({ name: file.name, bytes: file.size, ...given });
      onMade(job);
      refresh('imports');
      await upload({
        job,
        file,
        append: importsApi.append,
        read: importsApi.read,
        onProgress: (received) => setSent({ name: file.name, share: file.size === 0 ? 1 : received / file.size }),
        signal: stop.current.signal,
      });
      // Nothing is stored before somebody has seen what would become which tag.
      await importsApi.start(job.id, true);
    } catch (error) {
      if (!stop.current.signal.aborted) complain(error);
    }
    setSent(null);
    refresh('imports', 'import');
  };
  const drop = (event: DragEvent): void => {
    event.preventDefault();
    setOver(false);
    const file = event.dataTransfer.files[0];
    if (file !== undefined && sent === null) void take(file);
  };
  return (
    <Panel title={t('transfer.newImport')}>
      <div className="ls-stack">
        <section
          className="ls-drop"
          data-over={isOver}
          aria-label={t('transfer.drop')}
          onDragOver={(event) => {
            event.preventDefault();
            setOver(true);
          }}
          onDragLeave={() => setOver(false)}
          onDrop={drop}
          data-testid="import-drop"
        >
          {sent === null ? (
            <>
              <strong>{t('transfer.drop')}</strong>
              <span className="ls-dim">{t('transfer.dropText')}</span>
              <Button variant="default" onClick={() => field.current?.click()} data-testid="import-choose">
                {t('transfer.chooseFile')}
              </Button>
            </>
          ) : (
            <>
              <strong>{t('transfer.sending', { name: sent.name })}</strong>
              <Progress share={sent.share} label={sent.name} />
              <Button variant="default" onClick={() => stop.current?.abort()}>
                {t('transfer.stop')}
              </Button>
            </>
          )}
          <input
            ref={field}
            type="file"
            hidden
            aria-label={t('transfer.chooseFile')}
            onChange={(event) => {
              const file = event.currentTarget.files?.[0];
              event.currentTarget.value = '';
              if (file !== undefined) void take(file);
            }}
            data-testid="import-file"
          />
        </section>
        <details>
          <summary>{t('transfer.options')}</summary>
          <div className="ls-fields" style={{ marginTop: 8 }}>
            <NativeSelect
              label={t('transfer.fileFormat')}
              value={options.format ?? 'auto'}
              onChange={(event) => set({ format: event.currentTarget.value })}
              data={formats.map((it) => ({ value: it, label: t(`transfer.fileFormats.${it}`) }))}
              data-testid="import-format"
            />
            <TextInput
              label={t('transfer.device')}
              value={options.device ?? ''}
              onChange={(event) => set({ device: event.currentTarget.value })}
              data-testid="import-device"
            />
            <TextInput
              label={t('transfer.timeColumn')}
              value={options.time_column ?? ''}
              onChange={(event) => set({ time_column: event.currentTarget.value })}
            />
            <NativeSelect
              label={t('transfer.dateOrder')}
              value={options.date_order ?? ''}
              onChange={(event) => set({ date_order: event.currentTarget.value })}
              data={[
                { value: '', label: t('transfer.dateFound') },
                { value: 'dmy', label: '31/12/2026' },
                { value: 'mdy', label: '12/31/2026' },
              ]}
            />
            <TextInput
              label={t('transfer.utcOffset')}
              placeholder="+01:00"
              value={options.utc_offset ?? ''}
              onChange={(event) => set({ utc_offset: event.currentTarget.value })}
            />
          </div>
        </details>
      </div>
    </Panel>
  );
}

function Detail({ id }: { id: string }) {
  const job = useQuery({
    queryKey: ['import', id],
    queryFn: () => importsApi.read(id),
    refetchInterval: (query) => (query.state.data === undefined || isActive(query.state.data) ? 500 : 3000),
  }).data;
  const refresh = useRefresh();
  const start = useMutation({
    mutationFn: (dryRun: boolean) => importsApi.start(id, dryRun),
    onSuccess: () => refresh('imports', 'import'),
  });
  const remove = useMutation({
    mutationFn: () => importsApi.remove(id),
    onSuccess: () => {
      done(t('transfer.removed'));
      refresh('imports');
    },
  });
  if (job === undefined) return <Waiting />;
  const isWhole = job.bytes === 0 || job.received >= job.bytes;
  const isSeen = job.state === 'done' && job.dry_run;
  return (
    <div className="ls-stack" data-testid="import-detail">
      {job.error !== null && <StateMark kind="bad">{job.error}</StateMark>}
      <div className="ls-row">
        <Summary job={job} />
        <span className="ls-grow" />
        {job.refused > 0 && (
          <Button
            component="a"
            href={importsApi.refusedAddress(id)}
            download={`${job.name}.refused.csv`}
            variant="default"
            size="compact-sm"
            data-testid="import-refused"
          >
            {t('transfer.refusedRows', { count: job.refused })}
          </Button>
        )}
        {!isActive(job) && isWhole && !(job.state === 'done' && !job.dry_run) && (
          <>
            {!isSeen && (
              <Button variant="default" size="compact-sm" onClick={() => start.mutate(true)}>
                {t('transfer.look')}
              </Button>
            )}
            <Button
              size="compact-sm"
              loading={start.isPending}
              onClick={() => start.mutate(false)}
              data-testid="import-start"
            >
              {isSeen
                ? t('transfer.takeIn', { count: job.points, points: whole(job.points) })
                : t('transfer.takeInAll')}
            </Button>
          </>
        )}
        <Button
          variant="default"
          size="compact-sm"
          loading={remove.isPending}
          onClick={() => remove.mutate()}
          data-testid="import-remove"
        >
          {t(isActive(job) ? 'common.cancel' : 'transfer.removeFile')}
        </Button>
      </div>
      {(job.tags?.length ?? 0) > 0 && <Tags job={job} />}
      {(job.refusals?.length ?? 0) > 0 && (
        <div>
          <h3>{t('transfer.refusals')}</h3>
          <ul className="ls-list">
            {job.refusals?.slice(0, 20).map((it, i) => (
              <li key={i}>{it.line === null ? it.reason : t('add.line', { line: it.line, message: it.reason })}</li>
            ))}
          </ul>
        </div>
      )}
    </div>
  );
}

function Summary({ job }: { job: ImportJob }) {
  if (isActive(job)) return <Progress share={progressOf(job)} label={job.name} />;
  const facts = { points: whole(job.points), count: job.tag_count };
  if (job.state !== 'done') return <JobState state={job.state} error={job.error} />;
  return (
    <span data-testid="import-summary">
      {t(job.dry_run ? 'transfer.wouldStore' : 'transfer.stored', facts)}{' '}
      <span className="ls-dim">
        {formatTime(job.first)} – {formatTime(job.last)}
      </span>
    </span>
  );
}

function Tags({ job }: { job: ImportJob }) {
  const shown = job.tags ?? [];
  return (
    <div className="ls-scroll" style={{ maxHeight: 360 }}>
      <table className="ls-table plain" aria-label={t('transfer.tags')} data-testid="import-tags">
        <thead>
          <tr>
            <th>{t('alarm.tag')}</th>
            <th>{t('registerMap.type')}</th>
            <th className="right">{t('transfer.points')}</th>
            <th>{t('transfer.firstPoint')}</th>
            <th>{t('transfer.lastPoint')}</th>
          </tr>
        </thead>
        <tbody>
          {shown.map((tag) => (
            <tr key={tag.tag}>
              <td>
                <TagPath path={tag.tag} />
              </td>
              <td>{tag.type}</td>
              <td className="right ls-num">{whole(tag.points)}</td>
              <td className="ls-num">{formatTime(tag.first)}</td>
              <td className="ls-num">{formatTime(tag.last)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {job.tag_count > shown.length && (
        <span className="ls-dim ls-small">{t('common.more', { count: job.tag_count - shown.length })}</span>
      )}
    </div>
  );
}
