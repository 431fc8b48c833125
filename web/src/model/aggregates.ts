// What a pen can show of each bucket: its words, its unit, and what has to be asked for.

import { formatUnit } from './format';
import { t } from './text';

/** Kind: `level` is on the tag's own scale and has a band of extremes; others are about the bucket as a whole. */
const known = {
  mean: 'level',
  twa: 'level',
  median: 'level',
  min: 'level',
  max: 'level',
  std: 'spread',
  range: 'spread',
  delta: 'spread',
  increase: 'spread',
  rate: 'perSecond',
  integral: 'timesSeconds',
  count: 'number',
  share_good: 'share',
  covered: 'share',
} as const;

export type Aggregate = keyof typeof known;

export const aggregates = Object.keys(known) as Aggregate[];

export const isAggregate = (text: string): text is Aggregate => text in known;

export const hasBand = (aggregate: Aggregate): boolean => known[aggregate] === 'level';

/** The columns to ask for; null: the plain answer, which has the mean and the band. */
export function columnsFor(aggregate: Aggregate): string[] | null {
  if (aggregate === 'mean') return null;
  const columns: string[] = [aggregate];
  for (const other of hasBand(aggregate) ? ['min', 'max', 'count', 'good'] : ['count', 'good'])
    if (other !== aggregate) columns.push(other);
  return columns;
}

/** Unit as it is read; different units get different axes. */
export function aggregateUnit(aggregate: Aggregate, ucum: string): string {
  const unit = formatUnit(ucum);
  switch (known[aggregate]) {
    case 'perSecond':
      return unit === '' ? '1/s' : `${unit}/s`;
    case 'timesSeconds':
      return unit === '' ? 's' : `${unit}·s`;
    case 'number':
      return '';
    case 'share':
      return '1';
    default:
      return unit;
  }
}

/** Levels share an axis; a deviation of one degree must not lie on the axis of temperatures. */
export const axisKey = (aggregate: Aggregate, ucum: string): string =>
  `${hasBand(aggregate) ? '' : `${known[aggregate]} `}${aggregateUnit(aggregate, ucum)}`;

export const aggregateText = (aggregate: Aggregate): string => t(`pen.${aggregate}`);

/** `agg=twa:path` of the address, by path. */
export function aggregatesOf(values: string[]): Map<string, Aggregate> {
  const found = new Map<string, Aggregate>();
  for (const value of values) {
    const [name = '', ...rest] = value.split(':');
    if (isAggregate(name) && name !== 'mean') found.set(rest.join(':'), name);
  }
  return found;
}

export const aggregateParams = (chosen: Map<string, Aggregate>): string[] =>
  [...chosen].filter(([, aggregate]) => aggregate !== 'mean').map(([path, aggregate]) => `${aggregate}:${path}`);
