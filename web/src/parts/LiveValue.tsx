// Cells that change by themselves: they watch the live store and write their own text, without React in between.

import { useEffect, useRef } from 'react';
import { serverNow } from '../api/client';
import { formatAge, formatTime, formatUnit, formatValue } from '../model/format';
import { type LiveReading, live } from '../model/live';
import { qualityClass, qualityName } from '../model/quality';
import { t } from '../model/text';
import { everySecond, observeVisibility } from './visibility';

/** Watches `path` for as long as `element` is on screen. */
function watchWhileVisible(element: Element, path: string, watcher: (reading: LiveReading) => void): () => void {
  let unwatch: (() => void) | null = null;
  const unobserve = observeVisibility(element, (visible) => {
    if (visible) unwatch ??= live.watch(path, watcher);
    else {
      unwatch?.();
      unwatch = null;
    }
  });
  return () => {
    unobserve();
    unwatch?.();
  };
}

export function LiveValue({ path, unit = '', testId }: { path: string; unit?: string; testId?: string }) {
  const ref = useRef<HTMLSpanElement>(null);
  useEffect(() => {
    const element = ref.current;
    if (element === null) return;
    const show = (reading: LiveReading): void => {
      element.textContent = formatValue(reading.value);
      element.dataset.quality = qualityClass(reading.quality);
      element.title = `${qualityName(reading.quality)}, ${formatTime(reading.timeMs)}`;
    };
    const present = live.read(path);
    if (present !== null) show(present);
    return watchWhileVisible(element, path, show);
  }, [path]);
  return (
    <span className="ls-cut">
      <span ref={ref} className="ls-value" data-testid={testId ?? `value-${path}`}>
        –
      </span>
      {unit !== '' && <span className="ls-unit">{formatUnit(unit)}</span>}
    </span>
  );
}

/** A word and a mark for the quality of the newest reading. */
export function LiveQuality({ path }: { path: string }) {
  const ref = useRef<HTMLSpanElement>(null);
  useEffect(() => {
    const element = ref.current;
    if (element === null) return;
    const show = (reading: LiveReading): void => {
      const kind = qualityClass(reading.quality);
      element.dataset.kind = kind === 'good' ? 'on' : kind === 'uncertain' ? 'part' : 'bad';
      element.title = qualityName(reading.quality);
      const word = element.lastElementChild;
      if (word !== null) word.textContent = t(`quality.${kind}`);
    };
    const present = live.read(path);
    if (present !== null) show(present);
    return watchWhileVisible(element, path, show);
  }, [path]);
  return (
    <span ref={ref} className="ls-state">
      <i />
      <span>–</span>
    </span>
  );
}

/** How long ago the newest reading was measured. */
export function LiveAge({ path }: { path: string }) {
  const ref = useRef<HTMLSpanElement>(null);
  useEffect(() => {
    const element = ref.current;
    if (element === null) return;
    const show = (): void => {
      const reading = live.read(path);
      element.textContent = reading === null ? '–' : formatAge(serverNow() - reading.timeMs);
    };
    show();
    return everySecond(show);
  }, [path]);
  return <span ref={ref} className="ls-num ls-dim" />;
}

/** Where the value stands in its engineering range. */
export function LiveRangeBar({ path, low, high }: { path: string; low: number; high: number }) {
  const ref = useRef<HTMLElement>(null);
  useEffect(() => {
    const element = ref.current;
    if (element === null) return;
    return watchWhileVisible(element, path, (reading) => {
      const share = typeof reading.value === 'number' ? (reading.value - low) / (high - low) : 0;
      element.style.left = `${Math.min(1, Math.max(0, share)) * 100}%`;
    });
  }, [path, low, high]);
  return (
    <div className="ls-range-bar" title={`${low} … ${high}`}>
      <i ref={ref} />
    </div>
  );
}
