// Dialogs that leave the alarm strip free, and the ones that ask before something is lost.

import { Button, Modal, TextInput } from '@mantine/core';
import { type FormEvent, type ReactNode, useState } from 'react';
import { t } from '../model/text';

interface DialogProps {
  title: ReactNode;
  onClose: () => void;
  size?: string | number;
  children: ReactNode;
}

/** `lockScroll` would add a style element, which the content security policy refuses. */
export function Dialog({ title, onClose, size = 'md', children }: DialogProps) {
  return (
    <Modal
      opened
      onClose={onClose}
      title={title}
      size={size}
      lockScroll={false}
      centered
      transitionProps={{ duration: 0 }}
      closeButtonProps={{ 'aria-label': t('common.close') }}
    >
      {children}
    </Modal>
  );
}

interface DestroyProps {
  title: string;
  text: string;
  /** What has to be typed. */
  name: string;
  confirm: string;
  onConfirm: () => Promise<unknown>;
  onClose: () => void;
}

/** Destroying needs the name typed: a click is made too easily. */
export function DestroyDialog({ title, text, name, confirm, onConfirm, onClose }: DestroyProps) {
  const [typed, setTyped] = useState('');
  const [busy, setBusy] = useState(false);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    setBusy(true);
    onConfirm().finally(() => setBusy(false));
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <form className="ls-stack" onSubmit={submit}>
        <div>{text}</div>
        <TextInput
          data-autofocus
          label={t('common.typeName', { name })}
          value={typed}
          onChange={(event) => setTyped(event.currentTarget.value)}
        />
        <div className="ls-row">
          <Button type="submit" disabled={typed !== name} loading={busy}>
            {confirm}
          </Button>
          <Button variant="default" onClick={onClose}>
            {t('common.cancel')}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
