// History in tiles: aligned stretches of one resolution, so that a pan or a zoom asks only for what is not here yet.
//
//   range      |        ................         |
//   tiles   |  0  |  1  |  2  |  3  |  4  |         256 buckets each, at whole multiples since 1970
//   here          |  x  |  x  |
//   asked                     |  3  |               one request for neighbours that are missing

import type { RawSeries, ReducedSeries, Series } from './columns';
import { qualityClass } from './quality';
import type { TimeRange } from './timeRange';

export const bucketsPerTile = 256;
const tilesMax = 6000;
/** Neighbours are asked for together, but not so many that the answer keeps the screen waiting. */
const runTilesMax = 24;

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

// The steps that the server takes by itself: samples come while there are few, and then buckets of the same length.
const ladderMs = [
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500],
  ...[1, 2, 5, 10, 15, 30].map((n) => n * second),
  ...[1, 2, 5, 10, 15, 30].map((n) => n * minute),
  ...[1, 2, 3, 6, 12].map((n) => n * hour),
  ...[1, 2, 7, 14, 28, 364].map((n) => n * day),
];

/** The finest length of a bucket with at most one bucket for each pixel. */
export function tileResolution(spanMs: number, width: number): number {
  const wanted = spanMs / Math.max(width, 1);
  return ladderMs.find((length) => length >= wanted) ?? 364 * day;
}

export const tileMs = (resolutionMs: number): number => resolutionMs * bucketsPerTile;

export interface Tiles {
  resolutionMs: number;
  first: number;
  last: number;
}

export function tilesOf(range: TimeRange, resolutionMs: number): Tiles {
  const size = tileMs(resolutionMs);
  return {
    resolutionMs,
    first: Math.floor(range.fromMs / size),
    last: Math.max(Math.floor(range.fromMs / size), Math.ceil(range.toMs / size) - 1),
  };
}

export interface Run {
  first: number;
  last: number;
}

/** Neighbouring tiles that are missing, put together. */
export function missingRuns(tiles: Tiles, isHere: (index: number) => boolean): Run[] {
  const runs: Run[] = [];
  for (let index = tiles.first; index <= tiles.last; index++) {
    if (isHere(index)) continue;
    const before = runs.at(-1);
    if (before !== undefined && before.last === index - 1 && index - before.first < runTilesMax) before.last = index;
    else runs.push({ first: index, last: index });
  }
  return runs;
}

/** How long a tile stays true. Late samples change what is past, seldom and the seldomer the older it is. */
export function lifeMs(tileEndMs: number, nowMs: number): number {
  const age = nowMs - tileEndMs;
  if (age < 0) return 0;
  return age < minute ? 5 * second : age < day ? minute : 10 * minute;
}

interface Kept {
  series: Series;
  readMs: number;
}

/** Tiles of all tags by key and index; the longest unused leave first. */
export class TileStore {
  private readonly tiles = new Map<string, Kept>();

  get(key: string, index: number): Series | null {
    const id = `${index} ${key}`;
    const kept = this.tiles.get(id);
    if (kept === undefined) return null;
    // A map remembers the order of insertion: what is used moves to the end.
    this.tiles.delete(id);
    this.tiles.set(id, kept);
    return kept.series;
  }

  isFresh(key: string, index: number, tileEndMs: number, nowMs: number): boolean {
    const kept = this.tiles.get(`${index} ${key}`);
    return kept !== undefined && nowMs - kept.readMs < lifeMs(Math.min(tileEndMs, kept.readMs + 1), kept.readMs);
  }

  put(key: string, index: number, series: Series, readMs: number): void {
    const id = `${index} ${key}`;
    this.tiles.delete(id);
    this.tiles.set(id, { series, readMs });
    for (const oldest of this.tiles.keys()) {
      if (this.tiles.size <= tilesMax) break;
      this.tiles.delete(oldest);
    }
  }

  clear(): void {
    this.tiles.clear();
  }
}

function lowerBound(times: Float64Array, ms: number): number {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((times[middle] ?? 0) < ms) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** What lies in the tile, of an answer that may hold several. */
export function cut(series: Series, fromMs: number, toMs: number): Series {
  const [a, b] = [lowerBound(series.times, fromMs), lowerBound(series.times, toMs)];
  if (series.kind === 'raw')
    return {
      ...series,
      times: series.times.slice(a, b),
      values: series.values.slice(a, b),
      qualities: series.qualities.slice(a, b),
    };
  return {
    ...series,
    times: series.times.slice(a, b),
    min: series.min.slice(a, b),
    max: series.max.slice(a, b),
    first: series.first.slice(a, b),
    last: series.last.slice(a, b),
    mean: series.mean.slice(a, b),
    count: series.count.slice(a, b),
    good: series.good.slice(a, b),
  };
}

function concatFloats(parts: Float64Array[]): Float64Array {
  const all = new Float64Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function concatCounts(parts: Uint32Array[]): Uint32Array {
  const all = new Uint32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Samples as buckets, where a neighbouring tile has buckets: a tile with few samples comes as they are. */
export function reduceRaw(raw: RawSeries, resolutionMs: number): ReducedSeries {
  const starts: number[] = [];
  const rows: {
    min: number;
    max: number;
    first: number;
    last: number;
    sum: number;
    n: number;
    all: number;
    good: number;
  }[] = [];
  raw.times.forEach((time, i) => {
    const start = Math.floor(time / resolutionMs) * resolutionMs;
    if (starts.at(-1) !== start) {
      starts.push(start);
      rows.push({
        min: Number.NaN,
        max: Number.NaN,
        first: Number.NaN,
        last: Number.NaN,
        sum: 0,
        n: 0,
        all: 0,
        good: 0,
      });
    }
    const row = rows.at(-1);
    if (row === undefined) return;
    const value = raw.values[i] ?? Number.NaN;
    const kind = qualityClass(raw.qualities[i] ?? 0);
    row.all++;
    if (kind === 'good') row.good++;
    if (kind === 'bad' || Number.isNaN(value)) return;
    row.min = row.n === 0 ? value : Math.min(row.min, value);
    row.max = row.n === 0 ? value : Math.max(row.max, value);
    if (row.n === 0) row.first = value;
    row.last = value;
    row.sum += value;
    row.n++;
  });
  const of = (get: (row: (typeof rows)[number]) => number): Float64Array => Float64Array.from(rows, get);
  return {
    kind: 'reduced',
    path: raw.path,
    type: raw.type,
    resolutionMs,
    times: Float64Array.from(starts),
    min: of((row) => row.min),
    max: of((row) => row.max),
    first: of((row) => row.first),
    last: of((row) => row.last),
    mean: of((row) => (row.n > 0 ? row.sum / row.n : Number.NaN)),
    count: Uint32Array.from(rows, (row) => row.all),
    good: Uint32Array.from(rows, (row) => row.good),
  };
}

/** A bucket that is longer than a tile comes in parts: the later part goes into the earlier one. */
function bordersMerged(parts: ReducedSeries[]): ReducedSeries[] {
  const merged: ReducedSeries[] = [];
  for (const part of parts) {
    const before = merged.at(-1);
    const last = (before?.times.length ?? 0) - 1;
    if (before === undefined || last < 0 || part.times.length === 0 || before.times[last] !== part.times[0]) {
      if (part.times.length > 0) merged.push(part);
      continue;
    }
    merged[merged.length - 1] = withRest(before, last, part);
    if (part.times.length > 1)
      merged.push(cut(part, (part.times[0] ?? 0) + 0.001, Number.POSITIVE_INFINITY) as ReducedSeries);
  }
  return merged;
}

const known = (values: number[]): number[] => values.filter((value) => !Number.isNaN(value));

function withRest(before: ReducedSeries, last: number, rest: ReducedSeries): ReducedSeries {
  const of = (key: 'min' | 'max' | 'mean' | 'last' | 'count' | 'good'): [number, number] => [
    before[key][last] ?? Number.NaN,
    rest[key][0] ?? Number.NaN,
  ];
  const one = cut(before, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY) as ReducedSeries;
  const [countA, countB] = of('count');
  const [meanA, meanB] = of('mean');
  const both = !Number.isNaN(meanA) && !Number.isNaN(meanB);
  one.min[last] = known(of('min')).length === 0 ? Number.NaN : Math.min(...known(of('min')));
  one.max[last] = known(of('max')).length === 0 ? Number.NaN : Math.max(...known(of('max')));
  one.mean[last] = both
    ? (meanA * countA + meanB * countB) / (countA + countB)
    : (known([meanA, meanB])[0] ?? Number.NaN);
  one.last[last] = known(of('last')).at(-1) ?? Number.NaN;
  one.count[last] = countA + countB;
  one.good[last] = of('good')[0] + of('good')[1];
  return one;
}

/** Tiles side by side as one series: samples if all have samples, else buckets. Null without tiles. */
export function joined(parts: Series[], resolutionMs: number): Series | null {
  const first = parts[0];
  if (first === undefined) return null;
  const raws = parts.filter((part) => part.kind === 'raw');
  if (raws.length === parts.length)
    return {
      ...(first as RawSeries),
      times: concatFloats(raws.map((it) => it.times)),
      values: concatFloats(raws.map((it) => it.values)),
      qualities: concatCounts(raws.map((it) => it.qualities)),
    };
  const reduced = bordersMerged(parts.map((part) => (part.kind === 'raw' ? reduceRaw(part, resolutionMs) : part)));
  return {
    kind: 'reduced',
    path: first.path,
    type: first.type,
    resolutionMs: Math.max(resolutionMs, ...parts.map((it) => (it.kind === 'raw' ? 0 : it.resolutionMs))),
    times: concatFloats(reduced.map((it) => it.times)),
    min: concatFloats(reduced.map((it) => it.min)),
    max: concatFloats(reduced.map((it) => it.max)),
    first: concatFloats(reduced.map((it) => it.first)),
    last: concatFloats(reduced.map((it) => it.last)),
    mean: concatFloats(reduced.map((it) => it.mean)),
    count: concatCounts(reduced.map((it) => it.count)),
    good: concatCounts(reduced.map((it) => it.good)),
  };
}
