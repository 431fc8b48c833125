// History as files: say what, see how far it is, load it.

import { Button, Checkbox, NativeSelect, Popover, SegmentedControl, TextInput } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { serverNow } from '../api/client';
import { exports as exportsApi } from '../api/dataEndpoints';
import type { ExportJob } from '../api/dataTypes';
import { formatBytes, formatTime } from '../model/format';
import { useRoute } from '../model/navigation';
import { useRefresh } from '../model/queries';
import { t } from '../model/text';
import { done } from '../model/toasts';
import { type ExportForm, emptyExport, exportOf, isActive, progressOf, secondsLeft } from '../model/transfer';
import { type Column, DataTable } from '../parts/DataTable';
import { DestroyDialog } from '../parts/Dialog';
import { JobState } from '../parts/JobState';
import { Offer, Panel, StateMark, Waiting } from '../parts/Page';
import { Progress } from '../parts/Progress';
import { TagPicker } from '../parts/TagPicker';

const ranges = ['24h', '7d', '30d', '365d', 'all', 'own'] as const;
const resolutions = ['raw', '1s', '10s', '1m', '10m', '1h', '1d'] as const;

export function Exports() {
  const jobs = useQuery({
    queryKey: ['exports'],
    queryFn: exportsApi.list,
    refetchInterval: (query) => (query.state.data?.some(isActive) ? 1000 : 5000),
  }).data;
  return (
    <>
      <NewExport />
      <Panel title={t('transfer.jobs')} pad={false}>
        {jobs === undefined ? (
          <Waiting />
        ) : jobs.length === 0 ? (
          <Offer title={t('transfer.noExports')} text={t('transfer.noExportsText')} />
        ) : (
          <JobTable jobs={jobs} />
        )}
      </Panel>
    </>
  );
}

/** `?tag=…` or `?prefix=…` of the address fills the form: the trend and other screens lead here. */
function startForm(search: URLSearchParams): ExportForm {
  const tags = search.getAll('tag');
  const prefix = search.get('prefix') ?? '';
  return { ...emptyExport, tags, prefix, what: tags.length > 0 ? 'tags' : 'prefix' };
}

function NewExport() {
  const search = useRoute().search;
  const [form, setForm] = useState(() => startForm(search));
  const refresh = useRefresh();
  const set = (change: Partial<ExportForm>): void => setForm({ ...form, ...change });
  const made = exportOf(form);
  const create = useMutation({
    mutationFn: exportsApi.create,
    onSuccess: () => {
      done(t('transfer.begun'));
      refresh('exports');
    },
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (made !== null) create.mutate(made);
  };
  return (
    <Panel title={t('transfer.newExport')}>
      <form className="ls-stack" onSubmit={submit}>
        <What form={form} set={set} />
        <div className="ls-fields">
          <NativeSelect
            label={t('transfer.time')}
            value={form.range}
            onChange={(event) => set({ range: event.currentTarget.value })}
            data={ranges.map((it) => ({ value: it, label: t(`transfer.span.${it}`) }))}
            data-testid="export-range"
          />
          {form.range === 'own' && (
            <>
              <TextInput
                type="datetime-local"
                step={1}
                label={t('trend.from')}
                value={form.from}
                onChange={(event) => set({ from: event.currentTarget.value })}
                data-testid="export-from"
              />
              <TextInput
                type="datetime-local"
                step={1}
                label={t('trend.to')}
                value={form.to}
                onChange={(event) => set({ to: event.currentTarget.value })}
                data-testid="export-to"
              />
            </>
          )}
          <NativeSelect
            label={t('transfer.values')}
            value={form.resolution}
            onChange={(event) => set({ resolution: event.currentTarget.value })}
            data={resolutions.map((it) => ({
              value: it,
              label: it === 'raw' ? t('transfer.raw') : t('transfer.each', { length: it }),
            }))}
            data-testid="export-resolution"
          />
          <NativeSelect
            label={t('transfer.split')}
            value={form.split}
            onChange={(event) => set({ split: event.currentTarget.value as ExportForm['split'] })}
            data={[
              { value: 'none', label: t('transfer.oneFile') },
              { value: 'day', label: t('transfer.eachDay') },
            ]}
          />
          {form.format !== 'parquet' && (
            <NativeSelect
              label={t('transfer.packed')}
              value={form.compression}
              onChange={(event) => set({ compression: event.currentTarget.value as ExportForm['compression'] })}
              data={[{ value: 'none', label: t('transfer.plain') }, 'gzip', 'zstd']}
            />
          )}
        </div>
        <div className="ls-row">
          <SegmentedControl
            aria-label={t('transfer.format')}
            value={form.format}
            onChange={(format) => set({ format: format as ExportForm['format'] })}
            data={[
              { value: 'csv', label: 'CSV' },
              { value: 'jsonl', label: 'JSON lines' },
              { value: 'parquet', label: 'Parquet' },
            ]}
            data-testid="export-format"
          />
          {form.format !== 'parquet' && form.resolution === 'raw' && (
            <Checkbox
              label={t('transfer.receiveTime')}
              checked={form.receiveTime}
              onChange={(event) => set({ receiveTime: event.currentTarget.checked })}
            />
          )}
          <span className="ls-grow" />
          <Button type="submit" disabled={made === null} loading={create.isPending} data-testid="export-start">
            {t('transfer.start')}
          </Button>
        </div>
      </form>
    </Panel>
  );
}

function What({ form, set }: { form: ExportForm; set: (change: Partial<ExportForm>) => void }) {
  return (
    <div className="ls-row bottom">
      <SegmentedControl
        aria-label={t('transfer.what')}
        value={form.what}
        onChange={(what) => set({ what: what as ExportForm['what'] })}
        data={[
          { value: 'prefix', label: t('transfer.whatPrefix') },
          { value: 'tags', label: t('transfer.whatTags') },
          { value: 'all', label: t('transfer.whatAll') },
        ]}
        data-testid="export-what"
      />
      {form.what === 'prefix' && (
        <TextInput
          className="ls-grow"
          aria-label={t('transfer.prefix')}
          placeholder={t('transfer.prefix')}
          value={form.prefix}
          onChange={(event) => set({ prefix: event.currentTarget.value })}
          data-testid="export-prefix"
        />
      )}
      {form.what === 'tags' && (
        <>
          <Popover width={460} position="bottom-start" trapFocus>
            <Popover.Target>
              <Button variant="default" data-testid="export-tags">
                {t('transfer.chooseTags')}
              </Button>
            </Popover.Target>
            <Popover.Dropdown>
              <TagPicker chosen={form.tags} onChange={(tags) => set({ tags })} />
            </Popover.Dropdown>
          </Popover>
          <span className="ls-grow ls-cut" title={form.tags.join('\n')}>
            {form.tags.length === 0 ? t('transfer.noTags') : form.tags.join(', ')}
          </span>
        </>
      )}
    </div>
  );
}

function JobTable({ jobs }: { jobs: ExportJob[] }) {
  const [removing, setRemoving] = useState<ExportJob | null>(null);
  const refresh = useRefresh();
  const remove = useMutation({
    mutationFn: (job: ExportJob) => exportsApi.remove(job.id),
    onSuccess: () => {
      done(t('transfer.removed'));
      setRemoving(null);
      refresh('exports');
    },
  });
  const columns: Column<ExportJob>[] = [
    {
      id: 'name',
      header: t('common.name'),
      accessorFn: (job) => job.name,
      meta: { cell: 'grow' },
      cell: ({ row }) => (
        <span title={`${formatTime(row.original.from)} – ${formatTime(row.original.to)}`}>
          {row.original.name}{' '}
          <span className="ls-dim ls-small">
            {t('transfer.exportOf', { count: row.original.tags })} · {row.original.format} ·{' '}
            {row.original.resolution === 'raw' ? t('transfer.raw') : row.original.resolution}
          </span>
        </span>
      ),
    },
    {
      id: 'state',
      header: t('job.state'),
      accessorFn: (job) => job.state,
      cell: ({ row }) => <ExportState job={row.original} />,
    },
    {
      id: 'rows',
      header: t('transfer.rows'),
      accessorFn: (job) => job.rows,
      meta: { cell: 'right ls-wide-only' },
      cell: ({ row }) => (
        <span className="ls-num" data-testid="export-rows">
          {row.original.rows.toLocaleString('en-US')}
        </span>
      ),
    },
    {
      id: 'bytes',
      header: t('transfer.size'),
      accessorFn: (job) => job.bytes,
      meta: { cell: 'right ls-wide-only' },
      cell: ({ row }) => <span className="ls-num">{formatBytes(row.original.bytes)}</span>,
    },
    {
      id: 'created',
      header: t('transfer.created'),
      accessorFn: (job) => job.created ?? '',
      meta: { cell: 'ls-wide-only' },
      cell: ({ row }) => (
        <span className="ls-num" title={t('transfer.by', { name: row.original.by })}>
          {formatTime(row.original.created)}
        </span>
      ),
    },
    {
      id: 'tools',
      header: '',
      enableSorting: false,
      cell: ({ row }) => (
        <span className="ls-row tight">
          <Files job={row.original} />
          <Button
            variant="default"
            size="compact-sm"
            onClick={() => (isActive(row.original) ? remove.mutate(row.original) : setRemoving(row.original))}
            data-testid="export-remove"
          >
            {t(isActive(row.original) ? 'common.cancel' : 'common.delete')}
          </Button>
        </span>
      ),
    },
  ];
  return (
    <>
      <DataTable
        label={t('transfer.jobs')}
        rows={jobs}
        columns={columns}
        rowId={(job) => job.id}
        rowTestId="export-row"
        below={(job) =>
          job.error !== null ? (
            <StateMark kind="bad">{job.error}</StateMark>
          ) : job.files.length > 1 ? (
            <FileList job={job} />
          ) : undefined
        }
      />
      {removing !== null && (
        <DestroyDialog
          title={t('transfer.removeExport')}
          text={t('transfer.removeExportText')}
          name={removing.name}
          confirm={t('common.delete')}
          onConfirm={() => remove.mutateAsync(removing).catch(() => {})}
          onClose={() => setRemoving(null)}
        />
      )}
    </>
  );
}

function ExportState({ job }: { job: ExportJob }) {
  if (job.state === 'running') {
    const share = progressOf(job);
    const left = secondsLeft(share, Date.parse(job.created ?? ''), serverNow());
    return <Progress share={share} secondsLeft={left} label={job.name} />;
  }
  return (
    <span className="ls-row tight">
      <JobState state={job.state} error={job.error} />
      {job.damaged_blocks > 0 && (
        <StateMark kind="bad">{t('dataQuality.damagedText', { count: job.damaged_blocks })}</StateMark>
      )}
    </span>
  );
}

/** One file is a button; several are listed below the row. */
function Files({ job }: { job: ExportJob }) {
  const only = job.files[0];
  if (only === undefined || job.files.length > 1) return null;
  return <Download job={job} name={only.name} label={t('transfer.download')} />;
}

function Download({ job, name, label }: { job: ExportJob; name: string; label: string }) {
  return (
    <Button
      component="a"
      href={exportsApi.fileAddress(job.id, name)}
      download={name}
      size="compact-sm"
      data-testid="export-download"
    >
      {label}
    </Button>
  );
}

function FileList({ job }: { job: ExportJob }) {
  return (
    <div className="ls-row">
      {job.files.map((file) => (
        <Download key={file.name} job={job} name={file.name} label={`${file.name} · ${formatBytes(file.bytes)}`} />
      ))}
    </div>
  );
}
