import { Button, TextInput } from '@mantine/core';
import { type FormEvent, useState } from 'react';
import { timeZoneText } from '../model/format';
import { t } from '../model/text';
import { type TimeRange, toLocalInput } from '../model/timeRange';

/** From and to in the zone of the browser, which is named. */
export function RangeForm({ range, onApply }: { range: TimeRange; onApply: (range: TimeRange) => void }) {
  const [from, setFrom] = useState(toLocalInput(range.fromMs));
  const [to, setTo] = useState(toLocalInput(range.toMs));
  const wanted = { fromMs: Date.parse(from), toMs: Date.parse(to) };
  const isRange = wanted.fromMs < wanted.toMs;
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (isRange) onApply(wanted);
  };
  return (
    <form className="ls-stack" onSubmit={submit}>
      <TextInput
        type="datetime-local"
        step={1}
        label={t('trend.from')}
        value={from}
        onChange={(event) => setFrom(event.currentTarget.value)}
        data-testid="range-from"
      />
      <TextInput
        type="datetime-local"
        step={1}
        label={t('trend.to')}
        value={to}
        error={isRange ? undefined : t('trend.badRange')}
        onChange={(event) => setTo(event.currentTarget.value)}
        data-testid="range-to"
      />
      <div className="ls-dim ls-small">{timeZoneText()}</div>
      <Button type="submit" disabled={!isRange} data-testid="range-apply">
        {t('trend.apply')}
      </Button>
    </form>
  );
}
