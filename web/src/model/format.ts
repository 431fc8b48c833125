// Numbers, times and ages as people read them.

import type { Scalar } from '../api/types';
import { t } from './text';

/** Up to six significant digits, fixed width for what moves: 3.1416, 1,234.5, 1.2e9. */
export function formatNumber(value: number): string {
  if (Number.isNaN(value)) return '–';
  if (!Number.isFinite(value)) return value > 0 ? '∞' : '−∞';
  const size = Math.abs(value);
  if (size === 0) return '0';
  if (size >= 1e9 || size < 1e-4) return value.toExponential(3).replace('-', '−');
  if (Number.isInteger(value)) return value.toLocaleString('en-US').replace('-', '−');
  const decimals = size >= 1000 ? 1 : size >= 100 ? 1 : size >= 1 ? 2 : 4;
  const text = value.toLocaleString('en-US', {
    minimumFractionDigits: decimals > 2 ? 0 : decimals,
    maximumFractionDigits: decimals,
  });
  return text.replace('-', '−');
}

export function formatValue(value: Scalar): string {
  if (value === null || value === undefined) return '–';
  if (typeof value === 'boolean') return value ? t('value.on') : t('value.off');
  if (typeof value === 'number') return formatNumber(value);
  return value;
}

const unitSigns: Record<string, string> = {
  Cel: '°C',
  '[degF]': '°F',
  K: 'K',
  'L/min': 'l/min',
  'm3/h': 'm³/h',
  m3: 'm³',
  m2: 'm²',
  '1': '',
  'kW.h': 'kWh',
  'W.h': 'Wh',
  '{rpm}': 'rpm',
  '/min': '1/min',
  'mm/s': 'mm/s',
  '[psi]': 'psi',
  deg: '°',
  Ohm: 'Ω',
  us: 'µs',
};

/** The sign people know for a UCUM code: Cel → °C. Codes without one stay as they are. */
export function formatUnit(ucum: string | null | undefined): string {
  if (!ucum) return '';
  return unitSigns[ucum] ?? ucum.replace(/[{}[\]]/g, '');
}

/** "3 s", "5 min", "2 h", "4 d". */
export function formatAge(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 90) return t('time.seconds', { n: seconds });
  const minutes = Math.floor(seconds / 60);
  if (minutes < 90) return t('time.minutes', { n: minutes });
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? t('time.hours', { n: hours }) : t('time.days', { n: Math.floor(hours / 24) });
}

export function formatDuration(seconds: number): string {
  const days = Math.floor(seconds / 86_400);
  const hours = Math.floor((seconds % 86_400) / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  if (days > 0) return t('time.daysHours', { d: days, h: hours });
  if (hours > 0) return t('time.hoursMinutes', { h: hours, m: minutes });
  return minutes > 0
    ? t('time.minutesSeconds', { m: minutes, s: Math.floor(seconds % 60) })
    : t('time.seconds', { n: Math.floor(seconds) });
}

const pad = (n: number, width = 2): string => String(n).padStart(width, '0');

/** "2026-11-20 10:15:07", in the browser's zone; the zone itself is always shown in the shell. */
export function formatTime(at: string | number | null | undefined): string {
  if (at === null || at === undefined || at === '') return '–';
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return '–';
  return `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())} ${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
}

/** Only the time of day for today, else date and time. */
export function formatTimeShort(at: string | number | null | undefined, nowMs: number = Date.now()): string {
  const full = formatTime(at);
  return full.slice(0, 10) === formatTime(nowMs).slice(0, 10) ? full.slice(11) : full;
}

/** "Europe/Paris UTC+01:00". */
export function timeZoneText(date: Date = new Date()): string {
  const offset = -date.getTimezoneOffset();
  const sign = offset < 0 ? '−' : '+';
  const size = Math.abs(offset);
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const utc = `UTC${sign}${pad(Math.floor(size / 60))}:${pad(size % 60)}`;
  return zone === 'UTC' ? utc : `${zone} ${utc}`;
}

export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  let size = bytes;
  let unit = 0;
  while (size >= 1000 && unit < units.length - 1) {
    size /= 1000;
    unit++;
  }
  return `${unit === 0 || size >= 100 ? size.toFixed(0) : size.toFixed(1)} ${units[unit]}`;
}

export function formatShare(share: number | null | undefined): string {
  if (share === null || share === undefined) return '–';
  const percent = share * 100;
  if (percent > 0 && percent < 0.1) return '< 0.1 %';
  // 99.96 % must not read as 100 %: what is not whole shall not look whole.
  const text =
    percent === 100 || percent === 0 ? percent.toFixed(0) : Math.min(99.9, Math.floor(percent * 10) / 10).toFixed(1);
  return `${text} %`;
}
