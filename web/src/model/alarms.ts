// How alarms are ordered and named.

import type { Alarm, LimitKind, Priority } from '../api/types';

export type AlarmSort = 'priority' | 'state' | 'time';

const stateRank: Record<Alarm['state'], number> = { B: 0, D: 1, C: 2, A: 3 };

/** What needs a person comes first: unacknowledged before acknowledged, then priority, then the newest. */
export function sortAlarms(alarms: Alarm[], by: AlarmSort): Alarm[] {
  const newest = (a: Alarm, b: Alarm): number => Date.parse(b.raised) - Date.parse(a.raised);
  const unacked = (a: Alarm, b: Alarm): number => Number(a.acknowledged) - Number(b.acknowledged);
  const priority = (a: Alarm, b: Alarm): number => a.priority - b.priority;
  const state = (a: Alarm, b: Alarm): number => stateRank[a.state] - stateRank[b.state];
  const order = { priority: [priority, unacked, newest], state: [state, priority, newest], time: [newest] }[by];
  return [...alarms].sort((a, b) => order.map((compare) => compare(a, b)).find((result) => result !== 0) ?? 0);
}

/** The newest unacknowledged of the highest priority: what the strip shows. */
export function foremost(alarms: Alarm[]): Alarm | null {
  return (
    sortAlarms(
      alarms.filter((alarm) => !alarm.acknowledged),
      'priority',
    )[0] ?? null
  );
}

export const isUpperLimit = (kind: LimitKind): boolean => kind === 'HH' || kind === 'H';

export const priorities: Priority[] = [1, 2, 3, 4];

/** A round threshold a little beyond `value`, in the direction of the alarm: 71.3 of a range of 20 → 72. */
export function roundThreshold(value: number, span: number, direction: 'above' | 'below'): number {
  if (!Number.isFinite(value)) return 0;
  const scale = span > 0 ? span : Math.max(Math.abs(value), 1);
  const step = 10 ** Math.floor(Math.log10(scale / 20));
  const steps = value / step;
  const rounded = (direction === 'above' ? Math.ceil(steps - 1e-9) : Math.floor(steps + 1e-9)) * step;
  return Number(rounded.toPrecision(12));
}

/** Proposed deadband: one percent of what the value usually spans, in one significant digit. */
export function proposeDeadband(span: number): number {
  if (!(span > 0)) return 0;
  return Number((span / 100).toPrecision(1));
}
