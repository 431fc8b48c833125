// Acknowledging says: I have seen it. One or many, with a comment.

import { Button, Textarea } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import type { FormEvent, KeyboardEvent } from 'react';
import { useState } from 'react';
import { alarms as alarmsApi } from '../api/endpoints';
import type { Alarm } from '../api/types';
import { useRefresh } from '../model/queries';
import { t } from '../model/text';
import { done } from '../model/toasts';
import { AlarmBadge } from './AlarmBadge';
import { Dialog } from './Dialog';

const listedMax = 6;

export function AckDialog({ alarms, onClose }: { alarms: Alarm[]; onClose: () => void }) {
  const [comment, setComment] = useState('');
  const refresh = useRefresh();
  const acknowledge = useMutation({
    mutationFn: () =>
      alarmsApi.acknowledge(
        alarms.map((alarm) => alarm.id),
        comment,
      ),
    onSuccess: () => {
      done(t('alarm.acknowledged', { count: alarms.length }));
      refresh('alarms', 'journal');
      onClose();
    },
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    acknowledge.mutate();
  };
  const keyDown = (event: KeyboardEvent): void => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) acknowledge.mutate();
  };
  return (
    <Dialog title={t('alarm.acknowledgeCount', { count: alarms.length })} onClose={onClose}>
      <form className="ls-stack" onSubmit={submit}>
        {alarms.slice(0, listedMax).map((alarm) => (
          <div key={alarm.id} className="ls-row tight">
            <AlarmBadge priority={alarm.priority} />
            <span className="ls-cut">{alarm.name || alarm.tag_path}</span>
            <span className="ls-dim">{alarm.limit}</span>
          </div>
        ))}
        {alarms.length > listedMax && (
          <div className="ls-dim">{t('common.more', { count: alarms.length - listedMax })}</div>
        )}
        {alarms.length === 1 && alarms[0]?.action && (
          <div>
            <span className="ls-dim">{t('alarm.action')}: </span>
            {alarms[0].action}
          </div>
        )}
        <Textarea
          data-autofocus
          label={t('alarm.comment')}
          value={comment}
          onChange={(event) => setComment(event.currentTarget.value)}
          onKeyDown={keyDown}
          rows={3}
          data-testid="ack-comment"
        />
        <div className="ls-row">
          <Button type="submit" loading={acknowledge.isPending} data-testid="ack-submit">
            {t('alarm.acknowledge')}
          </Button>
          <Button variant="default" onClick={onClose}>
            {t('common.cancel')}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
