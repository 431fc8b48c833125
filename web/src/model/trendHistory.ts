// The trend's data: tiles that are kept, and requests for those that are missing.

import { useEffect, useMemo, useReducer, useRef } from 'react';
import { serverNow } from '../api/client';
import { type HistoryRequest, history } from '../api/endpoints';
import { type Aggregate, columnsFor } from './aggregates';
import { decodeColumns, type Series } from './columns';
import {
  bucketsPerTile,
  cut,
  joined,
  missingRuns,
  type Run,
  TileStore,
  type Tiles,
  tileMs,
  tileResolution,
  tilesOf,
} from './tiles';
import type { TimeRange } from './timeRange';
import { complain } from './toasts';

export interface Pen {
  path: string;
  aggregate: Aggregate;
}

/** The server counts a range that does not begin at a bucket as two more. */
const bordersMax = 2;
/** More than is seen, so that a small move shows data at once. */
const marginShare = 0.25;

const store = new TileStore();

/** After samples were erased or corrected: what is kept here may be wrong. */
export function forgetTiles(): void {
  store.clear();
}

const keyOf = (pen: Pen, resolutionMs: number, knownAt: string): string =>
  `${resolutionMs} ${pen.aggregate} ${knownAt} ${pen.path}`;

/** Pens with the same aggregate are asked for in one request. */
function groupsOf(pens: Pen[]): Pen[][] {
  const groups = new Map<Aggregate, Pen[]>();
  for (const pen of pens) groups.set(pen.aggregate, [...(groups.get(pen.aggregate) ?? []), pen]);
  return [...groups.values()];
}

function durationText(ms: number): string {
  return ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`;
}

async function fetchRun(pens: Pen[], run: Run, resolutionMs: number, knownAt: string): Promise<void> {
  const size = tileMs(resolutionMs);
  const columns = columnsFor(pens[0]?.aggregate ?? 'mean');
  const request: HistoryRequest = {
    tags: pens.map((pen) => pen.path),
    from: run.first * size,
    to: (run.last + 1) * size,
    knownAt: knownAt || undefined,
    // Samples while there are few of them; aggregates always of buckets.
    ...(columns === null
      ? { resolution: 'auto', width: (run.last - run.first + 1) * bucketsPerTile + bordersMax }
      : { resolution: durationText(resolutionMs), aggregates: columns }),
  };
  const readMs = serverNow();
  const answer = new Map(decodeColumns(await history.columns(request)).map((series) => [series.path, series]));
  for (const pen of pens) {
    const series = answer.get(pen.path);
    if (series === undefined) continue;
    for (let index = run.first; index <= run.last; index++)
      store.put(
        keyOf(pen, resolutionMs, knownAt),
        index,
        // Where only a coarser rollup is left, the first bucket begins before the tile.
        cut(series, index === run.first ? Number.NEGATIVE_INFINITY : index * size, (index + 1) * size),
        readMs,
      );
  }
}

/** All tiles of a pen that are here, side by side; null unless every one is. */
function collected(pen: Pen, tiles: Tiles, knownAt: string): { series: Series | null; isWhole: boolean } {
  const parts: Series[] = [];
  const key = keyOf(pen, tiles.resolutionMs, knownAt);
  for (let index = tiles.first; index <= tiles.last; index++) {
    const part = store.get(key, index);
    if (part !== null) parts.push(part);
  }
  return {
    series: joined(parts, tiles.resolutionMs),
    isWhole: parts.length === tiles.last - tiles.first + 1,
  };
}

/** What is shown for the range, by path; the answer before stays until a new one is whole. */
export function useTrendHistory(pens: Pen[], range: TimeRange, width: number, isLive: boolean, knownAt: string) {
  const [arrivals, arrived] = useReducer((n: number) => n + 1, 0);
  const asking = useRef(new Set<string>());
  const before = useRef<{ series: Map<string, Series>; resolutionMs: number }>({ series: new Map(), resolutionMs: 0 });
  const span = range.toMs - range.fromMs;
  const resolutionMs = tileResolution(span, width);
  const margin = isLive ? 0 : span * marginShare;
  const tiles = useMemo(
    () => tilesOf({ fromMs: range.fromMs - margin, toMs: range.toMs + margin }, resolutionMs),
    [range, margin, resolutionMs],
  );

  useEffect(() => {
    if (width === 0) return;
    const nowMs = serverNow();
    for (const group of groupsOf(pens)) {
      const isHere = (index: number): boolean => {
        const endMs = (index + 1) * tileMs(resolutionMs);
        // Nothing has happened in the future.
        if (index * tileMs(resolutionMs) > nowMs + 3_600_000) return true;
        return group.every((pen) => store.isFresh(keyOf(pen, resolutionMs, knownAt), index, endMs, nowMs));
      };
      for (const run of missingRuns(tiles, isHere)) {
        const id = `${run.first}-${run.last} ${group.map((pen) => keyOf(pen, resolutionMs, knownAt)).join('|')}`;
        if (asking.current.has(id)) continue;
        asking.current.add(id);
        fetchRun(group, run, resolutionMs, knownAt)
          .catch(complain)
          .finally(() => {
            asking.current.delete(id);
            arrived();
          });
      }
    }
    // `range` moves with the clock while it is live: the last tile is asked for again then.
  }, [pens, tiles, resolutionMs, knownAt, width]);

  return useMemo(() => {
    const found = pens.map((pen) => ({ pen, ...collected(pen, tiles, knownAt) }));
    const sameResolution = before.current.resolutionMs === resolutionMs;
    const series = new Map<string, Series>();
    for (const { pen, series: one, isWhole } of found) {
      const old = before.current.series.get(pen.path);
      // Another resolution comes whole or not at all: half a chart in each would lie.
      const shown = one !== null && (isWhole || sameResolution || old === undefined) ? one : (old ?? one);
      if (shown !== null && shown !== undefined) series.set(pen.path, shown);
    }
    if (found.every((it) => it.isWhole)) before.current = { series, resolutionMs };
    return series;
    // `arrivals` stands for what is in the store.
  }, [pens, tiles, resolutionMs, knownAt, arrivals]);
}
