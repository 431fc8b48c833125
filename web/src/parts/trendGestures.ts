// Hands on the chart: drag moves, wheel and pinch zoom, Shift-drag zooms to a box, Alt-drag marks a stretch.

import type uPlot from 'uplot';
import type { TimeRange } from '../model/timeRange';
import { panned, zoomed } from '../model/trendData';

export interface GestureTarget {
  plot: () => uPlot | null;
  range: () => TimeRange;
  /** `isFinal` when the hand has let go. */
  move: (range: TimeRange, isFinal: boolean) => void;
  menu: (event: MouseEvent) => void;
  mark: (range: TimeRange) => void;
}

const wheelStep = 1.2;
const wheelRestMs = 250;

interface Hold {
  x: number;
  range: TimeRange;
  isBox: boolean;
  isMark: boolean;
}

export function attachGestures(over: HTMLElement, target: GestureTarget): () => void {
  const pointers = new Map<number, number>();
  let hold: Hold | null = null;
  let pinch: { distance: number; range: TimeRange; atMs: number } | null = null;
  let wheelTimer: ReturnType<typeof setTimeout> | undefined;

  const xOf = (event: MouseEvent): number => event.clientX - over.getBoundingClientRect().left;
  const timeAt = (x: number, range: TimeRange): number =>
    range.fromMs + (x / over.clientWidth) * (range.toMs - range.fromMs);

  const down = (event: PointerEvent): void => {
    if (event.button !== 0) return;
    over.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, xOf(event));
    if (pointers.size === 2) {
      const [a = 0, b = 0] = [...pointers.values()];
      hold = null;
      pinch = {
        distance: Math.max(Math.abs(a - b), 10),
        range: target.range(),
        atMs: timeAt((a + b) / 2, target.range()),
      };
    } else hold = { x: xOf(event), range: target.range(), isBox: event.shiftKey || event.altKey, isMark: event.altKey };
  };
  const moved = (event: PointerEvent): void => {
    if (!pointers.has(event.pointerId)) return;
    pointers.set(event.pointerId, xOf(event));
    if (pinch !== null && pointers.size === 2) {
      const [a = 0, b = 0] = [...pointers.values()];
      target.move(zoomed(pinch.range, pinch.atMs, pinch.distance / Math.max(Math.abs(a - b), 10)), false);
    } else if (hold?.isBox) {
      const left = Math.min(hold.x, xOf(event));
      target
        .plot()
        ?.setSelect({ left, top: 0, width: Math.abs(xOf(event) - hold.x), height: over.clientHeight }, false);
    } else if (hold !== null) target.move(panned(hold.range, (hold.x - xOf(event)) / over.clientWidth), false);
  };
  const up = (event: PointerEvent): void => {
    if (!pointers.delete(event.pointerId)) return;
    if (hold?.isBox) {
      target.plot()?.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
      const [from, to] = [hold.x, xOf(event)].sort((a, b) => a - b).map((x) => timeAt(x, target.range()));
      if (Math.abs(xOf(event) - hold.x) > 6 && from !== undefined && to !== undefined)
        hold.isMark ? target.mark({ fromMs: from, toMs: to }) : target.move({ fromMs: from, toMs: to }, true);
    } else if (pinch !== null || (hold !== null && Math.abs(xOf(event) - hold.x) > 2))
      target.move(target.range(), true);
    hold = null;
    pinch = null;
  };
  const wheel = (event: WheelEvent): void => {
    event.preventDefault();
    const range = target.range();
    const next =
      Math.abs(event.deltaX) > Math.abs(event.deltaY)
        ? panned(range, event.deltaX / over.clientWidth)
        : zoomed(range, timeAt(xOf(event), range), event.deltaY > 0 ? wheelStep : 1 / wheelStep);
    target.move(next, false);
    clearTimeout(wheelTimer);
    wheelTimer = setTimeout(() => target.move(target.range(), true), wheelRestMs);
  };
  const menu = (event: MouseEvent): void => {
    event.preventDefault();
    target.menu(event);
  };

  over.addEventListener('pointerdown', down);
  over.addEventListener('pointermove', moved);
  over.addEventListener('pointerup', up);
  over.addEventListener('pointercancel', up);
  over.addEventListener('wheel', wheel, { passive: false });
  over.addEventListener('contextmenu', menu);
  return () => {
    clearTimeout(wheelTimer);
    over.removeEventListener('pointerdown', down);
    over.removeEventListener('pointermove', moved);
    over.removeEventListener('pointerup', up);
    over.removeEventListener('pointercancel', up);
    over.removeEventListener('wheel', wheel);
    over.removeEventListener('contextmenu', menu);
  };
}
