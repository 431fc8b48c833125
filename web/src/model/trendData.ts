// From history series to what the chart draws: aligned columns, gaps where nothing is known, dashes where it is doubtful.

import type { Series } from './columns';
import { qualityClass } from './quality';

/** Per tag four columns: what is sure, what is doubtful (dashed), lowest and highest of a bucket. */
export const columnsPerTag = 4;

export interface BadSpan {
  fromMs: number;
  toMs: number;
}

export interface TagColumns {
  times: number[];
  sure: (number | null)[];
  doubtful: (number | null)[];
  min: (number | null)[];
  max: (number | null)[];
  bad: BadSpan[];
}

interface Row {
  timeMs: number;
  value: number;
  min: number | null;
  max: number | null;
  kind: 'good' | 'uncertain' | 'bad';
}

function rowsOf(series: Series): Row[] {
  const rows: Row[] = [];
  for (let i = 0; i < series.times.length; i++) {
    const timeMs = series.times[i] ?? 0;
    if (series.kind === 'raw') {
      const value = series.values[i] ?? Number.NaN;
      const kind = qualityClass(series.qualities[i] ?? 0);
      rows.push({ timeMs, value, min: null, max: null, kind: Number.isNaN(value) ? 'bad' : kind });
      continue;
    }
    const value = series.mean[i] ?? Number.NaN;
    const isAllGood = (series.good[i] ?? 0) >= (series.count[i] ?? 0);
    const kind = Number.isNaN(value) ? 'bad' : isAllGood ? 'good' : 'uncertain';
    rows.push({ timeMs, value, min: numberOrNull(series.min[i]), max: numberOrNull(series.max[i]), kind });
  }
  return rows;
}

const numberOrNull = (value: number | undefined): number | null =>
  value === undefined || Number.isNaN(value) ? null : value;

/** Silence longer than this breaks the line of reduced data. Raw data may be sent on change only and is not broken. */
function silenceMs(series: Series, rows: Row[]): number {
  if (series.kind === 'raw' || rows.length < 3) return Number.POSITIVE_INFINITY;
  const steps = rows.slice(1).map((row, i) => row.timeMs - (rows[i]?.timeMs ?? 0));
  steps.sort((a, b) => a - b);
  const usual = steps[Math.floor(steps.length / 2)] ?? 0;
  return Math.max(5 * series.resolutionMs, 3 * usual);
}

/** Known to be missing: no line is drawn over it. */
export interface MissingSpan extends BadSpan {
  reason: string;
}

/** Where the line breaks: the beginning of each stretch that is missing and in which no sample lies. */
function breaksOf(rows: Row[], missing: MissingSpan[]): Map<Row, number> {
  const breaks = new Map<Row, number>();
  let at = 0;
  for (const span of [...missing].sort((a, b) => a.fromMs - b.fromMs)) {
    while (at + 1 < rows.length && (rows[at + 1]?.timeMs ?? 0) <= span.fromMs) at++;
    const [before, after] = [rows[at], rows[at + 1]];
    if (before === undefined || after === undefined || before.timeMs > span.fromMs) continue;
    // A bucket may reach a little into the stretch.
    const middle = (span.fromMs + span.toMs) / 2;
    if (after.timeMs > middle) breaks.set(after, Math.max(span.fromMs, before.timeMs + 1));
  }
  return breaks;
}

export function tagColumns(series: Series, missing: MissingSpan[] = []): TagColumns {
  const rows = rowsOf(series);
  const silence = silenceMs(series, rows);
  const breaks = breaksOf(rows, missing);
  const columns: TagColumns = { times: [], sure: [], doubtful: [], min: [], max: [], bad: [] };
  const push = (
    timeMs: number,
    sure: number | null,
    doubtful: number | null,
    min: number | null,
    max: number | null,
  ): void => {
    columns.times.push(timeMs);
    columns.sure.push(sure);
    columns.doubtful.push(doubtful);
    columns.min.push(min);
    columns.max.push(max);
  };
  rows.forEach((row, i) => {
    const before = rows[i - 1];
    const after = rows[i + 1];
    const breakMs = breaks.get(row);
    if (breakMs !== undefined) push(breakMs, null, null, null, null);
    else if (before !== undefined && row.timeMs - before.timeMs > silence)
      push(before.timeMs + silence / 5, null, null, null, null);
    if (row.kind === 'bad') {
      addBad(columns.bad, row.timeMs, after?.timeMs ?? row.timeMs + (row.timeMs - (before?.timeMs ?? row.timeMs)));
      push(row.timeMs, null, null, null, null);
      return;
    }
    // A dashed stretch reaches to its good neighbours, so that the line does not fall apart.
    const nextToDoubt = before?.kind === 'uncertain' || after?.kind === 'uncertain';
    const isSure = row.kind === 'good';
    push(row.timeMs, isSure ? row.value : null, !isSure || nextToDoubt ? row.value : null, row.min, row.max);
  });
  return columns;
}

function addBad(spans: BadSpan[], fromMs: number, toMs: number): void {
  const last = spans.at(-1);
  if (last !== undefined && last.toMs >= fromMs) last.toMs = toMs;
  else spans.push({ fromMs, toMs });
}

export interface Stats {
  min: number;
  max: number;
  mean: number;
  good: number | null;
}

/** Of what lies within the range; `good` is a share, null without samples. */
export function statsOf(series: Series, fromMs: number, toMs: number): Stats | null {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  let sum = 0;
  let weight = 0;
  let all = 0;
  let good = 0;
  for (let i = 0; i < series.times.length; i++) {
    const timeMs = series.times[i] ?? 0;
    if (timeMs < fromMs || timeMs >= toMs) continue;
    const isRaw = series.kind === 'raw';
    const count = isRaw ? 1 : (series.count[i] ?? 0);
    all += count;
    good += isRaw ? Number(qualityClass(series.qualities[i] ?? 0) === 'good') : (series.good[i] ?? 0);
    const value = (isRaw ? series.values[i] : series.mean[i]) ?? Number.NaN;
    if (Number.isNaN(value)) continue;
    min = Math.min(min, isRaw ? value : (series.min[i] ?? value));
    max = Math.max(max, isRaw ? value : (series.max[i] ?? value));
    sum += value * count;
    weight += count;
  }
  if (all === 0) return null;
  return {
    min: weight > 0 ? min : Number.NaN,
    max: weight > 0 ? max : Number.NaN,
    mean: weight > 0 ? sum / weight : Number.NaN,
    good: good / all,
  };
}

/** The newest value at or before `timeMs`; null before the first. */
export function valueAt(
  series: Series,
  timeMs: number,
): { value: number; min: number | null; max: number | null } | null {
  let low = 0;
  let high = series.times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((series.times[middle] ?? 0) <= timeMs) low = middle + 1;
    else high = middle;
  }
  const i = low - 1;
  if (i < 0) return null;
  if (series.kind === 'raw') return { value: series.values[i] ?? Number.NaN, min: null, max: null };
  return { value: series.mean[i] ?? Number.NaN, min: numberOrNull(series.min[i]), max: numberOrNull(series.max[i]) };
}

/** Moved by a share of its width. */
export function panned(range: { fromMs: number; toMs: number }, share: number): { fromMs: number; toMs: number } {
  const by = (range.toMs - range.fromMs) * share;
  return { fromMs: range.fromMs + by, toMs: range.toMs + by };
}

const spanMinMs = 1000;
const spanMaxMs = 20 * 365 * 86_400_000;

/** `factor` below 1 shows less; what lies at `atMs` stays where it is. */
export function zoomed(
  range: { fromMs: number; toMs: number },
  atMs: number,
  factor: number,
): { fromMs: number; toMs: number } {
  const span = range.toMs - range.fromMs;
  const wanted = Math.min(Math.max(span * factor, spanMinMs), spanMaxMs);
  const share = (atMs - range.fromMs) / span;
  return { fromMs: atMs - wanted * share, toMs: atMs + wanted * (1 - share) };
}
