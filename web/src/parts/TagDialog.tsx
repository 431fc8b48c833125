import { Button, NumberInput, Switch, TextInput } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { tags as tagsApi } from '../api/endpoints';
import type { Tag } from '../api/types';
import { useRefresh } from '../model/queries';
import { t } from '../model/text';
import { done } from '../model/toasts';
import { Dialog } from './Dialog';

type Change = Pick<Tag, 'unit' | 'description' | 'scale' | 'offset' | 'deadband' | 'range' | 'writable'>;

const numberOrNull = (value: number | string): number | null => (typeof value === 'number' ? value : null);

export function TagDialog({ tag, onClose }: { tag: Tag; onClose: () => void }) {
  const { unit, description, scale, offset, deadband, writable } = tag;
  const [change, setChange] = useState<Omit<Change, 'range'>>({ unit, description, scale, offset, deadband, writable });
  const [low, setLow] = useState<number | null>(tag.range?.[0] ?? null);
  const [high, setHigh] = useState<number | null>(tag.range?.[1] ?? null);
  const refresh = useRefresh();
  const save = useMutation({
    mutationFn: () => tagsApi.change(tag.id, { ...change, range: low === null && high === null ? null : [low, high] }),
    onSuccess: () => {
      done(t('common.saved'));
      refresh('tags', 'values', 'trend-tags');
      onClose();
    },
  });
  const set = (part: Partial<Change>): void => setChange({ ...change, ...part });
  const number = (key: 'scale' | 'offset' | 'deadband', label: string) => (
    <NumberInput
      label={label}
      value={change[key]}
      min={key === 'deadband' ? 0 : undefined}
      hideControls
      onChange={(value) => typeof value === 'number' && set({ [key]: value })}
      data-testid={`tag-${key}`}
    />
  );
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    save.mutate();
  };
  return (
    <Dialog title={t('device.editTag', { path: tag.path })} onClose={onClose} size="lg">
      <form className="ls-stack" onSubmit={submit}>
        <TextInput
          data-autofocus
          label={t('device.description')}
          value={change.description}
          onChange={(event) => set({ description: event.currentTarget.value })}
          data-testid="tag-description"
        />
        <div className="ls-fields">
          <TextInput
            label={t('device.unit')}
            value={change.unit}
            onChange={(event) => set({ unit: event.currentTarget.value })}
            data-testid="tag-unit"
          />
          {number('scale', t('device.scale'))}
          {number('offset', t('device.offset'))}
          {number('deadband', t('device.deadband'))}
          <NumberInput
            label={t('device.rangeLow')}
            value={low ?? ''}
            hideControls
            onChange={(value) => setLow(numberOrNull(value))}
          />
          <NumberInput
            label={t('device.rangeHigh')}
            value={high ?? ''}
            hideControls
            onChange={(value) => setHigh(numberOrNull(value))}
          />
        </div>
        <Switch
          label={t('device.writable')}
          checked={change.writable}
          onChange={(event) => set({ writable: event.currentTarget.checked })}
          data-testid="tag-writable"
        />
        <div className="ls-row">
          <Button type="submit" loading={save.isPending} data-testid="tag-save">
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
