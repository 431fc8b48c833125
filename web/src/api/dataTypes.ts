import type { Scalar } from './types';

// The shapes of /api/v1 around the store: quality, ledger, storage, export and import, fleet questions, backups.

export interface QualityItem {
  path: string;
  kind: 'total' | 'level' | 'device' | 'tag';
  tags: number;
  samples: number;
  badness: number;
  silent: number;
  missing: number;
  expected: number | null;
  missing_s: number;
  bad: number;
  uncertain: number;
  late: number | null;
  out_of_order: number | null;
  stuck: number;
  stuck_s: number | null;
  out_of_range: number;
  clock_skew_s: number | null;
  refused: number;
  damaged_blocks: number;
  last_time: string | null;
}

export interface DataQuality {
  from: string;
  to: string;
  prefix: string;
  total: QualityItem;
  items: QualityItem[];
  items_more: number;
  tags_more: number;
}

/** First and last number of a range, both in it. */
export type NumberRange = [number, number];

export interface Refused {
  device: string;
  reason: string;
  count: number;
  first: string;
  last: string;
}

export interface LedgerHour {
  hour: string;
  source: string;
  shard: number;
  assigned: number;
  stored: number;
  ranges: NumberRange[];
  refused: Refused[];
}

export interface LedgerHours {
  from: string;
  to: string;
  items: LedgerHour[];
  more: boolean;
  up: { from: string; until: string; closed: boolean }[];
}

export interface OwnNumbers {
  device: string;
  since: string;
  complete_to: number;
  highest: number;
  missing: number;
  holes: NumberRange[];
}

export interface LedgerStream {
  shard: number;
  assigned_to: number;
  complete_to: number;
  holes: NumberRange[];
  holes_more: number;
  own: OwnNumbers[];
}

export interface LedgerSource {
  source: string;
  complete: boolean;
  samples: number;
  last_heard: string | null;
  presence: 'unknown' | 'connected' | 'away';
  presence_since: string | null;
  refused: number;
  own_missing: number;
  streams: LedgerStream[];
}

export type MissingReason = 'link' | 'device' | 'refused' | 'server' | 'expired' | 'damaged' | 'unknown';

export interface Missing {
  from: string;
  to: string;
  reason: MissingReason;
  samples: number | null;
  exact: boolean;
}

export interface Completeness {
  samples: number;
  good: number | null;
  uncertain: number | null;
  bad: number | null;
  damaged_blocks?: number;
  expected?: number | null;
  cadence_s?: number | null;
  cadence_from?: 'unknown' | 'configured' | 'learned';
  missing?: Missing[];
  missing_more?: number;
  missing_s?: number;
  late?: number | null;
  out_of_order?: number | null;
}

export type JobState = 'uploading' | 'waiting' | 'running' | 'done' | 'failed';

export interface ExportJob {
  id: string;
  name: string;
  state: JobState;
  error: string | null;
  by: string;
  created: string | null;
  finished: string | null;
  expires: string | null;
  format: 'csv' | 'jsonl' | 'parquet';
  compression: string;
  split: string;
  from: string;
  to: string;
  resolution: string;
  tags: number;
  rows: number;
  bytes: number;
  percent: number;
  damaged_blocks: number;
  files: { name: string; bytes: number; rows: number }[];
}

export interface NewExport {
  tags?: string[];
  prefix?: string;
  from?: string;
  to?: string;
  format?: string;
  compression?: string;
  resolution?: string;
  aggregates?: string[];
  split?: string;
  receive_time?: boolean;
  name?: string;
}

export interface ImportJob {
  id: string;
  name: string;
  state: JobState;
  error: string | null;
  by: string;
  dry_run: boolean;
  format: string;
  created: string | null;
  finished: string | null;
  expires: string | null;
  bytes: number;
  received: number;
  read_bytes: number;
  percent: number;
  points: number;
  refused: number;
  refusals?: { line: number | null; reason: string }[];
  tag_count: number;
  tags?: {
    tag: string;
    device: string;
    address: string;
    type: string;
    points: number;
    first: string | null;
    last: string | null;
  }[];
  first: string | null;
  last: string | null;
}

export interface NewImport {
  name: string;
  bytes: number;
  format?: string;
  device?: string;
  precision?: string;
  tag_columns?: string[];
  time_column?: string;
  date_order?: string;
  utc_offset?: string;
  time?: string;
}

export interface FleetAnswer {
  from: number;
  to: number;
  columns: string[];
  rows: (string | number | null)[][];
  more: boolean;
  completeness: { series: number; samples: number; good: number; damaged_blocks: number };
  took_ms: number;
}

export interface RetentionTier {
  resolution_s: number;
  age_s: number | null;
}

export interface NewRetentionRule {
  name: string;
  match: string;
  position: number;
  raw_age_s: number | null;
  raw_bytes: number | null;
  tiers: RetentionTier[];
}

export interface RetentionRule extends NewRetentionRule {
  id: string;
  version: number;
}

export interface RetentionEffect {
  rule: string | null;
  series: number;
  samples: number;
  bytes: number;
}

export interface Snapshot {
  id: string;
  time: string;
  version: string;
  host: string;
  files: number;
  bytes: number;
  added_bytes: number;
  stored_bytes: number;
  duration_s: number;
}

export interface BackupJob {
  number: number;
  state: 'running' | 'done' | 'failed';
  path: string;
  snapshot: string | null;
  error: string | null;
  started: string;
  ended: string | null;
  files: number;
  files_all: number;
  bytes: number;
  bytes_all: number;
  added_bytes: number;
  stored_bytes: number;
}

export interface BackupList {
  items: Snapshot[];
  next: null;
  job: BackupJob | null;
  path: string | null;
  encrypted: boolean;
  schedule: string | null;
  keep: string;
  last_success: string | null;
  next_run: string | null;
  overdue: boolean;
  error: string | null;
}

/** One UTC day, or a partition of 32 of them. */
export interface StorageDay {
  from: string;
  to: string;
  segments: number;
  samples: number;
  bytes: number;
  damaged_blocks: number;
  cold: boolean;
}

export interface StorageDamage {
  file: string;
  tag: string | null;
  tag_path: string | null;
  from: string;
  to: string;
  blocks: number;
  why: string;
  repaired?: boolean;
}

export interface Storage {
  series: number;
  samples: number;
  bytes: number;
  memory_bytes: number;
  wal_bytes: number;
  bytes_per_value: number | null;
  write_rate: number | null;
  oldest: string | null;
  newest: string | null;
  state: string;
  detail: string;
  compaction: {
    running: boolean;
    backlog: number;
    flushed_bytes: number;
    merged_bytes: number;
    copied_bytes: number;
    write_amplification: number | null;
  };
  days: StorageDay[];
  cold: { path: string | null; segments: number; bytes: number; segments_missing: number };
  expired: { rule: string | null; samples: number }[];
  erasures_open: number;
  damage: StorageDamage[];
  disk: {
    free: number | null;
    total: number | null;
    bytes_per_day: number | null;
    hours_known: number;
    full_at: string | null;
  };
}

export interface StateTime {
  value: Scalar;
  seconds: number;
  count: number;
}

export interface StateSeries {
  path: string;
  times: number[];
  states: StateTime[][];
}
