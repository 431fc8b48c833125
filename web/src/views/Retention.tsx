// Rules for how long samples stay: the first that fits a tag is its rule; what it would free is shown before it does.

import { ActionIcon, Button, NativeSelect, NumberInput, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useMutation, useQuery } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { retention as retentionApi } from '../api/dataEndpoints';
import type { NewRetentionRule, RetentionRule } from '../api/dataTypes';
import { formatBytes } from '../model/format';
import { useRefresh } from '../model/queries';
import { useMay } from '../model/roles';
import {
  type AgeUnit,
  ageOf,
  ageUnits,
  ruleProblem,
  ruleText,
  secondsOf,
  tierLengths,
  tierText,
} from '../model/storageView';
import { t } from '../model/text';
import { done } from '../model/toasts';
import { type Column, DataTable } from '../parts/DataTable';
import { DestroyDialog, Dialog } from '../parts/Dialog';
import { Offer, Panel, Waiting } from '../parts/Page';

const newRule: NewRetentionRule = {
  name: '',
  match: '**',
  position: 100,
  raw_age_s: 2 * 365 * 86_400,
  raw_bytes: null,
  tiers: [{ resolution_s: 60, age_s: null }],
};

export function Retention() {
  const rules = useQuery({ queryKey: ['retention'], queryFn: retentionApi.list }).data;
  const [editing, setEditing] = useState<RetentionRule | 'new' | null>(null);
  const [deleting, setDeleting] = useState<RetentionRule | null>(null);
  const mayEdit = useMay('engineer');
  const refresh = useRefresh();
  const remove = useMutation({
    mutationFn: (rule: RetentionRule) => retentionApi.remove(rule.id),
    onSuccess: () => {
      done(t('retention.deleted'));
      setDeleting(null);
      refresh('retention');
    },
  });
  const columns: Column<RetentionRule>[] = [
    {
      id: 'position',
      header: t('retention.position'),
      accessorFn: (rule) => rule.position,
      meta: { cell: 'right' },
      cell: ({ row }) => <span className="ls-num">{row.original.position}</span>,
    },
    { id: 'name', header: t('common.name'), accessorFn: (rule) => rule.name },
    {
      id: 'match',
      header: t('retention.match'),
      accessorFn: (rule) => rule.match,
      cell: ({ row }) => <code>{row.original.match}</code>,
    },
    {
      id: 'keeps',
      header: t('retention.keeps'),
      enableSorting: false,
      meta: { cell: 'grow wrap' },
      cell: ({ row }) => ruleText(row.original, formatBytes),
    },
    {
      id: 'tools',
      header: '',
      enableSorting: false,
      cell: ({ row }) =>
        mayEdit && (
          <span className="ls-row tight">
            <Button
              variant="default"
              size="compact-sm"
              onClick={() => setEditing(row.original)}
              data-testid="retention-edit"
            >
              {t('common.edit')}
            </Button>
            <Button
              variant="default"
              size="compact-sm"
              onClick={() => setDeleting(row.original)}
              data-testid="retention-delete"
            >
              {t('common.delete')}
            </Button>
          </span>
        ),
    },
  ];
  if (rules === undefined) return <Waiting />;
  const add = (
    <Button onClick={() => setEditing('new')} data-testid="retention-add">
      {t('retention.add')}
    </Button>
  );
  return (
    <>
      {rules.length > 0 && (
        <div className="ls-row">
          <span className="ls-dim">{t('retention.order')}</span>
          <span className="ls-grow" />
          {mayEdit && add}
        </div>
      )}
      <Panel pad={false}>
        {rules.length === 0 ? (
          <Offer title={t('retention.none')} text={t('retention.noneText')}>
            {mayEdit ? add : <span className="ls-dim">{t('retention.needsEngineer')}</span>}
          </Offer>
        ) : (
          <DataTable
            label={t('nav.retention')}
            rows={rules}
            columns={columns}
            rowId={(rule) => rule.id}
            onOpen={mayEdit ? setEditing : undefined}
            rowTestId="retention-row"
          />
        )}
      </Panel>
      {editing !== null && <RuleForm rule={editing === 'new' ? null : editing} onClose={() => setEditing(null)} />}
      {deleting !== null && (
        <DestroyDialog
          title={t('retention.delete')}
          text={t('retention.deleteText')}
          name={deleting.name}
          confirm={t('retention.delete')}
          onConfirm={() => remove.mutateAsync(deleting).catch(() => {})}
          onClose={() => setDeleting(null)}
        />
      )}
    </>
  );
}

function RuleForm({ rule, onClose }: { rule: RetentionRule | null; onClose: () => void }) {
  const [form, setForm] = useState<NewRetentionRule>(rule ?? newRule);
  const refresh = useRefresh();
  const set = (change: Partial<NewRetentionRule>): void => setForm({ ...form, ...change });
  const problem = ruleProblem(form);
  const named = { ...plain(form), name: form.name.trim() || form.match };
  const save = useMutation({
    mutationFn: () =>
      rule === null ? retentionApi.create(named) : retentionApi.change(rule.id, { ...named, version: rule.version }),
    onSuccess: () => {
      done(t('retention.saved'));
      refresh('retention', 'storage');
      onClose();
    },
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (problem === null) save.mutate();
  };
  return (
    <Dialog title={rule === null ? t('retention.add') : rule.name} onClose={onClose} size="lg">
      <form className="ls-stack" onSubmit={submit} data-testid="retention-form">
        <TextInput
          data-autofocus
          label={t('retention.match')}
          description={t('retention.matchHint')}
          value={form.match}
          spellCheck={false}
          onChange={(event) => set({ match: event.currentTarget.value })}
          data-testid="retention-match"
        />
        <div className="ls-fields">
          <TextInput
            label={t('common.name')}
            placeholder={form.match}
            value={form.name}
            onChange={(event) => set({ name: event.currentTarget.value })}
            data-testid="retention-name"
          />
          <NumberInput
            label={t('retention.position')}
            min={0}
            allowDecimal={false}
            value={form.position}
            onChange={(position) => set({ position: Number(position) || 0 })}
          />
        </div>
        <fieldset className="ls-stack">
          <legend className="ls-small ls-dim">{t('retention.keeps')}</legend>
          <AgeField
            label={t('retention.raw')}
            seconds={form.raw_age_s}
            onChange={(raw_age_s) => set({ raw_age_s })}
            testId="retention-raw"
          />
          {form.tiers.map((tier, i) => (
            <div key={tier.resolution_s} className="ls-row tight bottom">
              <AgeField
                label={tierText(tier.resolution_s)}
                seconds={tier.age_s}
                onChange={(age_s) => set({ tiers: form.tiers.map((it, at) => (at === i ? { ...it, age_s } : it)) })}
                testId={`retention-tier-${tier.resolution_s}`}
              />
              <ActionIcon
                aria-label={t('retention.removeTier', { tier: tierText(tier.resolution_s) })}
                onClick={() => set({ tiers: form.tiers.filter((_, at) => at !== i) })}
              >
                ×
              </ActionIcon>
            </div>
          ))}
          <div className="ls-row">
            {tierLengths
              .filter((length) => !form.tiers.some((tier) => tier.resolution_s === length))
              .map((length) => (
                <Button
                  key={length}
                  variant="default"
                  size="compact-sm"
                  onClick={() =>
                    set({
                      tiers: [...form.tiers, { resolution_s: length, age_s: null }].sort(
                        (a, b) => a.resolution_s - b.resolution_s,
                      ),
                    })
                  }
                >
                  {t('retention.addTier', { tier: tierText(length) })}
                </Button>
              ))}
          </div>
          <NumberInput
            label={t('retention.bytes')}
            description={t('retention.bytesHint')}
            min={0.001}
            decimalScale={3}
            value={form.raw_bytes === null ? '' : form.raw_bytes / 1e9}
            onChange={(gb) => set({ raw_bytes: typeof gb === 'number' && gb > 0 ? Math.round(gb * 1e9) : null })}
          />
        </fieldset>
        <strong>{ruleText(form, formatBytes)}</strong>
        {problem === null ? (
          <Preview rule={rule === null ? named : { ...named, id: rule.id }} />
        ) : (
          <div className="ls-problem" role="alert">
            {problem}
          </div>
        )}
        <div className="ls-row">
          <Button type="submit" disabled={problem !== null} loading={save.isPending} data-testid="retention-save">
            {t('common.save')}
          </Button>
          <Button variant="default" onClick={onClose}>
            {t('common.cancel')}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

/** Without what only the server says: id and version. */
const plain = ({ name, match, position, raw_age_s, raw_bytes, tiers }: NewRetentionRule): NewRetentionRule => ({
  name,
  match,
  position,
  raw_age_s,
  raw_bytes,
  tiers,
});

interface AgeFieldProps {
  label: string;
  seconds: number | null;
  onChange: (seconds: number | null) => void;
  testId: string;
}

function AgeField({ label, seconds, onChange, testId }: AgeFieldProps) {
  const age = seconds === null ? null : ageOf(seconds);
  return (
    <div className="ls-row tight bottom">
      <NativeSelect
        label={label}
        value={age?.unit ?? 'forEver'}
        onChange={(event) => {
          const unit = event.currentTarget.value;
          onChange(unit === 'forEver' ? null : secondsOf({ n: age?.n ?? 1, unit: unit as AgeUnit }));
        }}
        data={[
          { value: 'forEver', label: t('retention.forEver') },
          ...ageUnits.map(([unit]) => ({ value: unit, label: t(`retention.unit.${unit}`) })),
        ]}
        data-testid={`${testId}-unit`}
      />
      {age !== null && (
        <NumberInput
          aria-label={label}
          min={1}
          w={110}
          value={age.n}
          onChange={(n) => typeof n === 'number' && n > 0 && onChange(secondsOf({ n, unit: age.unit }))}
          data-testid={testId}
        />
      )}
    </div>
  );
}

function Preview({ rule }: { rule: NewRetentionRule & { id?: string } }) {
  const [asked] = useDebouncedValue(rule, 300);
  const preview = useQuery({
    queryKey: ['retention-preview', JSON.stringify(asked)],
    queryFn: () => retentionApi.preview(asked),
    meta: { quiet: true },
  });
  if (preview.isError) return <div className="ls-problem">{preview.error.message}</div>;
  if (preview.data === undefined) return <span className="ls-dim">{t('retention.counting')}</span>;
  // A rule that is not there yet has no id; the server answers for it without one, or with 0.
  const own = preview.data.find((it) =>
    rule.id === undefined ? it.rule === null || it.rule === '0' : it.rule === rule.id,
  );
  return (
    <div data-testid="retention-preview">
      {own === undefined || own.samples === 0
        ? t('retention.freesNothing')
        : t('retention.frees', {
            bytes: formatBytes(own.bytes),
            samples: own.samples.toLocaleString('en-US'),
            count: own.series,
          })}
    </div>
  );
}
