// Taking samples away, or putting them right: with a reason, typed to confirm, kept in the audit.

import { Button, NativeSelect, SegmentedControl, Textarea, TextInput } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { quality as qualityApi, samples as samplesApi } from '../api/dataEndpoints';
import type { CurrentValue, ValueType } from '../api/types';
import { type Edit, parseScalar, type Sample, samplesFromCsv, samplesOf } from '../model/corrections';
import { formatTime, formatUnit, timeZoneText } from '../model/format';
import { useRefresh } from '../model/queries';
import { t } from '../model/text';
import { type TimeRange, toLocalInput } from '../model/timeRange';
import { done } from '../model/toasts';
import { forgetTiles } from '../model/trendHistory';
import { Dialog } from '../parts/Dialog';

const reasonMin = 3;
const rowsMax = 500;

interface Props {
  tags: CurrentValue[];
  range: TimeRange;
  onClose: () => void;
  /** Something was changed: what is shown is out of date. */
  onDone: () => void;
}

export default function ChangeData({ tags, range, onClose, onDone }: Props) {
  const [kind, setKind] = useState('erase');
  const [path, setPath] = useState(tags[0]?.path ?? '');
  const [from, setFrom] = useState(toLocalInput(range.fromMs));
  const [to, setTo] = useState(toLocalInput(range.toMs));
  const [reason, setReason] = useState('');
  const [typed, setTyped] = useState('');
  const [edits, setEdits] = useState<Map<string, Edit>>(new Map());
  const tag = tags.find((it) => it.path === path);
  const wanted = { fromMs: Date.parse(from), toMs: Date.parse(to) };
  const isRange = wanted.fromMs < wanted.toMs;
  const [fromIso, toIso] = isRange ? [wanted.fromMs, wanted.toMs].map((ms) => new Date(ms).toISOString()) : [];
  const refresh = useRefresh();
  const word = kind === 'erase' ? t('change.eraseWord') : t('change.correctWord');
  const corrections = samplesOf(edits, tag?.type ?? 'double');
  const apply = useMutation({
    mutationFn: async () => {
      const order = { reason: reason.trim() };
      if (kind === 'erase') {
        const erased = await samplesApi.erase({ ...order, tags: [path], from: fromIso ?? '', to: toIso ?? '' });
        return t('change.erased', { count: erased.samples });
      }
      const corrected = await samplesApi.correct({ ...order, tag: path, samples: corrections ?? [] });
      return t('change.corrected', { count: corrected.replaced + corrected.added });
    },
    onSuccess: (text) => {
      done(text);
      forgetTiles();
      refresh('completeness', 'storage', 'data-quality');
      onDone();
      onClose();
    },
  });
  const hasChange = kind === 'erase' || (corrections !== null && corrections.length > 0);
  const isReady = isRange && tag !== undefined && reason.trim().length >= reasonMin && typed === word && hasChange;
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (isReady) apply.mutate();
  };
  return (
    <Dialog title={t('change.title')} onClose={onClose} size="lg">
      <form className="ls-stack" onSubmit={submit} data-testid="change-form">
        <SegmentedControl
          aria-label={t('change.title')}
          value={kind}
          onChange={(next) => {
            setKind(next);
            setTyped('');
          }}
          data={[
            { value: 'erase', label: t('change.erase') },
            { value: 'correct', label: t('change.correct') },
          ]}
          data-testid="change-kind"
        />
        <NativeSelect
          label={t('alarm.tag')}
          value={path}
          onChange={(event) => {
            setPath(event.currentTarget.value);
            setEdits(new Map());
          }}
          data={tags.map((it) => it.path)}
          data-testid="change-tag"
        />
        <div className="ls-fields times">
          <TextInput
            type="datetime-local"
            step={1}
            label={t('trend.from')}
            value={from}
            onChange={(event) => setFrom(event.currentTarget.value)}
            data-testid="change-from"
          />
          <TextInput
            type="datetime-local"
            step={1}
            label={t('trend.to')}
            value={to}
            error={isRange ? undefined : t('trend.badRange')}
            onChange={(event) => setTo(event.currentTarget.value)}
            data-testid="change-to"
          />
        </div>
        <span className="ls-dim ls-small">{timeZoneText()}</span>
        {tag !== undefined &&
          fromIso !== undefined &&
          toIso !== undefined &&
          (kind === 'erase' ? (
            <EraseText path={path} from={fromIso} to={toIso} />
          ) : (
            <Samples tag={tag} from={fromIso} to={toIso} edits={edits} onEdits={setEdits} />
          ))}
        <Textarea
          label={t('change.reason')}
          description={t('change.reasonHint')}
          value={reason}
          onChange={(event) => setReason(event.currentTarget.value)}
          data-testid="change-reason"
        />
        <TextInput
          label={t('common.typeName', { name: word })}
          value={typed}
          autoComplete="off"
          onChange={(event) => setTyped(event.currentTarget.value)}
          data-testid="change-typed"
        />
        <div className="ls-row">
          <Button type="submit" disabled={!isReady} loading={apply.isPending} data-testid="change-apply">
            {kind === 'erase' ? t('change.eraseNow') : t('change.correctNow', { count: corrections?.length ?? 0 })}
          </Button>
          <Button variant="default" onClick={onClose}>
            {t('common.cancel')}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

function EraseText({ path, from, to }: { path: string; from: string; to: string }) {
  const count = useQuery({
    queryKey: ['erase-count', path, from, to],
    queryFn: async () => (await qualityApi.completeness([path], from, to)).get(path)?.samples ?? 0,
    meta: { quiet: true },
  }).data;
  return (
    <div data-testid="change-count">
      {count === undefined
        ? t('retention.counting')
        : t('change.eraseText', { count, samples: count.toLocaleString('en-US') })}
    </div>
  );
}

interface SamplesProps {
  tag: CurrentValue;
  from: string;
  to: string;
  edits: Map<string, Edit>;
  onEdits: (edits: Map<string, Edit>) => void;
}

/** Each sample of the stretch with room for what it should be; all at once from the line above. */
function Samples({ tag, from, to, edits, onEdits }: SamplesProps) {
  const [all, setAll] = useState('');
  const answer = useQuery({
    queryKey: ['correct-samples', tag.path, from, to],
    queryFn: async () => samplesFromCsv(await samplesApi.csv(tag.path, from, to, rowsMax + 1)),
    staleTime: Number.POSITIVE_INFINITY,
  }).data;
  if (answer === undefined) return <span className="ls-dim">{t('retention.counting')}</span>;
  if (answer.length === 0) return <span className="ls-dim">{t('change.noSamples')}</span>;
  if (answer.length > rowsMax) return <span className="ls-problem">{t('change.tooMany', { count: rowsMax })}</span>;
  const set = (time: string, edit: Edit | null): void => {
    const next = new Map(edits);
    if (edit === null) next.delete(time);
    else next.set(time, edit);
    onEdits(next);
  };
  const setEvery = (of: (sample: Sample) => Edit): void =>
    onEdits(new Map(answer.map((sample) => [sample.time, of(sample)])));
  return (
    <>
      <div className="ls-row bottom">
        <TextInput
          label={t('change.all')}
          value={all}
          onChange={(event) => setAll(event.currentTarget.value)}
          data-testid="change-all"
        />
        <Button
          variant="default"
          disabled={parseScalar(all, tag.type) === null}
          onClick={() => setEvery(() => ({ text: all, isBad: false }))}
          data-testid="change-set-all"
        >
          {t('change.setAll')}
        </Button>
        <Button variant="default" onClick={() => setEvery((sample) => ({ text: sample.text, isBad: true }))}>
          {t('change.allBad')}
        </Button>
      </div>
      <div className="ls-scroll" style={{ maxHeight: 260 }}>
        <table className="ls-table ls-grid-edit" aria-label={t('change.samples')} data-testid="change-samples">
          <thead>
            <tr>
              <th>{t('alarm.time')}</th>
              <th className="right">{t('change.was')}</th>
              <th>{t('change.shallBe', { unit: formatUnit(tag.unit) })}</th>
              <th>{t('quality.bad')}</th>
            </tr>
          </thead>
          <tbody>
            {answer.map((sample) => (
              <SampleRow
                key={sample.time}
                sample={sample}
                type={tag.type}
                edit={edits.get(sample.time) ?? null}
                onEdit={(edit) => set(sample.time, edit)}
              />
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

interface RowProps {
  sample: Sample;
  type: ValueType;
  edit: Edit | null;
  onEdit: (edit: Edit | null) => void;
}

function SampleRow({ sample, type, edit, onEdit }: RowProps) {
  const time = `${formatTime(sample.time)}${/\.\d{1,3}/.exec(sample.time)?.[0] ?? ''}`;
  const isWrong = edit !== null && parseScalar(edit.text, type) === null;
  return (
    <tr className={edit !== null ? 'chosen' : ''}>
      <td className="ls-num" title={sample.time}>
        {time}
      </td>
      <td className="right ls-num">
        {sample.text} {sample.quality === 'Good' ? '' : sample.quality}
      </td>
      <td>
        <input
          aria-label={t('change.valueAt', { time })}
          aria-invalid={isWrong}
          value={edit?.text ?? ''}
          placeholder={sample.text}
          onChange={(event) => {
            const text = event.currentTarget.value;
            onEdit(text === '' && !edit?.isBad ? null : { text, isBad: edit?.isBad ?? false });
          }}
        />
      </td>
      <td>
        <input
          type="checkbox"
          aria-label={t('change.badAt', { time })}
          checked={edit?.isBad ?? false}
          onChange={(event) => {
            const isBad = event.currentTarget.checked;
            const text = edit?.text ?? sample.text;
            onEdit(isBad || text !== sample.text ? { text, isBad } : null);
          }}
        />
      </td>
    </tr>
  );
}
