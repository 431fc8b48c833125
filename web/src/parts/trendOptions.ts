// What uPlot is told: axes by unit, lines, bands, hatches for bad quality, alarm limits.

import uPlot from 'uplot';
import type { Limit, Priority, ValueType } from '../api/types';
import { type Aggregate, aggregateUnit, axisKey, hasBand } from '../model/aggregates';
import { formatNumber } from '../model/format';
import { type BadSpan, columnsPerTag } from '../model/trendData';

export interface TrendTag {
  path: string;
  unit: string;
  type: ValueType;
  color: string;
  aggregate: Aggregate;
}

export interface TrendLimit {
  path: string;
  limit: Limit;
}

/** What the drawing hooks read anew on each frame. */
export interface TrendContext {
  tags: TrendTag[];
  limits: TrendLimit[];
  bad: Map<string, BadSpan[]>;
}

const isSwitch = (tag: TrendTag): boolean => tag.type === 'bool' && hasBand(tag.aggregate);

export const scaleOf = (tag: TrendTag): string => (isSwitch(tag) ? 'y:bool' : `y:${axisKey(tag.aggregate, tag.unit)}`);

const cssText = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export function trendOptions(context: TrendContext, width: number, height: number): uPlot.Options {
  const ink = cssText('--ls-dim');
  const grid = { stroke: cssText('--ls-line'), width: 0.5 };
  const size = Math.round((Number.parseInt(cssText('--ls-font'), 10) || 14) * 0.86);
  const font = `${size}px ${getComputedStyle(document.body).fontFamily}`;
  const keys = [...new Set(context.tags.map(scaleOf))];
  const stepped = uPlot.paths.stepped?.({ align: 1 });
  const scales: uPlot.Scales = { x: { time: true } };
  const axes: uPlot.Axis[] = [{ stroke: ink, grid, font, ticks: { ...grid, size: 4 }, values: timeLabels }];
  keys.forEach((key, i) => {
    const on = context.tags.filter((tag) => scaleOf(tag) === key);
    scales[key] = { range: (_, min, max) => paddedRange(context, key, min, max) };
    axes.push({
      scale: key,
      side: i % 2 === 0 ? 3 : 1,
      stroke: on.length === 1 ? (on[0]?.color ?? ink) : ink,
      font,
      labelFont: font,
      labelSize: size + 6,
      size: size * 5,
      label: on[0] === undefined ? undefined : aggregateUnit(on[0].aggregate, on[0].unit) || undefined,
      grid: i === 0 ? grid : { show: false },
      ticks: { ...grid, size: 4 },
      values:
        key === 'y:bool' ? (_, splits) => splits.map((it) => (it === 0 ? '0' : it === 1 ? '1' : '')) : valueLabels,
    });
  });
  const series: uPlot.Series[] = [{}];
  const bands: uPlot.Band[] = [];
  context.tags.forEach((tag, i) => {
    const scale = scaleOf(tag);
    const paths = isSwitch(tag) ? stepped : undefined;
    const points = { show: false };
    const first = 1 + i * columnsPerTag;
    series.push({ scale, stroke: tag.color, width: 1.6, paths, points: { size: 4, fill: tag.color } });
    series.push({ scale, stroke: tag.color, width: 1.6, dash: [5, 4], paths, points });
    series.push({ scale, width: 0, points });
    series.push({ scale, width: 0, points });
    bands.push({ series: [first + 3, first + 2], fill: `${tag.color}38` });
  });
  return {
    width,
    height,
    ms: 1,
    padding: [10, keys.length > 1 ? 0 : 14, 0, 0],
    legend: { show: false },
    cursor: { drag: { x: false, y: false, setScale: false }, points: { size: 7 } },
    scales,
    axes,
    series,
    bands,
    hooks: { drawClear: [(plot) => drawBad(plot, context)], draw: [(plot) => drawLimits(plot, context)] },
  };
}

/** All labels of an axis with as many decimals as its step needs. */
function valueLabels(_: uPlot, splits: number[], __: number, ___: number, step: number): string[] {
  if (splits.some((it) => Math.abs(it) >= 1e7) || step < 1e-5) return splits.map(formatNumber);
  const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  return splits.map((it) =>
    it.toLocaleString('en-US', { minimumFractionDigits: decimals, maximumFractionDigits: decimals }).replace('-', '−'),
  );
}

/** Twenty-four hours, ISO dates: the same everywhere in the house. Months and years where days say nothing. */
export function timeLabels(_: unknown, splits: number[], __: number, ___: number, step: number): string[] {
  const pad = (n: number, width = 2): string => String(n).padStart(width, '0');
  let day = '';
  return splits.map((ms) => {
    const date = new Date(ms);
    const year = date.getFullYear();
    if (step >= 300 * 86_400_000) return String(year);
    const month = pad(date.getMonth() + 1);
    if (step >= 28 * 86_400_000) return `${year}-${month}`;
    const today = `${month}-${pad(date.getDate())}`;
    const seconds = step < 60_000 ? `:${pad(date.getSeconds())}` : '';
    const time = step >= 86_400_000 ? '' : `${pad(date.getHours())}:${pad(date.getMinutes())}${seconds}`;
    const text = today === day ? time : `${time}${time === '' ? '' : '\n'}${today}`;
    day = today;
    return text;
  });
}

/** Room above and below; limits near the data belong to the picture. */
function paddedRange(context: TrendContext, key: string, min: number | null, max: number | null): [number, number] {
  if (key === 'y:bool') return [-0.15, 1.15];
  if (min === null || max === null || !Number.isFinite(min) || !Number.isFinite(max)) return [0, 1];
  let low = min;
  let high = max;
  const span = max - min || Math.abs(max) * 0.1 || 1;
  for (const { path, limit } of context.limits) {
    const tag = context.tags.find((it) => it.path === path);
    if (tag === undefined || scaleOf(tag) !== key || !hasBand(tag.aggregate)) continue;
    if (limit.threshold > max && limit.threshold < max + span * 0.6) high = Math.max(high, limit.threshold);
    if (limit.threshold < min && limit.threshold > min - span * 0.6) low = Math.min(low, limit.threshold);
  }
  const room = (high - low) * 0.08 || span * 0.5;
  return [low - room, high + room];
}

function hatch(plot: uPlot, color: string, left: number, top: number, width: number, height: number): void {
  const { ctx } = plot;
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, top, width, height);
  ctx.clip();
  ctx.strokeStyle = color;
  ctx.lineWidth = devicePixelRatio;
  ctx.beginPath();
  const step = 7 * devicePixelRatio;
  for (let x = left - height - (left % step); x < left + width; x += step) {
    ctx.moveTo(x, top + height);
    ctx.lineTo(x + height, top);
  }
  ctx.stroke();
  ctx.restore();
}

/** One tag: the whole height. Several: a strip for each at the foot, in its colour. */
function drawBad(plot: uPlot, context: TrendContext): void {
  const { left, top, width, height } = plot.bbox;
  const strip = 9 * devicePixelRatio;
  context.tags.forEach((tag, i) => {
    for (const span of context.bad.get(tag.path) ?? []) {
      const from = Math.max(left, plot.valToPos(span.fromMs, 'x', true));
      const to = Math.min(left + width, plot.valToPos(span.toMs, 'x', true));
      if (to <= from) continue;
      if (context.tags.length === 1) hatch(plot, cssText('--ls-hatch'), from, top, to - from, height);
      else hatch(plot, tag.color, from, top + height - strip * (context.tags.length - i), to - from, strip - 2);
    }
  });
}

const badgeShapes: Record<Priority, [number, number][]> = {
  1: [
    [-1, -1],
    [1, -1],
    [1, 1],
    [-1, 1],
  ],
  2: [
    [0, -1.2],
    [1.2, 1],
    [-1.2, 1],
  ],
  3: [
    [0, 1.2],
    [1.2, -1],
    [-1.2, -1],
  ],
  4: [
    [0, -1.3],
    [1.3, 0],
    [0, 1.3],
    [-1.3, 0],
  ],
};

function drawLimits(plot: uPlot, context: TrendContext): void {
  const { ctx } = plot;
  const { left, top, width, height } = plot.bbox;
  const size = 7 * devicePixelRatio;
  ctx.save();
  for (const { path, limit } of context.limits) {
    const index = context.tags.findIndex((it) => it.path === path);
    const tag = context.tags[index];
    if (tag === undefined || !hasBand(tag.aggregate)) continue;
    const x = left + index * 90 * devicePixelRatio;
    const color = context.tags.length > 1 ? tag.color : cssText('--ls-ink');
    const y = plot.valToPos(limit.threshold, scaleOf(tag), true);
    if (!(y >= top && y <= top + height)) continue;
    ctx.strokeStyle = color;
    ctx.lineWidth = devicePixelRatio;
    ctx.setLineDash([2 * devicePixelRatio, 3 * devicePixelRatio]);
    ctx.beginPath();
    ctx.moveTo(left, y);
    ctx.lineTo(left + width, y);
    ctx.stroke();
    ctx.setLineDash([]);
    drawBadge(ctx, limit.priority, x + size * 2, y, size);
    ctx.fillStyle = color;
    ctx.font = `${11 * devicePixelRatio}px ${getComputedStyle(document.body).fontFamily}`;
    ctx.textAlign = 'left';
    ctx.textBaseline = 'bottom';
    ctx.fillText(`${limit.kind} ${formatNumber(limit.threshold)}`, x + size * 4, y - 2 * devicePixelRatio);
  }
  ctx.restore();
}

function drawBadge(ctx: CanvasRenderingContext2D, priority: Priority, x: number, y: number, size: number): void {
  ctx.beginPath();
  for (const [dx, dy] of badgeShapes[priority]) ctx.lineTo(x + dx * size, y + dy * size);
  ctx.closePath();
  ctx.fillStyle = cssText(`--ls-alarm-${priority}`);
  ctx.fill();
  ctx.strokeStyle = '#14181c';
  ctx.stroke();
  ctx.fillStyle = cssText(`--ls-alarm-${priority}-ink`);
  ctx.font = `bold ${size * 1.5}px system-ui, sans-serif`;
  ctx.textAlign = 'center';
  ctx.textBaseline = 'middle';
  ctx.fillText(String(priority), x, y + (priority === 2 ? size * 0.25 : priority === 3 ? -size * 0.2 : 0.05 * size));
}
