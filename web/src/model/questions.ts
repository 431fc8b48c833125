// A question over many tags: as a form, as the JSON that is sent, and what comes back as a table.

import type { FleetAnswer } from '../api/dataTypes';

export interface Select {
  name: string;
  tags: string;
  aggregate?: string;
  value?: string;
  when?: string;
}

export interface ValueColumn {
  name: string;
  aggregate?: string;
  of?: string;
}

export interface Question {
  select: Select[];
  values?: 'range' | 'last';
  from?: string | number;
  to?: string | number;
  bucket?: string | number;
  where?: string;
  per?: { bucket?: string | number; values: ValueColumn[] };
  group?: { by?: string[]; values: ValueColumn[] };
  having?: string;
  order_by?: string[];
  limit?: number;
  time_limit?: string | number;
}

export const selectAggregates = [
  'mean',
  'time_weighted_mean',
  'min',
  'max',
  'first',
  'last',
  'sum',
  'count',
  'samples',
  'integral',
  'deviation',
  'range',
  'delta',
] as const;

export const groupAggregates = [
  'mean',
  'min',
  'max',
  'first',
  'last',
  'sum',
  'count',
  'deviation',
  'range',
  'delta',
] as const;

export const perAggregates = [...groupAggregates, 'longest_run', 'transitions', 'mean_run'] as const;

/** Those of docs/user/fleet-queries.md, which goes through them; a test holds the two together. */
export const examples = {
  lowFuel: {
    select: [{ name: 'fuel', tags: 'diagnostics/*/{driver}/{fleet:South}/*/{truck}/fuel_state' }],
    values: 'last',
    where: 'fuel < 0.1',
    order_by: ['fuel'],
  },
  longDriving: {
    select: [{ name: 'v', tags: 'readings/*/{driver}/{fleet:South}/*/{truck}/velocity' }],
    from: '2026-01-01T08:00:00Z',
    to: '2026-01-01T12:00:00Z',
    bucket: '10m',
    where: 'v > 1',
    per: { values: [{ name: 'n', aggregate: 'count' }] },
    having: 'n > 22',
  },
  hoursDriven: {
    select: [{ name: 'v', tags: 'readings/*/{driver}/{fleet}/*/{truck}/velocity' }],
    from: 'now-30d',
    bucket: '10m',
    where: 'v > 1',
    per: { bucket: '1d', values: [{ name: 'n', aggregate: 'count' }] },
    group: { by: ['fleet', 'truck', 'driver'], values: [{ name: 'hours', aggregate: 'mean', of: 'n / 6' }] },
  },
  breakdowns: {
    select: [{ name: 'broken', tags: 'diagnostics/*/*/*/{model}/{truck}/status', value: 'broken == 0' }],
    from: 'now-30d',
    bucket: '10m',
    where: 'broken >= 0.5',
    per: { values: [{ name: 'n', aggregate: 'transitions' }] },
    group: { by: ['model'], values: [{ name: 'breakdowns', aggregate: 'sum', of: 'n' }] },
  },
  fuelDriving: {
    select: [
      { name: 'v', tags: 'readings/*/*/{fleet}/*/{truck}/velocity' },
      { name: 'fuel', tags: 'readings/*/*/{fleet}/*/{truck}/fuel_consumption', when: 'v > 1' },
    ],
    from: 'now-7d',
    group: { by: ['fleet'], values: [{ name: 'fuel', aggregate: 'mean', of: 'fuel' }] },
  },
} as const satisfies Record<string, unknown>;

/** Fits every plant: what each tag was in the last day. */
export const firstQuestion: Question = {
  select: [{ name: 'mean', tags: '**/{tag}' }],
  from: 'now-24h',
  order_by: ['-mean'],
  limit: 100,
};

export type Parsed = { question: Question; problem: null } | { question: null; problem: string };

/** Errors are told in words; what the server knows better (names, patterns) is left to it. */
export function parseQuestion(text: string): Parsed {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      return { question: null, problem: '{ … }' };
    const question = value as Question;
    if (!Array.isArray(question.select) || question.select.length === 0)
      return { question: null, problem: '"select": [ … ]' };
    return { question, problem: null };
  } catch (error) {
    return { question: null, problem: error instanceof Error ? error.message : String(error) };
  }
}

export const questionText = (question: Question): string => JSON.stringify(question, null, 2);

const isEmpty = (value: unknown): boolean =>
  value === undefined || value === null || value === '' || (Array.isArray(value) && value.length === 0);

/** With `change`; what is empty is left out, so that the JSON holds only what was said. */
export function changed<Part extends object>(part: Part, change: Partial<Part>): Part {
  return Object.fromEntries(Object.entries({ ...part, ...change }).filter(([, value]) => !isEmpty(value))) as Part;
}

export const listOf = (text: string): string[] =>
  text
    .split(',')
    .map((it) => it.trim())
    .filter((it) => it !== '');

/** The names that the patterns catch: what rows can be grouped by. */
export function caughtNames(question: Question): string[] {
  const names = question.select.flatMap((select) =>
    [...(select.tags ?? '').matchAll(/\{([A-Za-z_][A-Za-z0-9_]*)(?::[^}]*)?\}/g)].map((match) => match[1] ?? ''),
  );
  return [...new Set(names)];
}

export type Cell = string | number | null;

/** Rows by one column; nothing comes last in both directions. */
export function compareCells(a: Cell, b: Cell): number {
  if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  return String(a).localeCompare(String(b), undefined, { numeric: true });
}

export const isTimeColumn = (answer: FleetAnswer, index: number): boolean => answer.columns[index] === 'time';

const quoted = (text: string): string => `'${text.replace(/'/g, `'\\''`)}'`;

export function questionAsCurl(origin: string, question: Question): string {
  const body = quoted(JSON.stringify(question));
  return `curl -H "Authorization: Bearer $LINESHAFT_TOKEN" -H 'Content-Type: application/json' -d ${body} ${quoted(`${origin}/api/v1/fleet-query`)}`;
}

export const questionAsCli = (question: Question): string =>
  `echo ${quoted(JSON.stringify(question))} | lineshaft fleet -`;
