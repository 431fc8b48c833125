// Copies of the whole house: those there are, the plan, and the one that is being taken.

import { Button } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { serverNow } from '../api/client';
import { backups as backupsApi } from '../api/dataEndpoints';
import type { BackupJob, BackupList, Snapshot } from '../api/dataTypes';
import { formatAge, formatBytes, formatDuration, formatTime } from '../model/format';
import { useRefresh } from '../model/queries';
import { t } from '../model/text';
import { done } from '../model/toasts';
import { secondsLeft } from '../model/transfer';
import { Snippet } from '../parts/Copy';
import { type Column, DataTable } from '../parts/DataTable';
import { Facts, Offer, Panel, StateMark, Waiting } from '../parts/Page';
import { Progress } from '../parts/Progress';

export function Backups() {
  const list = useQuery({
    queryKey: ['backups'],
    queryFn: backupsApi.list,
    refetchInterval: (query) => (query.state.data?.job?.state === 'running' ? 1000 : 10_000),
  }).data;
  const refresh = useRefresh();
  const start = useMutation({
    mutationFn: backupsApi.start,
    onSuccess: () => {
      done(t('backup.begun'));
      refresh('backups');
    },
  });
  if (list === undefined) return <Waiting />;
  if (list.path === null) return <NotConfigured />;
  const isRunning = list.job?.state === 'running';
  const secret = list.encrypted ? ' --passphrase-file PASSPHRASE_FILE' : '';
  return (
    <>
      <div className="ls-cols">
        <Plan list={list} />
        <Panel
          title={t('backup.now')}
          tools={
            <Button
              size="compact-sm"
              disabled={isRunning}
              loading={start.isPending}
              onClick={() => start.mutate()}
              data-testid="backup-run"
            >
              {t('backup.run')}
            </Button>
          }
        >
          {list.job === null ? <span className="ls-dim">{t('backup.noJob')}</span> : <Job job={list.job} />}
        </Panel>
      </div>
      <Panel title={t('backup.snapshots')} pad={false}>
        {list.error !== null && (
          <div className="ls-note">
            <StateMark kind="bad">{list.error}</StateMark>
          </div>
        )}
        {list.items.length === 0 ? (
          <Offer title={t('backup.none')} text={t('backup.noneText')} />
        ) : (
          <DataTable
            label={t('backup.snapshots')}
            rows={list.items}
            columns={columns}
            rowId={(it) => it.id}
            rowTestId="backup-row"
          />
        )}
      </Panel>
      <Panel title={t('backup.byHand')}>
        <div className="ls-stack">
          <span className="ls-dim">{t('backup.byHandText')}</span>
          <Snippet text={`lineshaft verify ${list.path}${secret}`} testId="backup-verify" />
          <Snippet text={`lineshaft restore --from ${list.path}${secret} --to NEW_FOLDER`} />
        </div>
      </Panel>
    </>
  );
}

function NotConfigured() {
  return (
    <Panel>
      <Offer title={t('backup.notConfigured')} text={t('backup.notConfiguredText')}>
        <div style={{ maxWidth: 520, width: '100%' }}>
          <Snippet text={'backup:\n  path: /mnt/backup/lineshaft\n  schedule: "02:30"\n'} testId="backup-config" />
        </div>
      </Offer>
    </Panel>
  );
}

function Plan({ list }: { list: BackupList }) {
  const age = list.last_success === null ? null : formatAge(serverNow() - Date.parse(list.last_success));
  return (
    <Panel title={t('backup.plan')}>
      <Facts
        items={[
          [
            t('backup.lastSuccess'),
            <StateMark key="last" kind={list.overdue || age === null ? 'bad' : 'on'}>
              <span data-testid="backup-last">
                {age === null ? t('backup.never') : t('backup.ago', { time: formatTime(list.last_success), age })}
                {list.overdue ? ` ${t('backup.overdue')}` : ''}
              </span>
            </StateMark>,
          ],
          [t('backup.nextRun'), formatTime(list.next_run)],
          [
            t('backup.schedule'),
            list.schedule === null ? t('backup.noSchedule') : t('backup.daily', { at: list.schedule }),
          ],
          [t('backup.keep'), <code key="keep">{list.keep}</code>],
          [t('storage.coldPath'), <code key="path">{list.path}</code>],
          [t('backup.encrypted'), t(list.encrypted ? 'common.yes' : 'common.no')],
        ]}
      />
    </Panel>
  );
}

function Job({ job }: { job: BackupJob }) {
  const share = job.bytes_all > 0 ? job.bytes / job.bytes_all : null;
  return (
    <div className="ls-stack" data-testid="backup-job" data-state={job.state}>
      {job.state === 'running' ? (
        <Progress
          share={share}
          secondsLeft={secondsLeft(share, Date.parse(job.started), serverNow())}
          label={t('backup.now')}
        />
      ) : (
        <StateMark kind={job.state === 'done' ? 'on' : 'bad'}>
          {job.state === 'done' ? t('backup.done') : (job.error ?? t('job.failed'))}
        </StateMark>
      )}
      <Facts
        items={[
          [t('backup.started'), formatTime(job.started)],
          ...(job.ended === null ? [] : ([[t('backup.ended'), formatTime(job.ended)]] as [string, string][])),
          [
            t('backup.files'),
            job.files_all === 0
              ? t('backup.counting')
              : `${job.files.toLocaleString('en-US')} / ${job.files_all.toLocaleString('en-US')}`,
          ],
          [t('storage.size'), `${formatBytes(job.bytes)} / ${formatBytes(job.bytes_all)}`],
          [t('backup.stored'), formatBytes(job.stored_bytes)],
        ]}
      />
    </div>
  );
}

const columns: Column<Snapshot>[] = [
  {
    id: 'time',
    header: () => t('alarm.time'),
    accessorFn: (it) => it.time,
    cell: ({ row }) => <span className="ls-num">{formatTime(row.original.time)}</span>,
  },
  {
    id: 'id',
    header: () => t('backup.id'),
    accessorFn: (it) => it.id,
    meta: { cell: 'grow' },
    cell: ({ row }) => <code>{row.original.id}</code>,
  },
  {
    id: 'bytes',
    header: () => t('backup.restored'),
    accessorFn: (it) => it.bytes,
    meta: { cell: 'right' },
    cell: ({ row }) => <span className="ls-num">{formatBytes(row.original.bytes)}</span>,
  },
  {
    id: 'stored',
    header: () => t('backup.stored'),
    accessorFn: (it) => it.stored_bytes,
    meta: { cell: 'right' },
    cell: ({ row }) => <span className="ls-num">{formatBytes(row.original.stored_bytes)}</span>,
  },
  {
    id: 'files',
    header: () => t('backup.files'),
    accessorFn: (it) => it.files,
    meta: { cell: 'right ls-wide-only' },
    cell: ({ row }) => <span className="ls-num">{row.original.files.toLocaleString('en-US')}</span>,
  },
  {
    id: 'duration',
    header: () => t('backup.duration'),
    accessorFn: (it) => it.duration_s,
    meta: { cell: 'right ls-wide-only' },
    cell: ({ row }) => <span className="ls-num">{formatDuration(row.original.duration_s)}</span>,
  },
  {
    id: 'version',
    header: () => t('system.version'),
    accessorFn: (it) => it.version,
    meta: { cell: 'ls-wide-only' },
  },
];
