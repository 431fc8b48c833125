// What was typed as a better value, as the server takes it.

import type { Correction } from '../api/dataEndpoints';
import type { Scalar, ValueType } from '../api/types';
import { parseCsv } from './csv';

export interface Edit {
  text: string;
  isBad: boolean;
}

/** Null when the text is no value of the type. A comma is taken as the point of a decimal number. */
export function parseScalar(text: string, type: ValueType): Exclude<Scalar, null> | null {
  const plain = text.trim();
  if (type === 'string') return text;
  if (plain === '') return null;
  if (type === 'bool') {
    if (/^(true|on|1)$/i.test(plain)) return true;
    return /^(false|off|0)$/i.test(plain) ? false : null;
  }
  const number = Number(plain.replace(/^(-?\d+),(\d+)$/, '$1.$2'));
  if (!Number.isFinite(number)) return null;
  return type === 'int' && !Number.isSafeInteger(number) ? null : number;
}

/** A sample as the server writes it into CSV: the time to the nanosecond, by which a correction finds it. */
export interface Sample {
  time: string;
  text: string;
  quality: string;
}

export function samplesFromCsv(text: string): Sample[] {
  // Columns: time, tag, value, quality; the first row names them.
  return parseCsv(text)
    .slice(1)
    .map(([time = '', , value = '', quality = '']) => ({ time, text: value, quality }));
}

/** By time. Null while one of them is no value. */
export function samplesOf(edits: Map<string, Edit>, type: ValueType): Correction[] | null {
  const samples: Correction[] = [];
  for (const [time, edit] of edits) {
    const value = parseScalar(edit.text, type);
    if (value === null) return null;
    const sample: Correction = { time, value };
    if (edit.isBad) sample.quality = 'bad';
    samples.push(sample);
  }
  return samples.sort((a, b) => a.time.localeCompare(b.time));
}
