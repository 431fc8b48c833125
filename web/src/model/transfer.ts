// Files that leave and come: what a form asks for, how far a job is, and sending a file piece by piece.

import { Problem } from '../api/client';
import type { ExportJob, ImportJob, JobState, NewExport } from '../api/dataTypes';

export const isActive = (job: { state: JobState }): boolean => job.state === 'waiting' || job.state === 'running';

/** 0 … 1, null when it cannot be told. */
export function progressOf(job: ExportJob | ImportJob): number | null {
  if (job.state === 'done') return 1;
  if (job.state === 'uploading' && 'received' in job) return job.bytes > 0 ? job.received / job.bytes : null;
  return Number.isFinite(job.percent) ? Math.min(1, job.percent / 100) : null;
}

export interface ExportForm {
  what: 'all' | 'prefix' | 'tags';
  prefix: string;
  tags: string[];
  /** `all`, or how far back: `30d`; `own` for from and to. */
  range: string;
  from: string;
  to: string;
  format: 'csv' | 'jsonl' | 'parquet';
  compression: 'none' | 'gzip' | 'zstd';
  resolution: string;
  split: 'none' | 'day';
  receiveTime: boolean;
}

export const emptyExport: ExportForm = {
  what: 'prefix',
  prefix: '',
  tags: [],
  range: '30d',
  from: '',
  to: '',
  format: 'csv',
  compression: 'none',
  resolution: 'raw',
  split: 'none',
  receiveTime: false,
};

/** The name of the files: where the data comes from, in letters that every disk takes. */
export function exportName(form: ExportForm): string {
  const source = form.what === 'all' ? 'plant' : form.what === 'prefix' ? form.prefix : (form.tags[0] ?? '');
  const name = source.replace(/[^A-Za-z0-9._-]+/g, '-').replace(/^-+|-+$/g, '');
  return name === '' ? 'plant' : name.slice(0, 80);
}

/** Null while something needed is missing. */
export function exportOf(form: ExportForm): NewExport | null {
  if (form.what === 'prefix' && form.prefix.trim() === '') return null;
  if (form.what === 'tags' && form.tags.length === 0) return null;
  const made: NewExport = {
    format: form.format,
    resolution: form.resolution.trim() || 'raw',
    split: form.split,
    name: exportName(form),
  };
  if (form.what === 'tags') made.tags = form.tags;
  else made.prefix = form.what === 'all' ? '' : form.prefix.trim();
  if (form.format !== 'parquet') {
    made.compression = form.compression;
    made.receive_time = form.receiveTime;
  }
  if (form.range === 'own') {
    const [from, to] = [Date.parse(form.from), Date.parse(form.to)];
    if (!(from < to)) return null;
    made.from = new Date(from).toISOString();
    made.to = new Date(to).toISOString();
  } else if (form.range !== 'all') {
    made.from = `now-${form.range}`;
    made.to = 'now';
  }
  return made;
}

/** Seconds left by what has been done so far; null when nothing can be said. */
export function secondsLeft(share: number | null, startedMs: number, nowMs: number): number | null {
  if (share === null || share <= 0.01 || share >= 1 || nowMs <= startedMs) return null;
  return ((nowMs - startedMs) / 1000 / share) * (1 - share);
}

export const pieceBytes = 8 * 1024 * 1024;
const triesMax = 4;

interface Upload {
  job: ImportJob;
  file: Blob;
  append: (id: string, offset: number, piece: Blob, signal?: AbortSignal) => Promise<ImportJob>;
  /** What the server has: where to go on after a break. */
  read: (id: string) => Promise<ImportJob>;
  onProgress: (received: number) => void;
  signal?: AbortSignal;
  wait?: (ms: number) => Promise<void>;
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Sends what the server does not have yet. After a break it asks how far it is and goes on from there. */
export async function upload({
  job,
  file,
  append,
  read,
  onProgress,
  signal,
  wait = sleep,
}: Upload): Promise<ImportJob> {
  let now = job;
  let tries = 0;
  while (now.received < file.size) {
    signal?.throwIfAborted();
    try {
      const offset = now.received;
      now = await append(now.id, offset, file.slice(offset, offset + pieceBytes), signal);
      tries = 0;
      onProgress(now.received);
    } catch (error) {
      const mayPass = error instanceof Problem && (error.status === 0 || error.status === 409 || error.status >= 500);
      if (!mayPass || ++tries >= triesMax) throw error;
      await wait(500 * 2 ** tries);
      now = await read(now.id);
    }
  }
  return now;
}
