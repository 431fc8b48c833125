// Data quality as people ask for it: what is wrong with this branch, and where is the worst stretch of this tag.

import type { Missing, QualityItem } from '../api/dataTypes';
import { formatAge, formatShare } from './format';
import { t } from './text';
import type { TimeRange } from './timeRange';

export interface Crumb {
  name: string;
  prefix: string;
}

/** From the whole plant down to the branch that is shown. */
export function crumbsOf(prefix: string): Crumb[] {
  const names = prefix === '' ? [] : prefix.split('/');
  return names.map((name, i) => ({ name, prefix: names.slice(0, i + 1).join('/') }));
}

/** Whether it can be gone into, as opposed to looked at in a trend. */
export const isBranch = (item: QualityItem): boolean => item.kind !== 'tag';

export const shareMissing = (item: QualityItem): number | null =>
  item.expected === null || item.expected === 0 ? null : Math.min(1, item.missing / item.expected);

/** A clock that is off by more than this is told of; less is the way of networks. */
const skewShownS = 2;

/** What is wrong, worst first, in words. Empty when all is well. */
export function complaintsOf(item: QualityItem): string[] {
  const found: [number, string][] = [];
  const add = (badness: number, text: string): void => {
    if (badness > 0) found.push([badness, text]);
  };
  const missing = shareMissing(item);
  if (item.silent > 0 && item.kind === 'tag') add(1, t('dataQuality.silentTag'));
  else add(item.silent / Math.max(item.tags, 1), t('dataQuality.silentTags', { count: item.silent }));
  if (missing !== null) add(missing, t('dataQuality.missingText', { share: formatShare(missing) }));
  add(item.bad, t('dataQuality.badText', { share: formatShare(item.bad) }));
  add(item.late ?? 0, t('dataQuality.lateText', { share: formatShare(item.late) }));
  if (item.stuck > 0) {
    const time = formatAge((item.stuck_s ?? 0) * 1000);
    const text =
      item.kind === 'tag' ? t('dataQuality.stuckTag', { time }) : t('dataQuality.stuckTags', { count: item.stuck });
    add(item.stuck / Math.max(item.tags, 1), text);
  }
  add(item.out_of_range, t('dataQuality.rangeText', { share: formatShare(item.out_of_range) }));
  const skew = Math.abs(item.clock_skew_s ?? 0);
  if (skew >= skewShownS) add(Math.min(1, skew / 600), skewText(item.clock_skew_s ?? 0));
  if (item.refused > 0)
    add(item.refused / (item.refused + item.samples), t('dataQuality.refusedText', { count: item.refused }));
  if (item.damaged_blocks > 0) add(0.5, t('dataQuality.damagedText', { count: item.damaged_blocks }));
  add(item.uncertain / 2, t('dataQuality.uncertainText', { share: formatShare(item.uncertain) }));
  return found.sort(([a], [b]) => b - a).map(([, text]) => text);
}

/** Positive: what arrives is old, or the source's clock is behind. Negative: it is ahead. */
export function skewText(seconds: number): string {
  const time = formatAge(Math.abs(seconds) * 1000);
  return seconds < 0 ? t('dataQuality.clockAhead', { time }) : t('dataQuality.clockBehind', { time });
}

const marginShare = 0.5;

/** The longest stretch that is missing, with some room around it; null when nothing is. */
export function worstStretch(missing: Missing[], whole: TimeRange): TimeRange | null {
  let worst: TimeRange | null = null;
  for (const one of missing) {
    // What retention took away is not a fault of anyone.
    if (one.reason === 'expired') continue;
    const stretch = { fromMs: Date.parse(one.from), toMs: Date.parse(one.to) };
    if (worst === null || stretch.toMs - stretch.fromMs > worst.toMs - worst.fromMs) worst = stretch;
  }
  if (worst === null) return null;
  const margin = Math.max((worst.toMs - worst.fromMs) * marginShare, 30_000);
  return { fromMs: Math.max(whole.fromMs, worst.fromMs - margin), toMs: Math.min(whole.toMs, worst.toMs + margin) };
}
