import { describe, expect, it } from 'vitest';
import type { RawSeries, ReducedSeries } from './columns';
import { panned, statsOf, tagColumns, valueAt, zoomed } from './trendData';

const raw = (rows: [number, number, number][]): RawSeries => ({
  kind: 'raw',
  path: 'a',
  type: 3,
  times: Float64Array.from(rows, (row) => row[0]),
  values: Float64Array.from(rows, (row) => row[1]),
  qualities: Uint32Array.from(rows, (row) => row[2]),
});
const reduced = (rows: [number, number, number, number][]): ReducedSeries => {
  const means = Float64Array.from(rows, (row) => row[1]);
  return {
    kind: 'reduced',
    path: 'a',
    type: 3,
    resolutionMs: 10,
    times: Float64Array.from(rows, (row) => row[0]),
    mean: means,
    first: means,
    last: means,
    min: means.map((mean) => mean - 1),
    max: means.map((mean) => mean + 1),
    count: Uint32Array.from(rows, (row) => row[2]),
    good: Uint32Array.from(rows, (row) => row[3]),
  };
};
const uncertain = 0x40000000;
const bad = 0x80000000;

describe('tagColumns', () => {
  it('breaks the line at bad samples and says from when to when', () => {
    const columns = tagColumns(
      raw([
        [0, 1, 0],
        [10, 2, bad],
        [20, Number.NaN, 0],
        [30, 4, 0],
      ]),
    );
    expect(columns.sure).toEqual([1, null, null, 4]);
    expect(columns.bad).toEqual([{ fromMs: 10, toMs: 30 }]);
  });

  it('draws doubtful samples dashed, joined to their good neighbours', () => {
    const columns = tagColumns(
      raw([
        [0, 1, 0],
        [10, 2, 0],
        [20, 3, uncertain],
        [30, 4, 0],
      ]),
    );
    expect(columns.sure).toEqual([1, 2, null, 4]);
    expect(columns.doubtful).toEqual([null, 2, 3, 4]);
  });

  it('counts a bucket as doubtful unless all of it is good', () => {
    const columns = tagColumns(
      reduced([
        [0, 1, 10, 10],
        [10, 2, 10, 7],
        [20, 3, 10, 10],
      ]),
    );
    expect(columns.sure).toEqual([1, null, 3]);
    expect([columns.min[0], columns.max[0]]).toEqual([0, 2]);
  });

  it('breaks reduced data where nothing came for long', () => {
    const columns = tagColumns(
      reduced([
        [0, 1, 1, 1],
        [10, 1, 1, 1],
        [20, 1, 1, 1],
        [500, 1, 1, 1],
      ]),
    );
    expect(columns.times.length).toBe(5);
    expect(columns.sure[3]).toBeNull();
  });
});

describe('statsOf and valueAt', () => {
  it('look only at what is within the range', () => {
    const series = raw([
      [0, 100, 0],
      [10, 2, 0],
      [20, 4, uncertain],
      [30, 100, 0],
    ]);
    expect(statsOf(series, 10, 30)).toEqual({ min: 2, max: 4, mean: 3, good: 0.5 });
    expect(statsOf(series, 40, 50)).toBeNull();
  });

  it('find the newest value at or before a time', () => {
    const series = raw([
      [0, 1, 0],
      [10, 2, 0],
    ]);
    expect([valueAt(series, -1), valueAt(series, 9)?.value, valueAt(series, 10)?.value]).toEqual([null, 1, 2]);
  });
});

describe('moving', () => {
  it('keeps the width when panned and the anchor when zoomed', () => {
    expect(panned({ fromMs: 0, toMs: 100 }, 0.5)).toEqual({ fromMs: 50, toMs: 150 });
    expect(zoomed({ fromMs: 0, toMs: 10_000 }, 2500, 0.5)).toEqual({ fromMs: 1250, toMs: 6250 });
  });

  it('never zooms to nothing', () => {
    const range = zoomed({ fromMs: 0, toMs: 2000 }, 1000, 0.0001);
    expect(range.toMs - range.fromMs).toBe(1000);
  });
});
