// An alarm rule: limits with what they would have done in the last day, shown before anything is saved.

import { ActionIcon, Button, NativeSelect, NumberInput, Switch, Textarea, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useMutation, useQuery } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { rules as rulesApi } from '../api/endpoints';
import type { AlarmRule, Limit, LimitKind, Priority } from '../api/types';
import { isUpperLimit, priorities, proposeDeadband } from '../model/alarms';
import { formatShare, formatUnit } from '../model/format';
import { useRefresh } from '../model/queries';
import { t } from '../model/text';
import { done } from '../model/toasts';
import { AlarmBadge } from './AlarmBadge';
import { Dialog } from './Dialog';

const kinds: LimitKind[] = ['HH', 'H', 'L', 'LL'];
const usualPriority: Record<LimitKind, Priority> = { HH: 1, H: 2, L: 2, LL: 1 };

export interface RuleSubject {
  id: string;
  path: string;
  unit: string;
}

interface Props {
  tag: RuleSubject;
  /** The rule that is changed; null makes a new one. */
  rule: AlarmRule | null;
  /** A limit to begin with, from a spot on a trend. `span` is what the value usually spans. */
  proposal?: { kind: LimitKind; threshold: number; span: number };
  onClose: () => void;
}

function firstLimits(rule: AlarmRule | null, proposal: Props['proposal']): Limit[] {
  const limits = rule?.limits ?? [];
  if (proposal === undefined) return limits;
  const { kind, threshold, span } = proposal;
  const existing = limits.find((limit) => limit.kind === kind);
  if (existing !== undefined) return limits.map((limit) => (limit === existing ? { ...limit, threshold } : limit));
  return sorted([
    ...limits,
    { kind, threshold, deadband: proposeDeadband(span), on_delay_s: 0, off_delay_s: 0, priority: usualPriority[kind] },
  ]);
}

const sorted = (limits: Limit[]): Limit[] => [...limits].sort((a, b) => kinds.indexOf(a.kind) - kinds.indexOf(b.kind));

export function RuleDialog({ tag, rule, proposal, onClose }: Props) {
  const [limits, setLimits] = useState(() => firstLimits(rule, proposal));
  const [name, setName] = useState(rule?.name ?? tag.path.split('/').slice(-2).join(' '));
  const [consequence, setConsequence] = useState(rule?.consequence ?? '');
  const [action, setAction] = useState(rule?.action ?? '');
  const [enabled, setEnabled] = useState(rule?.enabled ?? true);
  const refresh = useRefresh();
  const save = useMutation({
    mutationFn: () => {
      const body = { tag: tag.id, name, enabled, consequence, action, limits };
      if (rule === null) return rulesApi.create(body);
      const { tag: _, ...change } = body;
      return rulesApi.change(rule.id, change);
    },
    onSuccess: () => {
      done(t('rule.saved'));
      refresh('rules', 'alarms');
      onClose();
    },
  });
  const change = (kind: LimitKind, part: Partial<Limit>): void =>
    setLimits(limits.map((limit) => (limit.kind === kind ? { ...limit, ...part } : limit)));
  const add = (kind: LimitKind): void => {
    const near = limits.find((limit) => isUpperLimit(limit.kind) === isUpperLimit(kind));
    const threshold = near?.threshold ?? 0;
    setLimits(
      sorted([
        ...limits,
        {
          kind,
          threshold,
          deadband: near?.deadband ?? 0,
          on_delay_s: 0,
          off_delay_s: 0,
          priority: usualPriority[kind],
        },
      ]),
    );
  };
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (limits.length > 0) save.mutate();
  };
  const unit = formatUnit(tag.unit);
  return (
    <Dialog title={t('rule.title', { tag: tag.path })} onClose={onClose} size={820}>
      <form className="ls-stack" onSubmit={submit} data-testid="rule-form">
        <TextInput
          label={t('rule.name')}
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
          data-testid="rule-name"
        />
        {limits.length > 0 && (
          <div className="ls-scroll">
            <table className="ls-table ls-limits">
              <thead>
                <tr>
                  <th>{t('rule.kind')}</th>
                  <th>
                    {t('rule.threshold')}
                    {unit && `, ${unit}`}
                  </th>
                  <th>{t('rule.deadband')}</th>
                  <th>{t('rule.onDelay')}</th>
                  <th>{t('rule.offDelay')}</th>
                  <th>{t('rule.priority')}</th>
                  <th />
                </tr>
              </thead>
              <tbody>
                {limits.map((limit, i) => (
                  <LimitRow
                    key={limit.kind}
                    limit={limit}
                    isFirst={i === 0 || limit.kind === proposal?.kind}
                    onChange={(part) => change(limit.kind, part)}
                    onRemove={() => setLimits(limits.filter((it) => it !== limit))}
                  />
                ))}
              </tbody>
            </table>
          </div>
        )}
        <div className="ls-row">
          {kinds
            .filter((kind) => limits.every((limit) => limit.kind !== kind))
            .map((kind) => (
              <Button
                key={kind}
                variant="default"
                size="compact-sm"
                onClick={() => add(kind)}
                data-testid={`rule-add-${kind}`}
              >
                {t('rule.addLimit', { kind })}
              </Button>
            ))}
          <span className="ls-grow" />
          <Switch
            label={t('rule.enabled')}
            checked={enabled}
            onChange={(event) => setEnabled(event.currentTarget.checked)}
          />
        </div>
        <Preview tag={tag.id} limits={limits} />
        <div className="ls-cols">
          <Textarea
            label={t('rule.consequence')}
            value={consequence}
            onChange={(event) => setConsequence(event.currentTarget.value)}
            rows={2}
          />
          <Textarea
            label={t('rule.action')}
            value={action}
            onChange={(event) => setAction(event.currentTarget.value)}
            rows={2}
          />
        </div>
        <div className="ls-row">
          <Button type="submit" disabled={limits.length === 0} loading={save.isPending} data-testid="rule-save">
            {t('common.save')}
          </Button>
          <Button variant="default" onClick={onClose}>
            {t('common.cancel')}
          </Button>
          {limits.length === 0 && <span className="ls-dim">{t('rule.noLimit')}</span>}
        </div>
      </form>
    </Dialog>
  );
}

interface LimitRowProps {
  limit: Limit;
  isFirst: boolean;
  onChange: (part: Partial<Limit>) => void;
  onRemove: () => void;
}

function LimitRow({ limit, isFirst, onChange, onRemove }: LimitRowProps) {
  const field = (key: 'threshold' | 'deadband' | 'on_delay_s' | 'off_delay_s', label: string) => (
    <td>
      <NumberInput
        aria-label={`${limit.kind} ${label}`}
        data-autofocus={isFirst && key === 'threshold' ? true : undefined}
        hideControls
        w={110}
        min={key === 'threshold' ? undefined : 0}
        value={limit[key]}
        onChange={(value) => typeof value === 'number' && onChange({ [key]: value })}
        data-testid={`rule-${limit.kind}-${key}`}
      />
    </td>
  );
  return (
    <tr>
      <td>
        <span className="ls-row tight">
          <AlarmBadge priority={limit.priority} />
          <strong>{limit.kind}</strong>
        </span>
      </td>
      {field('threshold', t('rule.threshold'))}
      {field('deadband', t('rule.deadband'))}
      {field('on_delay_s', t('rule.onDelay'))}
      {field('off_delay_s', t('rule.offDelay'))}
      <td>
        <NativeSelect
          aria-label={`${limit.kind} ${t('rule.priority')}`}
          value={String(limit.priority)}
          onChange={(event) => onChange({ priority: Number(event.currentTarget.value) as Priority })}
          data={priorities.map((priority) => ({
            value: String(priority),
            label: `${priority} ${t(`priority.${priority}`)}`,
          }))}
          data-testid={`rule-${limit.kind}-priority`}
        />
      </td>
      <td>
        <ActionIcon aria-label={t('rule.removeLimit', { kind: limit.kind })} onClick={onRemove}>
          ×
        </ActionIcon>
      </td>
    </tr>
  );
}

function Preview({ tag, limits }: { tag: string; limits: Limit[] }) {
  const [asked] = useDebouncedValue(limits, 350);
  const preview = useQuery({
    queryKey: ['rule-preview', tag, asked],
    queryFn: () => rulesApi.preview(tag, asked, 'now-24h', 'now'),
    enabled: asked.length > 0,
    staleTime: 30_000,
    placeholderData: (before) => before,
    meta: { quiet: true },
  });
  if (limits.length === 0) return null;
  const data = preview.data;
  return (
    <div className="ls-snippet" data-testid="rule-preview" role="status">
      {preview.isError ? (
        <span>{preview.error.message}</span>
      ) : data === undefined ? (
        <span className="ls-dim">{t('rule.previewWaits')}</span>
      ) : data.samples === 0 ? (
        <span>{t('rule.previewNone')}</span>
      ) : (
        <span>
          <strong>{t('rule.preview', { count: data.fired })}</strong>{' '}
          <span className="ls-dim">
            {t('rule.previewShare', {
              share: formatShare(data.active_share),
              samples: data.samples.toLocaleString('en-US'),
            })}
          </span>
        </span>
      )}
    </div>
  );
}
