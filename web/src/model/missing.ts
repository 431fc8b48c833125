// What is missing of the shown tags and why, laid out under the chart.

import type { Completeness, Missing, MissingReason, StateTime } from '../api/dataTypes';
import type { Scalar } from '../api/types';
import { formatAge, formatTime, formatValue } from './format';
import { t } from './text';
import type { TimeRange } from './timeRange';
import type { MissingSpan } from './trendData';

/** Worst first: what can still be acted upon before what is past. */
export const reasons: MissingReason[] = ['damaged', 'refused', 'link', 'device', 'server', 'unknown', 'expired'];

export interface StripPiece {
  /** Shares of the range. */
  left: number;
  width: number;
  reason: MissingReason;
  text: string;
}

/** Narrower ones would not be seen. */
const widthMin = 0.002;

function textOf(one: Missing): string {
  const length = formatAge(Date.parse(one.to) - Date.parse(one.from));
  const samples = one.samples === null ? '' : ` ${t('missing.samples', { count: one.samples })}`;
  const exact = one.exact ? '' : ` ${t('missing.somewhere')}`;
  return `${t(`missing.text.${one.reason}`)} ${formatTime(one.from)} – ${formatTime(one.to)} (${length}).${samples}${exact}`;
}

export function stripPieces(completeness: Completeness | undefined, range: TimeRange): StripPiece[] {
  const span = range.toMs - range.fromMs;
  return (completeness?.missing ?? []).flatMap((one) => {
    const from = Math.max(range.fromMs, Date.parse(one.from));
    const to = Math.min(range.toMs, Date.parse(one.to));
    if (to <= from) return [];
    const left = (from - range.fromMs) / span;
    const width = Math.min(1 - left, Math.max(widthMin, (to - from) / span));
    return [{ left, width, reason: one.reason, text: textOf(one) }];
  });
}

/** Where no line may be drawn. What is missing somewhere, without a place, breaks nothing. */
export function missingSpans(completeness: Completeness | undefined): MissingSpan[] {
  return (completeness?.missing ?? [])
    .filter((one) => one.exact)
    .map((one) => ({ fromMs: Date.parse(one.from), toMs: Date.parse(one.to), reason: one.reason }));
}

/** "99.2 % of what was expected", or that nothing is known of it. */
export function receivedShare(completeness: Completeness | undefined): number | null {
  const expected = completeness?.expected;
  if (completeness === undefined || expected === null || expected === undefined || expected === 0) return null;
  return Math.min(1, completeness.samples / expected);
}

export interface StateSum {
  text: string;
  seconds: number;
  count: number;
  share: number;
}

/** States of all buckets put together, the longest first. */
export function stateSums(buckets: StateTime[][]): StateSum[] {
  const sums = new Map<Scalar, { seconds: number; count: number }>();
  for (const state of buckets.flat()) {
    const sum = sums.get(state.value) ?? { seconds: 0, count: 0 };
    sum.seconds += state.seconds;
    sum.count += state.count;
    sums.set(state.value, sum);
  }
  const all = [...sums.values()].reduce((total, sum) => total + sum.seconds, 0);
  return [...sums]
    .map(([value, sum]) => ({ text: formatValue(value), ...sum, share: all > 0 ? sum.seconds / all : 0 }))
    .sort((a, b) => b.seconds - a.seconds);
}
