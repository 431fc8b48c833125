// Audit entries as sentences: "anna changed device Line3/Filler".

import type { AuditEntry } from '../api/types';
import { t } from './text';

const verbs = {
  create: 'create',
  update: 'update',
  delete: 'delete',
  accept: 'accept',
  ignore: 'ignore',
  write: 'write',
  acknowledge: 'ack',
  ack: 'ack',
} as const;

const things = ['device', 'tag', 'alarm_rule', 'alarm', 'asset', 'user', 'token'] as const;

/** "user anna" → "anna": what kind of actor it is shows in its own column only when it is not a person. */
export const actorName = (actor: string): string => actor.replace(/^user /, '');

/** "device 42 Line3/Filler" → "Line3/Filler"; the number stays where there is nothing else. */
export function targetName(target: string): string {
  const match = /^(?:[a-z_ -]+ )?(\d+) (.+)$/.exec(target);
  if (match !== null) return match[2] ?? target;
  return target.replace(/^(device|tag|rule|alarm|asset|user|token) (?=\S)/, '');
}

export function auditSentence(entry: AuditEntry): string {
  const words = { actor: actorName(entry.actor), ...deed(entry) };
  if (entry.outcome === 'refused') return t('audit.sentenceRefused', words);
  return entry.outcome === 'failed' ? t('audit.sentenceFailed', words) : t('audit.sentence', words);
}

/** What was done, and to what. */
function deed(entry: AuditEntry): { did: string; target: string } {
  const [noun = '', verb = ''] = entry.action.split('.');
  const target = targetName(entry.target);
  const lineshaft = t('audit.thing.lineshaft');
  if (noun === 'claim' || verb === 'claim') return { did: t('audit.verb.claim'), target: lineshaft };
  if (noun === 'session')
    return { did: verb === 'delete' ? t('audit.verb.signOut') : t('audit.verb.signIn'), target: lineshaft };
  if (noun === 'command') return { did: t('audit.verb.write'), target };
  const known = verbs[verb as keyof typeof verbs];
  if (known === undefined) return { did: t('audit.verb.other', { action: entry.action }), target };
  const thing = things.find((it) => it === noun || it === noun.replace(/^rule$/, 'alarm_rule'));
  const did = t(`audit.verb.${known}`);
  return { did: thing === undefined ? did : `${did} ${t(`audit.thing.${thing}`)}`, target };
}

export interface Difference {
  key: string;
  before: string;
  after: string;
}

const asText = (value: unknown): string =>
  value === undefined ? '' : typeof value === 'string' ? value : JSON.stringify(value);

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Field by field where both are objects, with unchanged fields left out; else the whole values. */
export function differences(before: unknown, after: unknown): Difference[] {
  if (!isObject(before) || !isObject(after)) {
    if (before === undefined && after === undefined) return [];
    if (isObject(after) && before == null)
      return Object.entries(after).map(([key, value]) => ({ key, before: '', after: asText(value) }));
    if (isObject(before) && after == null)
      return Object.entries(before).map(([key, value]) => ({ key, before: asText(value), after: '' }));
    return [{ key: '', before: asText(before), after: asText(after) }];
  }
  return [...new Set([...Object.keys(before), ...Object.keys(after)])]
    .map((key) => ({ key, before: asText(before[key]), after: asText(after[key]) }))
    .filter((one) => one.before !== one.after);
}
