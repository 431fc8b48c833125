import { describe, expect, it } from 'vitest';
import type { RawSeries, ReducedSeries } from './columns';
import {
  bucketsPerTile,
  cut,
  joined,
  lifeMs,
  missingRuns,
  reduceRaw,
  TileStore,
  tileResolution,
  tilesOf,
} from './tiles';

const raw = (times: number[], values = times.map(Number), qualities = times.map(() => 0)): RawSeries => ({
  kind: 'raw',
  path: 'a',
  type: 3,
  times: Float64Array.from(times),
  values: Float64Array.from(values),
  qualities: Uint32Array.from(qualities),
});

describe('tiles', () => {
  it('have at most a bucket for each pixel, on lengths that divide days', () => {
    expect(tileResolution(86_400_000, 1500)).toBe(60_000);
    expect(tileResolution(3_600_000, 1000)).toBe(5000);
    expect(tileResolution(3650 * 86_400_000, 1000)).toBe(7 * 86_400_000);
    expect(tileResolution(1, 1000)).toBe(1);
  });

  it('lie on a raster that does not move with the range', () => {
    const size = bucketsPerTile * 1000;
    expect(tilesOf({ fromMs: size * 3 + 5, toMs: size * 5 }, 1000)).toEqual({ resolutionMs: 1000, first: 3, last: 4 });
    expect(tilesOf({ fromMs: size * 3 + 900, toMs: size * 5 - 900 }, 1000)).toMatchObject({ first: 3, last: 4 });
  });

  it('are asked for only where they are missing, neighbours together', () => {
    const here = new Set([2, 3, 6]);
    const tiles = { resolutionMs: 1000, first: 0, last: 7 };
    expect(missingRuns(tiles, (index) => here.has(index))).toEqual([
      { first: 0, last: 1 },
      { first: 4, last: 5 },
      { first: 7, last: 7 },
    ]);
    expect(missingRuns(tiles, () => true)).toEqual([]);
  });

  it('stay true the longer the older they are; the one with now in it never', () => {
    expect(lifeMs(1000, 500)).toBe(0);
    expect(lifeMs(0, 10 * 86_400_000)).toBeGreaterThan(lifeMs(0, 3_600_000));
    const store = new TileStore();
    store.put('a', 1, raw([1]), 1000);
    expect(store.isFresh('a', 1, 2000, 1001)).toBe(false);
    store.put('a', 0, raw([1]), 7_200_000);
    expect(store.isFresh('a', 0, 3_600_000, 7_230_000)).toBe(true);
    expect(store.isFresh('a', 0, 3_600_000, 7_300_000)).toBe(false);
    expect(store.get('b', 0)).toBeNull();
  });

  it('keep samples that came to one answer apart, and put them together again', () => {
    const all = raw([1, 5, 9, 10, 12]);
    const parts = [cut(all, 0, 10), cut(all, 10, 20)];
    expect(parts.map((part) => [...part.times])).toEqual([
      [1, 5, 9],
      [10, 12],
    ]);
    expect(joined(parts, 5)).toEqual(all);
    expect(joined([], 5)).toBeNull();
  });

  it('turn samples to buckets beside a tile of buckets', () => {
    const bad = 0x80000000;
    const few = reduceRaw(raw([10, 12, 14, 21], [1, 5, 99, 7], [0, 0, bad, 0]), 10);
    expect([...few.times]).toEqual([10, 20]);
    expect([...few.max]).toEqual([5, 7]);
    expect([...few.mean]).toEqual([3, 7]);
    expect([...few.count]).toEqual([3, 1]);
    expect([...few.good]).toEqual([2, 1]);
    const next: ReducedSeries = { ...few, times: Float64Array.from([30, 40]) };
    const both = joined([raw([10, 12]), next], 10);
    expect(both?.kind).toBe('reduced');
    expect([...(both?.times ?? [])]).toEqual([10, 30, 40]);
  });

  it('puts the parts of a bucket together that is longer than a tile', () => {
    const hour = reduceRaw(raw([3_600_000, 3_700_000, 7_200_000], [2, 4, 7]), 3_600_000);
    const part = reduceRaw(raw([7_300_000, 7_400_000, 10_800_000], [9, 11, 1]), 3_600_000);
    const both = joined([hour, part], 60_000);
    if (both?.kind !== 'reduced') throw new Error('buckets are expected');
    expect([...both.times]).toEqual([3_600_000, 7_200_000, 10_800_000]);
    expect([...both.max]).toEqual([4, 11, 1]);
    expect([...both.min]).toEqual([2, 7, 1]);
    expect([...both.mean]).toEqual([3, 9, 1]);
    expect([...both.count]).toEqual([2, 3, 1]);
    expect(both.resolutionMs).toBe(3_600_000);
    expect([...hour.max]).toEqual([4, 7]);
  });
});
