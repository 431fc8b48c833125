// Every request of the screens around the store, by the name of what it does.

import { call, get, query, send } from './client';
import type {
  BackupJob,
  BackupList,
  Completeness,
  DataQuality,
  ExportJob,
  FleetAnswer,
  ImportJob,
  LedgerHours,
  LedgerSource,
  NewExport,
  NewImport,
  NewRetentionRule,
  RetentionEffect,
  RetentionRule,
  StateSeries,
  Storage,
} from './dataTypes';
import type { Page, Scalar } from './types';

const base = '/api/v1';
const enc = encodeURIComponent;
const items = async <Item>(path: string): Promise<Item[]> => (await get<Page<Item>>(path)).items;

export interface QualityQuestion {
  prefix?: string;
  asset?: string;
  by?: string;
  from: string;
  to: string;
  limit?: number;
}

export const quality = {
  read: (question: QualityQuestion) => get<DataQuality>(`${base}/data-quality${query({ ...question })}`),
  /** What is known of one tag: shares, cadence, what is missing and why. */
  completeness: async (tags: string[], from: string, to: string, signal?: AbortSignal) => {
    const search = new URLSearchParams();
    for (const tag of tags) search.append('tag', tag);
    // One bucket is enough: what is asked for is beside the values.
    for (const [key, value] of Object.entries({ from, to, width: '1', limit: '1' })) search.set(key, value);
    const answer = await get<{ series: { path: string; completeness: Completeness }[] }>(
      `${base}/history?${search}`,
      signal,
    );
    return new Map(answer.series.map((one) => [one.path, one.completeness]));
  },
};

export interface Correction {
  time: string;
  value: Scalar;
  quality?: 'good' | 'uncertain' | 'bad';
}

export const samples = {
  /** Every sample of a range as CSV: only text keeps their times to the nanosecond. */
  csv: async (tag: string, from: string, to: string, limit: number) => {
    const search = new URLSearchParams({ tag, from, to, resolution: 'raw', limit: String(limit) });
    return (await call(`${base}/history?${search}`, { accept: 'text/csv' })).text();
  },
  erase: (order: { tags: string[]; from: string; to: string; reason: string }) =>
    send<{ series: number; samples: number }>('POST', `${base}/history:erase`, order),
  correct: (order: { tag: string; samples: Correction[]; reason: string }) =>
    send<{ replaced: number; added: number }>('POST', `${base}/history:correct`, order),
  /** How long each tag was in which state, in one bucket: in two, what lies on their border would count twice. */
  states: async (tags: string[], fromMs: number, toMs: number, knownAt: string) => {
    let seconds = Math.max(1, Math.ceil((toMs - fromMs) / 1000));
    while (Math.floor(fromMs / 1000 / seconds) !== Math.floor((toMs - 1) / 1000 / seconds)) seconds *= 2;
    const search = new URLSearchParams({
      from: new Date(fromMs).toISOString(),
      to: new Date(toMs).toISOString(),
      resolution: `${seconds}s`,
      aggregates: 'states',
    });
    for (const tag of tags) search.append('tag', tag);
    if (knownAt !== '') search.set('known_at', knownAt);
    return (await get<{ series: StateSeries[] }>(`${base}/history?${search}`)).series;
  },
};

export const ledger = {
  sources: (filter: { q?: string; limit?: number; cursor?: string }) =>
    get<Page<LedgerSource>>(`${base}/ledger/sources${query(filter)}`),
  hours: (filter: { source?: string; from: string; to: string }) => get<LedgerHours>(`${base}/ledger${query(filter)}`),
};

export const storage = {
  read: () => get<Storage>(`${base}/storage`),
};

export const retention = {
  list: () => items<RetentionRule>(`${base}/retention-rules`),
  create: (rule: NewRetentionRule) => send<RetentionRule>('POST', `${base}/retention-rules`, rule),
  change: (id: string, rule: NewRetentionRule & { version: number }) =>
    send<RetentionRule>('PATCH', `${base}/retention-rules/${enc(id)}`, rule),
  remove: (id: string) => send<void>('DELETE', `${base}/retention-rules/${enc(id)}`),
  /** What the rules would free; with a rule as if it were there too, or instead of the one with its id. */
  preview: async (rule: NewRetentionRule & { id?: string }) =>
    (await send<Page<RetentionEffect>>('POST', `${base}/retention-rules:preview`, rule)).items,
};

export const backups = {
  list: () => get<BackupList>(`${base}/backups`),
  start: () => send<{ job: BackupJob }>('POST', `${base}/backups`, {}),
};

export const exports = {
  list: () => items<ExportJob>(`${base}/exports`),
  create: (job: NewExport) => send<ExportJob>('POST', `${base}/exports`, job),
  remove: (id: string) => send<void>('DELETE', `${base}/exports/${enc(id)}`),
  fileAddress: (id: string, name: string) => `${base}/exports/${enc(id)}/file${query({ name })}`,
};

export const imports = {
  list: () => items<ImportJob>(`${base}/imports`),
  read: (id: string) => get<ImportJob>(`${base}/imports/${enc(id)}`),
  create: (job: NewImport) => send<ImportJob>('POST', `${base}/imports`, job),
  append: async (id: string, offset: number, piece: Blob, signal?: AbortSignal) =>
    (await (
      await call(`${base}/imports/${enc(id)}/file${query({ offset })}`, {
        method: 'PUT',
        body: piece,
        contentType: 'application/octet-stream',
        signal,
      })
    ).json()) as ImportJob,
  start: (id: string, dryRun: boolean) =>
    send<ImportJob>('POST', `${base}/imports/${enc(id)}:start`, { dry_run: dryRun }),
  remove: (id: string) => send<void>('DELETE', `${base}/imports/${enc(id)}`),
  refusedAddress: (id: string) => `${base}/imports/${enc(id)}/refused`,
};

export const fleet = {
  ask: async (question: unknown, signal?: AbortSignal) =>
    (await (await call(`${base}/fleet-query`, { method: 'POST', body: question, signal })).json()) as FleetAnswer,
  csv: async (question: unknown) =>
    (await call(`${base}/fleet-query`, { method: 'POST', body: question, accept: 'text/csv' })).blob(),
};
