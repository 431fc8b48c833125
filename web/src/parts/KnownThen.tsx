// The past as it was known then: which later samples and corrections are not to be seen.

import { Button, Popover, TextInput } from '@mantine/core';
import { type FormEvent, useState } from 'react';
import { formatTime, timeZoneText } from '../model/format';
import { t } from '../model/text';
import { toLocalInput } from '../model/timeRange';

interface Props {
  /** RFC 3339, or empty for what is known now. */
  knownAt: string;
  onChange: (knownAt: string) => void;
}

export function KnownThenControl({ knownAt, onChange }: Props) {
  const [isOpen, setOpen] = useState(false);
  const [text, setText] = useState('');
  const wanted = Date.parse(text);
  const open = (): void => {
    setText(toLocalInput(knownAt === '' ? Date.now() : Date.parse(knownAt)));
    setOpen(!isOpen);
  };
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (Number.isNaN(wanted)) return;
    onChange(new Date(wanted).toISOString());
    setOpen(false);
  };
  return (
    <Popover opened={isOpen} onChange={setOpen} trapFocus position="bottom-end">
      <Popover.Target>
        <Button
          size="compact-xs"
          variant={knownAt === '' ? 'default' : 'filled'}
          onClick={open}
          title={t('knownThen.hint')}
          data-testid="known-then"
        >
          {t('knownThen.button')}
        </Button>
      </Popover.Target>
      <Popover.Dropdown>
        <form className="ls-stack" onSubmit={submit}>
          <TextInput
            type="datetime-local"
            step={1}
            label={t('knownThen.label')}
            description={t('knownThen.hint')}
            value={text}
            onChange={(event) => setText(event.currentTarget.value)}
            data-testid="known-at"
          />
          <div className="ls-dim ls-small">{timeZoneText()}</div>
          <Button type="submit" disabled={Number.isNaN(wanted)} data-testid="known-apply">
            {t('trend.apply')}
          </Button>
        </form>
      </Popover.Dropdown>
    </Popover>
  );
}

/** Stands over the chart as long as it does not show what is known now. */
export function KnownThenMark({ knownAt, onChange }: Props) {
  return (
    <div className="ls-then-mark" role="status" data-testid="known-mark">
      <strong>{t('knownThen.mark', { time: formatTime(knownAt) })}</strong>
      <span>{t('knownThen.markText')}</span>
      <span className="ls-grow" />
      <Button variant="default" size="compact-sm" onClick={() => onChange('')} data-testid="known-now">
        {t('knownThen.now')}
      </Button>
    </div>
  );
}
