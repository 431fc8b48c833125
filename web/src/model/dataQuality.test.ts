import { describe, expect, it } from 'vitest';
import type { LedgerHour, LedgerSource, QualityItem } from '../api/dataTypes';
import { complaintsOf, crumbsOf, worstStretch } from './dataQuality';
import { cellKind, hourStrips, linesOf, upTo } from './ledgerView';

const item = (part: Partial<QualityItem>): QualityItem => ({
  path: 'a/b',
  kind: 'tag',
  tags: 1,
  samples: 1000,
  badness: 0,
  silent: 0,
  missing: 0,
  expected: 1000,
  missing_s: 0,
  bad: 0,
  uncertain: 0,
  late: 0,
  out_of_order: 0,
  stuck: 0,
  stuck_s: null,
  out_of_range: 0,
  clock_skew_s: 0,
  refused: 0,
  damaged_blocks: 0,
  last_time: null,
  ...part,
});

describe('quality of data', () => {
  it('has nothing to say of what is well', () => {
    expect(complaintsOf(item({ clock_skew_s: 0.8 }))).toEqual([]);
  });

  it('names what is wrong, worst first', () => {
    expect(complaintsOf(item({ missing: 100, bad: 0.4, stuck: 1, stuck_s: 7200 }))).toEqual([
      'stuck for 2 h',
      '40.0 % bad',
      '10.0 % missing',
    ]);
    expect(complaintsOf(item({ clock_skew_s: -60 }))).toEqual(['clock 60 s ahead']);
    expect(complaintsOf(item({ kind: 'device', tags: 4, silent: 2 }))).toEqual(['2 tags silent']);
  });

  it('knows the way back up', () => {
    expect(crumbsOf('')).toEqual([]);
    expect(crumbsOf('Acme/Lyon')).toEqual([
      { name: 'Acme', prefix: 'Acme' },
      { name: 'Lyon', prefix: 'Acme/Lyon' },
    ]);
  });

  it('finds the worst stretch and shows what is around it', () => {
    const whole = { fromMs: Date.parse('2026-01-01T00:00:00Z'), toMs: Date.parse('2026-01-02T00:00:00Z') };
    const missing = (from: string, to: string, reason: 'link' | 'expired') => ({
      from: `2026-01-01T${from}:00Z`,
      to: `2026-01-01T${to}:00Z`,
      reason,
      samples: 1,
      exact: true,
    });
    const found = worstStretch(
      [missing('00:00', '09:00', 'expired'), missing('10:00', '10:10', 'link'), missing('23:00', '23:50', 'link')],
      whole,
    );
    expect(found).toEqual({ fromMs: Date.parse('2026-01-01T22:35:00Z'), toMs: whole.toMs });
    expect(worstStretch([missing('00:00', '09:00', 'expired')], whole)).toBeNull();
  });
});

describe('the ledger', () => {
  const source: LedgerSource = {
    source: 'mqtt/filler',
    complete: false,
    samples: 100,
    last_heard: null,
    presence: 'connected',
    presence_since: null,
    refused: 0,
    own_missing: 2,
    streams: [
      {
        shard: 0,
        assigned_to: 100,
        complete_to: 40,
        holes: [[41, 44]],
        holes_more: 0,
        own: [{ device: 'filler', since: '', complete_to: 9, highest: 20, missing: 2, holes: [[10, 11]] }],
      },
    ],
  };

  it('answers whether everything up to n is stored', () => {
    const [given, own] = linesOf(source);
    if (given === undefined || own === undefined) throw new Error('two lines of numbers are expected');
    expect(upTo(given, 40)).toEqual({ isStored: true, missing: 0, firstMissing: null, isAhead: false });
    expect(upTo(given, 42)).toEqual({ isStored: false, missing: 2, firstMissing: 41, isAhead: false });
    expect(upTo(given, 100)).toMatchObject({ isStored: false, missing: 4, firstMissing: 41 });
    expect(upTo({ ...given, completeTo: 100, holes: [] }, 101)).toEqual({
      isStored: false,
      missing: 0,
      firstMissing: 101,
      isAhead: true,
    });
    expect(own.device).toBe('filler');
    expect(upTo(own, 9).isStored).toBe(true);
    // More holes than are told: nothing above what is surely complete is promised.
    expect(upTo({ ...given, holes: [], holesMore: 3 }, 60)).toMatchObject({ isStored: false, firstMissing: 41 });
  });

  it('puts shards together hour by hour and shows hours without data', () => {
    const at = Date.parse('2026-01-01T05:00:00Z');
    const hour = (h: string, part: Partial<LedgerHour>): LedgerHour => ({
      hour: `2026-01-01T${h}:00:00Z`,
      source: 'mqtt/filler',
      shard: 0,
      assigned: 10,
      stored: 10,
      ranges: [],
      refused: [],
      ...part,
    });
    const items = [
      hour('01', {}),
      hour('01', { shard: 1, stored: 8 }),
      hour('02', { refused: [{ device: '', reason: 'full', count: 3, first: '', last: '' }] }),
      hour('04', {}),
    ];
    const up = [
      { from: '2026-01-01T00:30:00Z', until: '2026-01-01T03:00:00Z' },
      { from: '2026-01-01T04:00:00Z', until: '2026-01-01T05:00:00Z' },
    ];
    const strip = hourStrips(items, at - 5 * 3_600_000, at, up, at).get('mqtt/filler') ?? [];
    expect(strip.map(cellKind)).toEqual(['empty', 'open', 'refused', 'down', 'whole']);
    expect(strip.map((cell) => cell.up)).toEqual(['part', 'all', 'all', 'none', 'all']);
    expect(strip[1]).toMatchObject({ assigned: 20, stored: 18 });
  });
});
