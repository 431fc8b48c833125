// The shapes of /api/v1 as api/openapi.yaml gives them. Ids are numbers written as strings; times are RFC 3339.

export type Role = 'administrator' | 'engineer' | 'operator' | 'viewer';
export type Priority = 1 | 2 | 3 | 4;
export type LimitKind = 'HH' | 'H' | 'L' | 'LL';
export type Scalar = number | string | boolean | null;
export type ValueType = 'bool' | 'int' | 'double' | 'string';

export interface Page<Item> {
  items: Item[];
  next?: string | null;
}

export interface Session {
  user: { id: string; name: string; role: Role } | null;
  csrf: string;
  claimed: boolean;
  version: string;
  tenant: { id: string; name: string } | null;
}

export interface User {
  id: string;
  name: string;
  role: Role;
  created: string;
  last_sign_in: string | null;
}

export interface Token {
  id: string;
  name: string;
  role?: Role | null;
  device?: string | null;
  scopes: string[];
  created?: string;
  expires?: string | null;
  last_used?: string | null;
}

export type AssetLevel = 'enterprise' | 'site' | 'area' | 'line' | 'cell' | 'unit' | 'other';

export interface Asset {
  id: string;
  parent: string | null;
  level: AssetLevel;
  name: string;
  path: string;
}

export type DeviceState = 'discovered' | 'accepted' | 'ignored';

export interface Connection {
  state: 'connected' | 'connecting' | 'failed' | 'idle' | 'none';
  detail?: string;
  since?: string | null;
  requests_per_second?: number;
  errors?: number;
}

export interface Device {
  id: string;
  name: string;
  title: string;
  protocol: string;
  state: DeviceState;
  asset: string | null;
  first_heard: string | null;
  last_heard: string | null;
  tag_count: number;
  good_share: number | null;
  settings: Record<string, unknown> | null;
  connection: Connection | null;
}

export interface Tag {
  id: string;
  path: string;
  device: string;
  address: string;
  type: ValueType;
  unit: string;
  description: string;
  scale: number;
  offset: number;
  deadband: number;
  range: [number | null, number | null] | null;
  writable: boolean;
}

export interface CurrentValue {
  path: string;
  id: string;
  value: Scalar;
  quality: string;
  quality_code: number;
  time: string | null;
  receive_time?: string | null;
  unit: string;
  type: ValueType;
  device: string;
  alarm: Priority | null;
}

export interface ValuesAnswer {
  time: string;
  items: CurrentValue[];
}

export interface Limit {
  kind: LimitKind;
  threshold: number;
  deadband: number;
  on_delay_s: number;
  off_delay_s: number;
  priority: Priority;
}

export interface AlarmRule {
  id: string;
  tag: string;
  tag_path: string;
  name: string;
  enabled: boolean;
  consequence: string;
  action: string;
  limits: Limit[];
}

export type NewAlarmRule = Omit<AlarmRule, 'id' | 'tag_path'>;

export interface RulePreview {
  from: string;
  to: string;
  fired: number;
  active_share: number;
  episodes: { kind: LimitKind; start: string; end: string | null }[];
  samples: number;
}

export interface Alarm {
  id: string;
  rule: string;
  tag: string;
  tag_path: string;
  device: string;
  name: string;
  limit: LimitKind;
  priority: Priority;
  state: 'A' | 'B' | 'C' | 'D';
  active: boolean;
  acknowledged: boolean;
  raised: string;
  cleared: string | null;
  acknowledged_at: string | null;
  acknowledged_by: string | null;
  comment: string | null;
  value: Scalar;
  threshold: number;
  unit: string;
  consequence: string;
  action: string;
}

export interface AlarmCounts {
  '1': number;
  '2': number;
  '3': number;
  '4': number;
  unacknowledged: number;
}

export interface AlarmsAnswer {
  items: Alarm[];
  counts: AlarmCounts;
}

export interface JournalEntry {
  time: string;
  alarm: string;
  event: string;
  by: string | null;
  comment: string | null;
  value: Scalar;
  threshold: number | null;
  priority: Priority;
  limit: LimitKind;
  tag_path: string;
  name: string;
}

export interface AuditEntry {
  number?: number;
  time: string;
  actor: string;
  address: string | null;
  action: string;
  target: string;
  detail: { before?: unknown; after?: unknown } | null;
  outcome: string;
}

export interface ModbusRegister {
  name: string;
  table: 'holding' | 'input' | 'coil' | 'discrete';
  address: number;
  type: 'int16' | 'uint16' | 'int32' | 'uint32' | 'int64' | 'float32' | 'float64' | 'bool';
  word_order: 'big' | 'little';
  byte_order: 'big' | 'little';
  scale: number;
  offset: number;
  unit: string;
  writable: boolean;
  poll_ms?: number;
}

export interface ModbusSettings {
  address: string;
  unit: number;
  poll_ms: number;
  timeout_ms: number;
  requests_per_second_max: number;
  gap_max: number;
  registers: ModbusRegister[];
}

export interface ModbusTest {
  ok: boolean;
  latency_ms: number | null;
  detail: string;
  tried?: string[];
  remedy?: string;
}

export interface ModbusPreviewValue {
  name: string;
  value: Scalar;
  raw: string | null;
  error: string | null;
}

export interface CsvCheck {
  rows: number;
  errors: { line: number; message: string }[];
}

export interface WriteOutcome {
  outcome: 'written' | 'refused' | 'failed' | 'timed_out';
  detail: string;
}

export interface Status {
  version: string;
  uptime_s: number;
  shards: number;
  role: string;
  /** A port, or "address:port" of what is listened on. */
  ports: Record<string, number | string | null>;
  store: {
    series: number;
    samples: number;
    bytes: number;
    bytes_per_sample: number;
    wal_bytes: number;
    disk_free_bytes: number;
    state: string;
    detail: string;
  };
  ingest?: { samples_per_second: number; by_protocol: Record<string, number> };
  mqtt?: Record<string, number>;
  refused?: { what: string; reason: string; count: number; last: string | null }[];
  warnings?: { code: string; text: string; remedy: string }[];
}
