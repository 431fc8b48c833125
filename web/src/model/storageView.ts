// The store as people ask for it: how long will the disk last, which day takes what, what does a rule do.

import type { NewRetentionRule, Storage, StorageDay } from '../api/dataTypes';
import { t } from './text';

const hourS = 3600;
const dayS = 86_400;
const yearS = 365 * dayS;

/** Units of ages as they are chosen, the coarsest first. */
export const ageUnits = [
  ['years', yearS],
  ['days', dayS],
  ['hours', hourS],
] as const;

export type AgeUnit = (typeof ageUnits)[number][0];

export interface Age {
  n: number;
  unit: AgeUnit;
}

/** The coarsest unit in which it is a whole number. */
export function ageOf(seconds: number): Age {
  for (const [unit, size] of ageUnits) if (seconds >= size && seconds % size === 0) return { n: seconds / size, unit };
  return { n: Math.round((seconds / hourS) * 100) / 100, unit: 'hours' };
}

export const secondsOf = (age: Age): number => age.n * (ageUnits.find(([unit]) => unit === age.unit)?.[1] ?? hourS);

export function ageText(seconds: number | null): string {
  if (seconds === null) return t('retention.forEver');
  const { n, unit } = ageOf(seconds);
  return t(`retention.${unit}`, { count: n });
}

export const tierLengths = [1, 60, 3600, 86_400] as const;

export const tierText = (seconds: number): string => t(`retention.tier${seconds}` as 'retention.tier1');

/** "Raw 2 years, 1 min for ever." */
export function ruleText(
  rule: Pick<NewRetentionRule, 'raw_age_s' | 'raw_bytes' | 'tiers'>,
  bytes: (n: number) => string,
): string {
  const raw = [t('retention.rawFor', { age: ageText(rule.raw_age_s) })];
  if (rule.raw_bytes !== null) raw.push(t('retention.atMost', { bytes: bytes(rule.raw_bytes) }));
  const tiers = rule.tiers.map((tier) =>
    t('retention.tierFor', { tier: tierText(tier.resolution_s), age: ageText(tier.age_s) }),
  );
  return [raw.join(' '), ...tiers].join(', ');
}

/** What the server would refuse: a tier that goes before the raw samples do. Null when all is well. */
export function ruleProblem(rule: NewRetentionRule): string | null {
  if (rule.match.trim() === '') return t('retention.noMatch');
  for (const tier of rule.tiers)
    if (tier.age_s !== null && (rule.raw_age_s === null || tier.age_s <= rule.raw_age_s))
      return t('retention.tierTooShort', { tier: tierText(tier.resolution_s) });
  return null;
}

export type FullKind = 'unknown' | 'never' | 'soon' | 'later';

const soonMs = 30 * dayS * 1000;
/** Less than this is no basis for a forecast. */
const hoursMin = 3;

export function fullKind(disk: Storage['disk'], nowMs: number): FullKind {
  if (disk.full_at !== null) return Date.parse(disk.full_at) - nowMs < soonMs ? 'soon' : 'later';
  return disk.hours_known < hoursMin ? 'unknown' : 'never';
}

export interface DayBar {
  day: StorageDay;
  /** Of the tallest. */
  height: number;
  /** A partition of many days is as wide as they are many, up to a bound. */
  width: number;
  bytesPerValue: number | null;
}

const daysWideMax = 8;

/** Bars are as tall as their bytes for each day, so that months and days can be compared. */
export function dayBars(days: StorageDay[]): DayBar[] {
  const lengths = days.map((day) =>
    Math.max(1, Math.round((Date.parse(day.to) - Date.parse(day.from)) / (dayS * 1000))),
  );
  const daily = days.map((day, i) => day.bytes / (lengths[i] ?? 1));
  const most = Math.max(1, ...daily);
  return days.map((day, i) => ({
    day,
    height: (daily[i] ?? 0) / most,
    width: Math.min(daysWideMax, lengths[i] ?? 1),
    bytesPerValue: day.samples > 0 ? day.bytes / day.samples : null,
  }));
}
