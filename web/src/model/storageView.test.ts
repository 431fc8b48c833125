import { describe, expect, it } from 'vitest';
import type { NewRetentionRule, StorageDay } from '../api/dataTypes';
import { formatBytes } from './format';
import { ageOf, ageText, dayBars, fullKind, ruleProblem, ruleText, secondsOf } from './storageView';

const year = 365 * 86_400;
const rule = (part: Partial<NewRetentionRule>): NewRetentionRule => ({
  name: '',
  match: '**',
  position: 100,
  raw_age_s: null,
  raw_bytes: null,
  tiers: [],
  ...part,
});

describe('retention', () => {
  it('reads as people say it', () => {
    expect(ruleText(rule({ raw_age_s: 2 * year, tiers: [{ resolution_s: 60, age_s: null }] }), formatBytes)).toBe(
      'raw 2 years, 1 min for ever',
    );
    expect(ruleText(rule({ raw_bytes: 5e9 }), formatBytes)).toBe('raw for ever and at most 5.0 GB');
    expect(ageText(90 * 86_400)).toBe('90 days');
    expect(ageText(3600)).toBe('1 hour');
  });

  it('goes from seconds to units and back', () => {
    for (const seconds of [3600, 7 * 86_400, 30 * year]) expect(secondsOf(ageOf(seconds))).toBe(seconds);
  });

  it('knows what the server would refuse', () => {
    expect(ruleProblem(rule({}))).toBeNull();
    expect(ruleProblem(rule({ match: ' ' }))).not.toBeNull();
    expect(ruleProblem(rule({ raw_age_s: year, tiers: [{ resolution_s: 60, age_s: year }] }))).toContain('1 min');
    expect(ruleProblem(rule({ raw_age_s: year, tiers: [{ resolution_s: 60, age_s: 2 * year }] }))).toBeNull();
  });
});

describe('storage', () => {
  it('says when the disk is full only when it can be known', () => {
    const disk = { free: 1, total: 2, bytes_per_day: 1, hours_known: 100, full_at: null as string | null };
    const now = Date.parse('2026-01-01T00:00:00Z');
    expect(fullKind(disk, now)).toBe('never');
    expect(fullKind({ ...disk, hours_known: 1 }, now)).toBe('unknown');
    expect(fullKind({ ...disk, full_at: '2026-01-20T00:00:00Z' }, now)).toBe('soon');
    expect(fullKind({ ...disk, full_at: '2027-01-20T00:00:00Z' }, now)).toBe('later');
  });

  it('compares a month with a day by bytes for each day', () => {
    const day = (from: string, to: string, bytes: number): StorageDay => ({
      from,
      to,
      segments: 1,
      samples: 10,
      bytes,
      damaged_blocks: 0,
      cold: false,
    });
    const bars = dayBars([
      day('2026-01-01T00:00:00Z', '2026-02-02T00:00:00Z', 3200),
      day('2026-02-02T00:00:00Z', '2026-02-03T00:00:00Z', 200),
    ]);
    expect(bars.map((bar) => bar.height)).toEqual([0.5, 1]);
    expect(bars.map((bar) => bar.width)).toEqual([8, 1]);
  });
});
