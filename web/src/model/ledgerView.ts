// The ledger as it is asked: is everything of this source up to n stored, and how did the hours go.

import type { LedgerHour, LedgerSource, NumberRange } from '../api/dataTypes';

export interface NumberLine {
  key: string;
  /** The device's own numbers, or those that shard gave. */
  device: string | null;
  shard: number;
  highest: number;
  completeTo: number;
  holes: NumberRange[];
  holesMore: number;
}

/** Every line of numbers of a source: those the house gave, then those that devices count themselves. */
export function linesOf(source: LedgerSource): NumberLine[] {
  const given = source.streams.map(
    (stream): NumberLine => ({
      key: `shard ${stream.shard}`,
      device: null,
      shard: stream.shard,
      highest: stream.assigned_to,
      completeTo: stream.complete_to,
      holes: stream.holes,
      holesMore: stream.holes_more,
    }),
  );
  const own = source.streams.flatMap((stream) =>
    stream.own.map(
      (it): NumberLine => ({
        key: `own ${stream.shard} ${it.device} ${it.since}`,
        device: it.device,
        shard: stream.shard,
        highest: it.highest,
        completeTo: it.complete_to,
        holes: it.holes,
        holesMore: 0,
      }),
    ),
  );
  return [...given, ...own];
}

export interface UpTo {
  isStored: boolean;
  /** How many of 1 … n are not; those not given yet are not counted. */
  missing: number;
  firstMissing: number | null;
  /** n is higher than any number there has been. */
  isAhead: boolean;
}

/** "Is everything up to n stored?" */
export function upTo(line: NumberLine, n: number): UpTo {
  const below = line.holes.filter(([first]) => first <= n);
  const missing = below.reduce((sum, [first, last]) => sum + Math.min(last, n) - first + 1, 0);
  const isAhead = n > line.highest;
  const beyond = isAhead ? line.highest + 1 : null;
  // The list of holes ends somewhere; up to complete_to there is none in any case.
  const isStored = n <= line.completeTo || (!isAhead && below.length === 0 && line.holesMore === 0);
  const firstMissing = isStored ? null : (below[0]?.[0] ?? (line.completeTo < n ? line.completeTo + 1 : beyond));
  return { isStored, missing, firstMissing, isAhead };
}

export interface HourCell {
  hourMs: number;
  assigned: number;
  stored: number;
  refused: number;
  /** Lineshaft was running for the whole hour, part of it, or not at all. */
  up: 'all' | 'part' | 'none';
}

export const hourMs = 3_600_000;
export const cellsMax = 24 * 31;

type Up = { from: string; until: string }[];

function upIn(fromMs: number, toMs: number, up: Up): HourCell['up'] {
  let covered = 0;
  for (const one of up)
    covered += Math.max(0, Math.min(toMs, Date.parse(one.until)) - Math.max(fromMs, Date.parse(one.from)));
  // A restart of a second does not make an hour a bad one.
  return covered >= (toMs - fromMs) * 0.98 ? 'all' : covered > 0 ? 'part' : 'none';
}

/** A cell for each hour of the range, also for those in which nothing came; the shards of a source are put together. */
export function hourStrips(
  items: LedgerHour[],
  fromMs: number,
  toMs: number,
  up: Up,
  nowMs: number,
): Map<string, HourCell[]> {
  const first = Math.floor(fromMs / hourMs) * hourMs;
  const count = Math.min(cellsMax, Math.max(1, Math.ceil((toMs - first) / hourMs)));
  const ups = Array.from({ length: count }, (_, i) => {
    const start = first + i * hourMs;
    return upIn(start, Math.min(start + hourMs, Math.max(nowMs, start + 1)), up);
  });
  const strips = new Map<string, HourCell[]>();
  for (const item of items) {
    let strip = strips.get(item.source);
    if (strip === undefined) {
      strip = ups.map((it, i) => ({ hourMs: first + i * hourMs, assigned: 0, stored: 0, refused: 0, up: it }));
      strips.set(item.source, strip);
    }
    const cell = strip[Math.round((Date.parse(item.hour) - first) / hourMs)];
    if (cell === undefined) continue;
    cell.assigned += item.assigned;
    cell.stored += item.stored;
    cell.refused += item.refused.reduce((sum, it) => sum + it.count, 0);
  }
  return strips;
}

export type CellKind = 'down' | 'empty' | 'whole' | 'refused' | 'open';

/** What an hour has to say, worst first. */
export function cellKind(cell: HourCell): CellKind {
  if (cell.assigned > cell.stored) return 'open';
  if (cell.refused > 0) return 'refused';
  if (cell.assigned > 0) return 'whole';
  return cell.up === 'none' ? 'down' : 'empty';
}
