// Every request the screens make, by the name of what it does.

import { call, get, query, rememberCsrf, send } from './client';
import type {
  Alarm,
  AlarmRule,
  AlarmsAnswer,
  Asset,
  AuditEntry,
  CsvCheck,
  CurrentValue,
  Device,
  JournalEntry,
  Limit,
  ModbusPreviewValue,
  ModbusRegister,
  ModbusTest,
  NewAlarmRule,
  Page,
  Role,
  RulePreview,
  Scalar,
  Session,
  Status,
  Tag,
  Token,
  User,
  ValuesAnswer,
  WriteOutcome,
} from './types';

const base = '/api/v1';
const enc = encodeURIComponent;

/** Follows `next` until the end, because trees and roll-ups need all of it. `itemsMax` bounds what a browser holds. */
async function all<Item>(path: string, itemsMax = 20_000): Promise<Item[]> {
  const items: Item[] = [];
  let cursor: string | null | undefined;
  do {
    const separator = path.includes('?') ? '&' : '?';
    const page = await get<Page<Item>>(cursor ? `${path}${separator}cursor=${enc(cursor)}` : path);
    items.push(...page.items);
    cursor = page.next;
  } while (cursor && items.length < itemsMax);
  return items;
}

function remembered(session: Session): Session {
  rememberCsrf(session.csrf ?? '');
  return session;
}

export const session = {
  read: async () => remembered(await get<Session>(`${base}/session`)),
  signIn: async (name: string, password: string) =>
    remembered(await send<Session>('POST', `${base}/session`, { name, password })),
  signOut: () => send<void>('DELETE', `${base}/session`),
  claim: async (token: string, name: string, password: string) =>
    remembered(await send<Session>('POST', `${base}/claim`, { token, name, password })),
};

export const users = {
  list: () => all<User>(`${base}/users`),
  create: (user: { name: string; role: Role; password: string }) => send<User>('POST', `${base}/users`, user),
  change: (id: string, change: { name?: string; role?: Role; password?: string }) =>
    send<User>('PATCH', `${base}/users/${enc(id)}`, change),
  remove: (id: string) => send<void>('DELETE', `${base}/users/${enc(id)}`),
};

export interface NewToken {
  name: string;
  role?: Role;
  device?: string;
  scopes: string[];
  expires?: string;
}

export const tokens = {
  list: () => all<Token>(`${base}/tokens`),
  create: (token: NewToken) => send<{ id: string; token: string }>('POST', `${base}/tokens`, token),
  remove: (id: string) => send<void>('DELETE', `${base}/tokens/${enc(id)}`),
};

export const assets = {
  list: () => all<Asset>(`${base}/assets`),
  create: (asset: { parent: string | null; level: string; name: string }) =>
    send<Asset>('POST', `${base}/assets`, asset),
  change: (id: string, change: Partial<Pick<Asset, 'parent' | 'level' | 'name'>>) =>
    send<Asset>('PATCH', `${base}/assets/${enc(id)}`, change),
  remove: (id: string) => send<void>('DELETE', `${base}/assets/${enc(id)}`),
};

export const devices = {
  list: (filter: { state?: string; q?: string } = {}) =>
    all<Device>(`${base}/devices${query({ ...filter, limit: 1000 })}`),
  read: (id: string) => get<Device>(`${base}/devices/${enc(id)}`),
  create: (device: { name: string; protocol: string; asset?: string | null; settings?: unknown }) =>
    send<Device>('POST', `${base}/devices`, device),
  change: (id: string, change: Partial<Pick<Device, 'title' | 'name' | 'asset' | 'settings'>>) =>
    send<Device>('PATCH', `${base}/devices/${enc(id)}`, change),
  remove: (id: string) => send<void>('DELETE', `${base}/devices/${enc(id)}`),
  accept: (id: string, asset?: string | null) =>
    send<Device>('POST', `${base}/devices/${enc(id)}:accept`, asset ? { asset } : {}),
  ignore: (id: string) => send<Device>('POST', `${base}/devices/${enc(id)}:ignore`, {}),
  acceptAll: (ids: string[]) => send<unknown>('POST', `${base}/devices:accept`, { ids }),
  registersCsv: async (id: string) =>
    (await call(`${base}/devices/${enc(id)}/registers.csv`, { accept: 'text/csv' })).text(),
  putRegistersCsv: async (id: string, csv: string, dryRun: boolean) => {
    const path = `${base}/devices/${enc(id)}/registers.csv${dryRun ? '?dry_run=true' : ''}`;
    return (await (await call(path, { method: 'PUT', body: csv, contentType: 'text/csv' })).json()) as CsvCheck;
  },
};

export const tags = {
  list: (filter: { device?: string; prefix?: string; q?: string }) =>
    all<Tag>(`${base}/tags${query({ ...filter, limit: 1000 })}`),
  find: async (q: string, limit: number) => (await get<Page<Tag>>(`${base}/tags${query({ q, limit })}`)).items,
  change: (id: string, change: Partial<Omit<Tag, 'id' | 'device'>>) =>
    send<Tag>('PATCH', `${base}/tags/${enc(id)}`, change),
  write: (id: string, value: Scalar, key: string) =>
    send<WriteOutcome>('POST', `${base}/tags/${enc(id)}:write`, { value, idempotency_key: key }),
};

/** Repeated, because a path may hold a comma. */
const tagParameters = (paths: string[]): string => paths.map((path) => `tag=${enc(path)}`).join('&');

export const values = {
  below: (prefix: string) => get<ValuesAnswer>(`${base}/values${query({ prefix })}`),
  of: async (paths: string[]): Promise<CurrentValue[]> =>
    paths.length === 0 ? [] : (await get<ValuesAnswer>(`${base}/values?${tagParameters(paths)}`)).items,
};

export interface HistoryRequest {
  tags: string[];
  from: string | number;
  to: string | number;
  width?: number;
  resolution?: string;
  limit?: number;
  aggregates?: string[];
  /** As it was known at that time. */
  knownAt?: string;
}

/** The address of a history request: also what "copy as curl" prints, so there is one place that builds it. */
export function historyAddress(request: HistoryRequest): string {
  const search = new URLSearchParams();
  for (const tag of request.tags) search.append('tag', tag);
  search.set('from', String(request.from));
  search.set('to', String(request.to));
  if (request.resolution) search.set('resolution', request.resolution);
  if (request.width) search.set('width', String(request.width));
  if (request.limit) search.set('limit', String(request.limit));
  if (request.aggregates) search.set('aggregates', request.aggregates.join(','));
  if (request.knownAt) search.set('known_at', request.knownAt);
  return `${base}/history?${search}`;
}

export const columnsType = 'application/vnd.lineshaft.columns';

export const history = {
  columns: async (request: HistoryRequest, signal?: AbortSignal) =>
    (await call(historyAddress(request), { accept: columnsType, signal })).arrayBuffer(),
  csv: async (request: HistoryRequest) => (await call(historyAddress(request), { accept: 'text/csv' })).blob(),
};

export const alarms = {
  active: () => get<AlarmsAnswer>(`${base}/alarms?state=all`),
  acknowledge: (ids: string[], comment: string) =>
    ids.length === 1
      ? send<Alarm>('POST', `${base}/alarms/${enc(ids[0] ?? '')}:ack`, { comment })
      : send<unknown>('POST', `${base}/alarms:ack`, { ids, comment }),
  journal: (filter: { from?: string; to?: string; tag?: string; limit?: number; cursor?: string }) =>
    get<Page<JournalEntry>>(`${base}/alarm-journal${query(filter)}`),
};

export const rules = {
  list: (tag?: string) => all<AlarmRule>(`${base}/alarm-rules${query({ tag })}`),
  create: (rule: NewAlarmRule) => send<AlarmRule>('POST', `${base}/alarm-rules`, rule),
  change: (id: string, rule: Partial<NewAlarmRule>) => send<AlarmRule>('PATCH', `${base}/alarm-rules/${enc(id)}`, rule),
  remove: (id: string) => send<void>('DELETE', `${base}/alarm-rules/${enc(id)}`),
  preview: (tag: string, limits: Limit[], from: string, to: string) =>
    send<RulePreview>('POST', `${base}/alarm-rules:preview`, { tag, limits, from, to }),
};

export const audit = {
  list: (cursor?: string) => get<Page<AuditEntry>>(`${base}/audit${query({ limit: 200, cursor })}`),
  verify: () => get<{ ok: boolean; entries: number; detail?: string }>(`${base}/audit:verify`),
};

export const modbus = {
  test: (address: string, unit: number) => send<ModbusTest>('POST', `${base}/modbus:test`, { address, unit }),
  read: (address: string, unit: number, registers: ModbusRegister[]) =>
    send<ModbusPreviewValue[] | { items: ModbusPreviewValue[] }>('POST', `${base}/modbus:read`, {
      address,
      unit,
      registers,
    }),
};

export const system = {
  status: () => get<Status>(`${base}/status`),
  openapi: () => get<Record<string, unknown>>(`${base}/openapi.json`),
};
