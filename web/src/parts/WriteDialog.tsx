// Writing to the plant in two steps: choose the value, then confirm with the value it replaces; the answer stays on screen.

import { Button, NumberInput, Switch, TextInput } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { tags as tagsApi } from '../api/endpoints';
import type { Scalar, Tag } from '../api/types';
import { formatUnit, formatValue } from '../model/format';
import { live } from '../model/live';
import { t } from '../model/text';
import { Dialog } from './Dialog';
import { LiveValue } from './LiveValue';
import { Facts } from './Page';

/** `crypto.randomUUID` exists only over HTTPS and on loopback. */
function newKey(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

export function WriteDialog({ tag, onClose }: { tag: Tag; onClose: () => void }) {
  const [value, setValue] = useState<Scalar>(live.read(tag.path)?.value ?? (tag.type === 'string' ? '' : 0));
  const [confirming, setConfirming] = useState<{ before: Scalar; key: string } | null>(null);
  const write = useMutation({ mutationFn: (key: string) => tagsApi.write(tag.id, value, key) });
  const unit = formatUnit(tag.unit);
  const next = (event: FormEvent): void => {
    event.preventDefault();
    setConfirming({ before: live.read(tag.path)?.value ?? null, key: newKey() });
  };
  const again = (): void => {
    setConfirming(null);
    write.reset();
  };
  return (
    <Dialog title={t('device.writeTitle', { path: tag.path })} onClose={onClose}>
      <div className="ls-stack">
        <Facts
          items={[
            [t('device.writeNow'), <LiveValue key="now" path={tag.path} unit={tag.unit} testId="write-current" />],
          ]}
        />
        {write.data !== undefined ? (
          <div className="ls-stack" role="status" data-testid="write-outcome" data-outcome={write.data.outcome}>
            <strong>{t(`device.outcome_${write.data.outcome}`)}</strong>
            <Facts
              items={[
                [t('device.writeValue'), `${formatValue(value)} ${unit}`],
                [
                  t('device.readBack'),
                  <LiveValue key="back" path={tag.path} unit={tag.unit} testId="write-read-back" />,
                ],
                ['', write.data.detail],
              ]}
            />
            <div className="ls-row">
              <Button onClick={onClose} data-testid="write-close">
                {t('common.close')}
              </Button>
              <Button variant="default" onClick={again}>
                {t('device.writeAgain')}
              </Button>
            </div>
          </div>
        ) : confirming === null ? (
          <form className="ls-stack" onSubmit={next}>
            <ValueField tag={tag} value={value} onChange={setValue} />
            <div className="ls-row">
              <Button type="submit" data-testid="write-next">
                {t('device.writeNext')}
              </Button>
              <Button variant="default" onClick={onClose}>
                {t('common.cancel')}
              </Button>
            </div>
          </form>
        ) : (
          <>
            <div>
              {t('device.writeAsk', {
                path: tag.path,
                before: formatValue(confirming.before),
                after: formatValue(value),
                unit,
              })}
            </div>
            <div className="ls-row">
              <Button
                onClick={() => write.mutate(confirming.key)}
                loading={write.isPending}
                data-testid="write-confirm"
              >
                {t('device.writeConfirm', { value: formatValue(value), unit })}
              </Button>
              <Button variant="default" onClick={again} data-autofocus>
                {t('common.back')}
              </Button>
            </div>
          </>
        )}
      </div>
    </Dialog>
  );
}

function ValueField({ tag, value, onChange }: { tag: Tag; value: Scalar; onChange: (value: Scalar) => void }) {
  const label = `${t('device.writeValue')}${tag.unit ? `, ${formatUnit(tag.unit)}` : ''}`;
  if (tag.type === 'bool') {
    return (
      <Switch
        label={label}
        checked={value === true}
        onChange={(event) => onChange(event.currentTarget.checked)}
        data-testid="write-value"
      />
    );
  }
  if (tag.type === 'string') {
    return (
      <TextInput
        data-autofocus
        label={label}
        value={String(value ?? '')}
        onChange={(event) => onChange(event.currentTarget.value)}
        data-testid="write-value"
      />
    );
  }
  return (
    <NumberInput
      data-autofocus
      label={label}
      value={typeof value === 'number' ? value : 0}
      min={tag.range?.[0] ?? undefined}
      max={tag.range?.[1] ?? undefined}
      clampBehavior="blur"
      allowDecimal={tag.type !== 'int'}
      onChange={(next) => typeof next === 'number' && onChange(next)}
      data-testid="write-value"
    />
  );
}
