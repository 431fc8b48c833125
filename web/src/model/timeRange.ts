// Time ranges as the address bar carries them: "now-8h" is live, "2026-01-01T00:00:00.000Z~…" stands still.

export interface TimeRange {
  fromMs: number;
  toMs: number;
}

export const ranges = ['15m', '1h', '8h', '24h', '7d', '30d', '365d', '3650d'] as const;

const unitMs: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

export function durationMs(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?)(s|m|h|d|w)$/.exec(text);
  return match === null ? null : Number(match[1]) * (unitMs[match[2] ?? ''] ?? 0);
}

/** `range` is a duration that ends now, or "<from>~<to>" in RFC 3339. Null when it is neither. */
export function resolveRange(range: string, nowMs: number): TimeRange | null {
  const span = durationMs(range);
  if (span !== null) return { fromMs: nowMs - span, toMs: nowMs };
  const [from, to] = range.split('~').map((text) => Date.parse(text));
  if (from === undefined || to === undefined || !(from < to)) return null;
  return { fromMs: from, toMs: to };
}

export function absoluteRange(range: TimeRange): string {
  return `${new Date(Math.round(range.fromMs)).toISOString()}~${new Date(Math.round(range.toMs)).toISOString()}`;
}

/** The shortest of the usual ranges, up to a day, that holds everything since `firstMs`. */
export function rangeSince(firstMs: number, nowMs: number): string {
  const fitting = ['15m', '1h', '8h'].find((range) => (durationMs(range) ?? 0) >= nowMs - firstMs);
  return fitting ?? '24h';
}

export const isLiveRange = (range: string): boolean => durationMs(range) !== null;

/** "2026-11-20T10:15" in local time, for <input type="datetime-local">. */
export function toLocalInput(ms: number): string {
  const date = new Date(ms - new Date(ms).getTimezoneOffset() * 60_000);
  return date.toISOString().slice(0, 19);
}
