import { describe, expect, it } from 'vitest';
import type { Completeness, Missing } from '../api/dataTypes';
import { aggregateParams, aggregatesOf, axisKey, columnsFor } from './aggregates';
import type { RawSeries } from './columns';
import { missingSpans, receivedShare, stateSums, stripPieces } from './missing';
import { tagColumns } from './trendData';

const at = (seconds: number): string => new Date(seconds * 1000).toISOString();
const missing = (from: number, to: number, part: Partial<Missing> = {}): Missing => ({
  from: at(from),
  to: at(to),
  reason: 'link',
  samples: 10,
  exact: true,
  ...part,
});
const completeness = (list: Missing[]): Completeness => ({
  samples: 90,
  good: 1,
  uncertain: 0,
  bad: 0,
  expected: 100,
  missing: list,
});

describe('what is missing', () => {
  it('lies in the strip where it lies in time', () => {
    const pieces = stripPieces(completeness([missing(-50, 25), missing(50, 75), missing(200, 300)]), {
      fromMs: 0,
      toMs: 100_000,
    });
    expect(pieces.map(({ left, width }) => [left, width])).toEqual([
      [0, 0.25],
      [0.5, 0.25],
    ]);
    expect(pieces[0]?.text).toContain('75 s');
    expect(receivedShare(completeness([]))).toBe(0.9);
    expect(receivedShare({ ...completeness([]), expected: null })).toBeNull();
  });

  it('is not drawn over: the line ends where it begins', () => {
    const series: RawSeries = {
      kind: 'raw',
      path: 'a',
      type: 3,
      times: Float64Array.from([1000, 2000, 9000, 10_000]),
      values: Float64Array.from([1, 2, 3, 4]),
      qualities: new Uint32Array(4),
    };
    const spans = missingSpans(completeness([missing(3, 9), missing(0, 100, { exact: false })]));
    expect(tagColumns(series, spans).sure).toEqual([1, 2, null, 3, 4]);
    expect(tagColumns(series, spans).times[2]).toBe(3000);
    expect(tagColumns(series).sure).toEqual([1, 2, 3, 4]);
    // A sample in the middle is there, whatever is said of its neighbourhood.
    expect(tagColumns(series, missingSpans(completeness([missing(0.5, 2.5)]))).sure).toEqual([1, 2, 3, 4]);
  });

  it('sums states over buckets', () => {
    const sums = stateSums([
      [
        { value: true, seconds: 30, count: 1 },
        { value: false, seconds: 10, count: 1 },
      ],
      [{ value: false, seconds: 60, count: 2 }],
    ]);
    expect(sums).toEqual([
      { text: 'off', seconds: 70, count: 3, share: 0.7 },
      { text: 'on', seconds: 30, count: 1, share: 0.3 },
    ]);
  });
});

describe('aggregates of pens', () => {
  it('live in the address, by path', () => {
    const chosen = aggregatesOf(['twa:a/b:c', 'mode:x', 'mean:y']);
    expect([...chosen]).toEqual([['a/b:c', 'twa']]);
    expect(aggregateParams(chosen)).toEqual(['twa:a/b:c']);
  });

  it('ask for the band only where it fits', () => {
    expect(columnsFor('mean')).toBeNull();
    expect(columnsFor('twa')).toEqual(['twa', 'min', 'max', 'count', 'good']);
    expect(columnsFor('min')).toEqual(['min', 'max', 'count', 'good']);
    expect(columnsFor('rate')).toEqual(['rate', 'count', 'good']);
  });

  it('get an axis of their own when they are on another scale', () => {
    expect(axisKey('mean', 'Cel')).toBe(axisKey('twa', 'Cel'));
    expect(axisKey('std', 'Cel')).not.toBe(axisKey('mean', 'Cel'));
    expect(axisKey('rate', 'L')).toBe('perSecond L/s');
  });
});
