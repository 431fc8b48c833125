// The question as a form: every change makes a new question, so that form and JSON are one thing.

import { ActionIcon, Button, NativeSelect, NumberInput, SegmentedControl, TextInput } from '@mantine/core';
import {
  caughtNames,
  changed,
  groupAggregates,
  listOf,
  perAggregates,
  type Question,
  type Select,
  selectAggregates,
  type ValueColumn,
} from '../model/questions';
import { t } from '../model/text';

interface Props {
  question: Question;
  onChange: (question: Question) => void;
}

export function QuestionForm({ question, onChange }: Props) {
  const set = (change: Partial<Question>): void => onChange(changed(question, change));
  const isLast = question.values === 'last';
  const setSelect = (i: number, change: Partial<Select>): void =>
    set({
      select: question.select.map((it, at) =>
        at === i ? { ...changed(it, change), name: change.name ?? it.name, tags: change.tags ?? it.tags } : it,
      ),
    });
  return (
    <>
      <SegmentedControl
        fullWidth
        aria-label={t('questions.values')}
        value={isLast ? 'last' : 'range'}
        onChange={(value) =>
          set(
            value === 'last'
              ? { values: 'last', from: undefined, to: undefined, bucket: undefined, per: undefined }
              : { values: undefined, from: question.from ?? 'now-24h' },
          )
        }
        data={[
          { value: 'range', label: t('questions.range') },
          { value: 'last', label: t('questions.last') },
        ]}
      />
      {question.select.map((select, i) => (
        <SelectFields
          key={i}
          select={select}
          isLast={isLast}
          onChange={(change) => setSelect(i, change)}
          onRemove={
            question.select.length > 1 ? () => set({ select: question.select.filter((_, at) => at !== i) }) : null
          }
        />
      ))}
      <div className="ls-row">
        <Button
          variant="default"
          size="compact-sm"
          onClick={() => set({ select: [...question.select, { name: `x${question.select.length + 1}`, tags: '' }] })}
        >
          {t('questions.addSelect')}
        </Button>
        <span className="ls-dim ls-small">
          {t('questions.caught', { names: caughtNames(question).join(', ') || '–' })}
        </span>
      </div>
      {!isLast && (
        <div className="ls-fields narrow">
          <Field label={t('trend.from')} value={question.from} onChange={(from) => set({ from })} testId="ask-from" />
          <Field label={t('trend.to')} value={question.to} onChange={(to) => set({ to })} placeholder="now" />
          <Field
            label={t('questions.bucket')}
            value={question.bucket}
            onChange={(bucket) => set({ bucket })}
            placeholder="10m"
            testId="ask-bucket"
          />
        </div>
      )}
      <Field
        label={t('questions.where')}
        value={question.where}
        onChange={(where) => set({ where })}
        placeholder="v > 1"
        testId="ask-where"
      />
      {!isLast && (
        <Stage
          title={t('questions.per')}
          add={t('questions.addPer')}
          aggregates={perAggregates}
          values={question.per?.values ?? null}
          onChange={(values) => set({ per: values === null ? undefined : { ...question.per, values } })}
        >
          <Field
            label={t('questions.perBucket')}
            value={question.per?.bucket}
            onChange={(bucket) => set({ per: changed({ values: [], ...question.per }, { bucket }) })}
            placeholder="1d"
          />
        </Stage>
      )}
      <Stage
        title={t('questions.group')}
        add={t('questions.addGroup')}
        aggregates={groupAggregates}
        values={question.group?.values ?? null}
        onChange={(values) => set({ group: values === null ? undefined : { ...question.group, values } })}
      >
        <Field
          label={t('questions.by')}
          value={question.group?.by?.join(', ')}
          onChange={(by) => set({ group: changed({ values: [], ...question.group }, { by: listOf(by) }) })}
          placeholder={caughtNames(question).join(', ')}
        />
      </Stage>
      <div className="ls-fields narrow">
        <Field
          label={t('questions.having')}
          value={question.having}
          onChange={(having) => set({ having })}
          placeholder="n > 22"
        />
        <Field
          label={t('questions.orderBy')}
          value={question.order_by?.join(', ')}
          onChange={(by) => set({ order_by: listOf(by) })}
          placeholder="-n"
        />
        <NumberInput
          label={t('questions.limit')}
          value={question.limit ?? ''}
          min={1}
          max={1_000_000}
          allowDecimal={false}
          onChange={(limit) => set({ limit: typeof limit === 'number' ? limit : undefined })}
          placeholder="10000"
        />
      </div>
    </>
  );
}

interface FieldProps {
  label: string;
  value: string | number | undefined;
  onChange: (value: string) => void;
  placeholder?: string;
  testId?: string;
}

function Field({ label, value, onChange, placeholder, testId }: FieldProps) {
  return (
    <TextInput
      label={label}
      value={value === undefined ? '' : String(value)}
      placeholder={placeholder}
      spellCheck={false}
      onChange={(event) => onChange(event.currentTarget.value)}
      data-testid={testId}
    />
  );
}

interface SelectFieldsProps {
  select: Select;
  isLast: boolean;
  onChange: (change: Partial<Select>) => void;
  onRemove: (() => void) | null;
}

function SelectFields({ select, isLast, onChange, onRemove }: SelectFieldsProps) {
  return (
    <fieldset className="ls-stack" data-testid="ask-select">
      <legend className="ls-small ls-dim">{t('questions.select')}</legend>
      <TextInput
        label={t('questions.tags')}
        description={t('questions.tagsHint')}
        value={select.tags}
        spellCheck={false}
        onChange={(event) => onChange({ tags: event.currentTarget.value })}
        data-testid="ask-tags"
      />
      <div className="ls-fields narrow">
        <TextInput
          label={t('questions.name')}
          value={select.name}
          spellCheck={false}
          onChange={(event) => onChange({ name: event.currentTarget.value })}
          data-testid="ask-name"
        />
        {!isLast && (
          <NativeSelect
            label={t('questions.aggregate')}
            value={select.aggregate ?? 'mean'}
            onChange={(event) =>
              onChange({ aggregate: event.currentTarget.value === 'mean' ? '' : event.currentTarget.value })
            }
            data={selectAggregates.map((it) => ({ value: it, label: t(`aggregate.${it}`) }))}
            data-testid="ask-aggregate"
          />
        )}
        <Field
          label={t('questions.value')}
          value={select.value}
          onChange={(value) => onChange({ value })}
          placeholder={`${select.name || 'x'} == 0`}
        />
        <Field
          label={t('questions.when')}
          value={select.when}
          onChange={(when) => onChange({ when })}
          placeholder="v > 1"
        />
      </div>
      {onRemove !== null && (
        <div>
          <Button variant="default" size="compact-sm" onClick={onRemove}>
            {t('questions.removeSelect')}
          </Button>
        </div>
      )}
    </fieldset>
  );
}

interface StageProps {
  title: string;
  add: string;
  aggregates: readonly string[];
  values: ValueColumn[] | null;
  onChange: (values: ValueColumn[] | null) => void;
  children: React.ReactNode;
}

/** A stage is there when it has values; without them it is offered. */
function Stage({ title, add, aggregates, values, onChange, children }: StageProps) {
  if (values === null)
    return (
      <div>
        <Button variant="default" size="compact-sm" onClick={() => onChange([{ name: 'n', aggregate: 'count' }])}>
          {add}
        </Button>
      </div>
    );
  const set = (i: number, change: Partial<ValueColumn>): void =>
    onChange(values.map((it, at) => (at === i ? { ...changed(it, change), name: change.name ?? it.name } : it)));
  return (
    <fieldset className="ls-stack">
      <legend className="ls-small ls-dim">{title}</legend>
      {children}
      {values.map((value, i) => (
        <div key={i} className="ls-row tight bottom">
          <TextInput
            label={i === 0 ? t('questions.name') : undefined}
            aria-label={t('questions.name')}
            value={value.name}
            onChange={(event) => set(i, { name: event.currentTarget.value })}
          />
          <NativeSelect
            label={i === 0 ? t('questions.aggregate') : undefined}
            aria-label={t('questions.aggregate')}
            value={value.aggregate ?? 'mean'}
            onChange={(event) => set(i, { aggregate: event.currentTarget.value })}
            data={aggregates.map((it) => ({ value: it, label: t(`aggregate.${it}` as 'aggregate.mean') }))}
          />
          <TextInput
            label={i === 0 ? t('questions.of') : undefined}
            aria-label={t('questions.of')}
            value={value.of ?? ''}
            placeholder="n / 6"
            onChange={(event) => set(i, { of: event.currentTarget.value })}
          />
          <ActionIcon
            aria-label={t('questions.removeValue', { name: value.name })}
            onClick={() => onChange(values.length === 1 ? null : values.filter((_, at) => at !== i))}
          >
            ×
          </ActionIcon>
        </div>
      ))}
      <div>
        <Button
          variant="default"
          size="compact-sm"
          onClick={() => onChange([...values, { name: `n${values.length + 1}`, aggregate: 'count' }])}
        >
          {t('questions.addValue')}
        </Button>
      </div>
    </fieldset>
  );
}
