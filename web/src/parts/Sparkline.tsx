// The last hour of a value, or what there is of it, as a line without axes. Lines asked for at the same moment travel in one request.

import { useEffect, useRef, useState } from 'react';
import { serverNow } from '../api/client';
import { history } from '../api/endpoints';
import { decodeColumns, type Series } from '../model/columns';
import { observeVisibility } from './visibility';

const widthPx = 110;
const refreshMs = 30_000;
const batchMax = 40;
const spanMinMs = 60_000;
type Taker = (series: Series | null) => void;
let waiting = new Map<string, Set<Taker>>();

function ask(path: string, taker: Taker): void {
  if (waiting.size === 0) setTimeout(() => void fetchWaiting(), 60);
  const takers = waiting.get(path) ?? new Set();
  waiting.set(path, takers.add(taker));
}

async function fetchWaiting(): Promise<void> {
  const batch = waiting;
  waiting = new Map();
  const paths = [...batch.keys()];
  for (let i = 0; i < paths.length; i += batchMax) {
    const some = paths.slice(i, i + batchMax);
    try {
      const bytes = await history.columns({
        tags: some,
        from: 'now-1h',
        to: 'now',
        width: widthPx,
        resolution: 'auto',
      });
      const byPath = new Map(decodeColumns(bytes).map((series) => [series.path, series]));
      for (const path of some) for (const taker of batch.get(path) ?? []) taker(byPath.get(path) ?? null);
    } catch {
      // A missing ornament is no reason for a message; the next round asks again.
    }
  }
}

function linePath(series: Series, height: number): string {
  const values = series.kind === 'raw' ? series.values : series.mean;
  const to = serverNow();
  // The first hour of a new value would be a sliver: it starts where its data starts.
  const from = Math.max(to - 3_600_000, Math.min(series.times[0] ?? 0, to - spanMinMs));
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    if (Number.isNaN(value)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (low > high) return '';
  const span = high - low || 1;
  let path = '';
  let isDown = false;
  const step = Math.max(1, Math.floor(values.length / (widthPx * 2)));
  for (let i = 0; i < values.length; i += step) {
    const value = values[i] ?? Number.NaN;
    if (Number.isNaN(value)) {
      isDown = false;
      continue;
    }
    const x = (((series.times[i] ?? 0) - from) / (to - from)) * widthPx;
    const y = height - 1 - ((value - low) / span) * (height - 2);
    path += `${isDown ? 'L' : 'M'}${x.toFixed(1)} ${(high === low ? height / 2 : y).toFixed(1)}`;
    isDown = true;
  }
  return path;
}

export function Sparkline({ path, height = 22 }: { path: string; height?: number }) {
  const ref = useRef<SVGSVGElement>(null);
  const [line, setLine] = useState('');
  useEffect(() => {
    const element = ref.current;
    if (element === null) return;
    let timer: ReturnType<typeof setInterval> | undefined;
    const take: Taker = (series) => setLine(series === null ? '' : linePath(series, height));
    const unobserve = observeVisibility(element, (visible) => {
      clearInterval(timer);
      if (!visible) return;
      ask(path, take);
      timer = setInterval(() => ask(path, take), refreshMs);
    });
    return () => {
      unobserve();
      clearInterval(timer);
    };
  }, [path, height]);
  return (
    <svg
      ref={ref}
      className="ls-spark"
      viewBox={`0 0 ${widthPx} ${height}`}
      preserveAspectRatio="none"
      aria-hidden="true"
    >
      <path d={line} fill="none" stroke="var(--ls-fill)" strokeWidth="1.3" vectorEffect="non-scaling-stroke" />
    </svg>
  );
}
