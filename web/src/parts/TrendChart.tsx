// The chart: uPlot kept alive across data and range changes; hands and keys move the range.

import { useMantineColorScheme } from '@mantine/core';
import { type KeyboardEvent, useEffect, useRef } from 'react';
import uPlot from 'uplot';
import type { Series } from '../model/columns';
import { t } from '../model/text';
import type { TimeRange } from '../model/timeRange';
import { type MissingSpan, panned, tagColumns, zoomed } from '../model/trendData';
import { attachGestures } from './trendGestures';
import { scaleOf, type TrendContext, type TrendLimit, type TrendTag, trendOptions } from './trendOptions';

export interface ChartSpot {
  clientX: number;
  clientY: number;
  timeMs: number;
  path: string;
  value: number;
}

interface Props {
  tags: TrendTag[];
  series: Map<string, Series>;
  range: TimeRange;
  limits: TrendLimit[];
  missing: Map<string, MissingSpan[]>;
  onRange: (range: TimeRange, isFinal: boolean) => void;
  onMenu: (spot: ChartSpot) => void;
  onCursor: (timeMs: number | null) => void;
  onWidth: (width: number) => void;
  /** Where the plotting area lies in the chart, for what is drawn under it. */
  onPlot: (left: number, right: number) => void;
  /** Alt-drag marked a stretch. */
  onMark: (range: TimeRange) => void;
}

function alignedData(
  { tags, series, missing }: Pick<Props, 'tags' | 'series' | 'missing'>,
  context: TrendContext,
): uPlot.AlignedData {
  const tables: uPlot.AlignedData[] = [];
  context.bad.clear();
  for (const tag of tags) {
    const one = series.get(tag.path);
    const columns = one === undefined ? null : tagColumns(one, missing.get(tag.path));
    if (columns !== null) context.bad.set(tag.path, columns.bad);
    tables.push(
      columns === null
        ? [[], [], [], [], []]
        : [columns.times, columns.sure, columns.doubtful, columns.min, columns.max],
    );
  }
  if (tables.length === 0) return [[]];
  // 2: a null is a gap to its neighbours, also over times that only another tag has.
  return uPlot.join(
    tables,
    tables.map((table) => table.map(() => 2 as const)),
  );
}

export function TrendChart(props: Props) {
  const { tags, series, range, limits, missing } = props;
  const { colorScheme } = useMantineColorScheme();
  const frame = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const context = useRef<TrendContext>({ tags, limits, bad: new Map() });
  const latest = useRef(props);
  const shown = useRef<TimeRange>(range);
  latest.current = props;
  const key = `${colorScheme} ${tags.map((tag) => `${tag.path} ${tag.unit} ${tag.type} ${tag.color} ${tag.aggregate}`).join(' ')}`;

  // The key stands for everything the axes and lines depend on.
  useEffect(() => {
    const element = frame.current;
    if (element === null) return;
    context.current = { tags: latest.current.tags, limits: latest.current.limits, bad: new Map() };
    const made = new uPlot(
      trendOptions(context.current, element.clientWidth, element.clientHeight),
      alignedData(latest.current, context.current),
      element,
    );
    plot.current = made;
    made.setScale('x', { min: shown.current.fromMs, max: shown.current.toMs });
    made.over.addEventListener('mousemove', () => {
      const left = made.cursor.left ?? -1;
      latest.current.onCursor(left < 0 ? null : made.posToVal(left, 'x'));
    });
    made.over.addEventListener('mouseleave', () => latest.current.onCursor(null));
    const detach = attachGestures(made.over, {
      plot: () => plot.current,
      range: () => shown.current,
      move: (next, isFinal) => {
        shown.current = next;
        made.setScale('x', { min: next.fromMs, max: next.toMs });
        latest.current.onRange(next, isFinal);
      },
      mark: (marked) => latest.current.onMark(marked),
      menu: (event) => {
        const spot = spotAt(made, latest.current.tags, event);
        if (spot !== null) latest.current.onMenu(spot);
      },
    });
    const tell = (): void => {
      latest.current.onWidth(element.clientWidth);
      const left = made.bbox.left / devicePixelRatio;
      latest.current.onPlot(left, element.clientWidth - left - made.bbox.width / devicePixelRatio);
    };
    tell();
    const resize = new ResizeObserver(() => {
      made.setSize({ width: element.clientWidth, height: element.clientHeight });
      tell();
    });
    resize.observe(element);
    return () => {
      resize.disconnect();
      detach();
      made.destroy();
      plot.current = null;
    };
  }, [key]);

  useEffect(() => {
    const made = plot.current;
    if (made === null) return;
    context.current.limits = limits;
    shown.current = range;
    made.batch(() => {
      made.setData(alignedData(latest.current, context.current), false);
      made.setScale('x', { min: range.fromMs, max: range.toMs });
    });
  }, [series, limits, range, missing]);

  const keyDown = (event: KeyboardEvent): void => {
    const middle = (shown.current.fromMs + shown.current.toMs) / 2;
    const moves: Record<string, () => TimeRange> = {
      ArrowLeft: () => panned(shown.current, -0.1),
      ArrowRight: () => panned(shown.current, 0.1),
      '+': () => zoomed(shown.current, middle, 0.7),
      '-': () => zoomed(shown.current, middle, 1.4),
    };
    const next = moves[event.key]?.();
    if (next === undefined) return;
    event.preventDefault();
    props.onRange(next, true);
  };
  return (
    <div
      ref={frame}
      className="ls-trend"
      data-testid="trend-chart"
      role="application"
      aria-label={t('trend.chart', { tags: tags.map((tag) => tag.path).join(', ') })}
      aria-description={t('trend.help')}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: arrows and plus and minus move the chart.
      tabIndex={0}
      onKeyDown={keyDown}
    />
  );
}

/** The tag whose line is nearest to the pointer, and the value at the height of the pointer on that tag's axis. */
function spotAt(plot: uPlot, tags: TrendTag[], event: MouseEvent): ChartSpot | null {
  const box = plot.over.getBoundingClientRect();
  const [x, y] = [event.clientX - box.left, event.clientY - box.top];
  const index = plot.posToIdx(x);
  let best: TrendTag | null = null;
  let bestDistance = Number.POSITIVE_INFINITY;
  tags.forEach((tag, i) => {
    const column = plot.data[1 + i * 4];
    const value = column?.[index] ?? column?.[index - 1];
    const distance = value == null ? 1e6 + i : Math.abs(plot.valToPos(value, scaleOf(tag)) - y);
    if (distance < bestDistance) [best, bestDistance] = [tag, distance];
  });
  const nearest = best as TrendTag | null;
  if (nearest === null) return null;
  const value = plot.posToVal(y, scaleOf(nearest));
  return { clientX: event.clientX, clientY: event.clientY, timeMs: plot.posToVal(x, 'x'), path: nearest.path, value };
}
