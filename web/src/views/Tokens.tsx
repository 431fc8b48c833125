// Tokens of programs and devices. A token is shown once, when it is made.

import { Button, Checkbox, NativeSelect, TextInput } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { tokens as tokensApi } from '../api/endpoints';
import type { Role, Token } from '../api/types';
import { formatTime } from '../model/format';
import { useRefresh } from '../model/queries';
import { roles } from '../model/roles';
import { t } from '../model/text';
import { done } from '../model/toasts';
import { Snippet } from '../parts/Copy';
import { type Column, DataTable } from '../parts/DataTable';
import { DestroyDialog, Dialog } from '../parts/Dialog';
import { Offer, Panel, Waiting } from '../parts/Page';

const scopes = ['telemetry:write', 'data:read', 'command:write', 'alarm:write', 'config:write', 'admin'] as const;
type Scope = (typeof scopes)[number];

const scopeText = (scope: string): string => (scopes.includes(scope as Scope) ? t(`scope.${scope as Scope}`) : scope);

export function Tokens() {
  const tokens = useQuery({ queryKey: ['tokens'], queryFn: tokensApi.list }).data;
  const [adding, setAdding] = useState(false);
  const [deleting, setDeleting] = useState<Token | null>(null);
  const refresh = useRefresh();
  const remove = useMutation({
    mutationFn: (token: Token) => tokensApi.remove(token.id),
    onSuccess: () => {
      done(t('users.tokenDeleted'));
      setDeleting(null);
      refresh('tokens');
    },
  });
  const columns: Column<Token>[] = [
    { id: 'name', header: t('common.name'), accessorFn: (token) => token.name, meta: { cell: 'grow' } },
    { id: 'scopes', header: t('users.scopes'), accessorFn: (token) => token.scopes.map(scopeText).join(', ') },
    { id: 'role', header: t('users.role'), accessorFn: (token) => (token.role ? t(`role.${token.role}`) : '') },
    { id: 'device', header: t('users.device'), accessorFn: (token) => token.device || t('users.anyDevice') },
    {
      id: 'created',
      header: t('users.created'),
      accessorFn: (token) => token.created ?? '',
      cell: ({ row }) => formatTime(row.original.created),
      meta: { cell: 'ls-wide-only' },
    },
    {
      id: 'expires',
      header: t('users.expires'),
      accessorFn: (token) => token.expires ?? '',
      cell: ({ row }) => (row.original.expires ? formatTime(row.original.expires) : t('users.never')),
    },
    {
      id: 'tools',
      header: '',
      enableSorting: false,
      cell: ({ row }) => (
        <Button variant="default" size="compact-sm" onClick={() => setDeleting(row.original)}>
          {t('users.withdraw')}
        </Button>
      ),
    },
  ];
  if (tokens === undefined) return <Waiting />;
  return (
    <>
      <div className="ls-row">
        <span className="ls-grow" />
        <Button onClick={() => setAdding(true)} data-testid="token-add">
          {t('users.addToken')}
        </Button>
      </div>
      <Panel pad={false} className="ls-fill">
        {tokens.length === 0 ? (
          <Offer title={t('users.tokensNone')} text={t('users.tokensNoneText')}>
            <Button onClick={() => setAdding(true)}>{t('users.addToken')}</Button>
          </Offer>
        ) : (
          <DataTable
            label={t('users.tokens')}
            rows={tokens}
            columns={columns}
            rowId={(token) => token.id}
            rowTestId="token-row"
          />
        )}
      </Panel>
      {adding && <TokenDialog onClose={() => setAdding(false)} />}
      {deleting !== null && (
        <DestroyDialog
          title={t('users.withdraw')}
          text={t('users.withdrawText')}
          name={deleting.name}
          confirm={t('users.withdraw')}
          onConfirm={() => remove.mutateAsync(deleting).catch(() => {})}
          onClose={() => setDeleting(null)}
        />
      )}
    </>
  );
}

function TokenDialog({ onClose }: { onClose: () => void }) {
  const [name, setName] = useState('');
  const [role, setRole] = useState<Role>('viewer');
  const [device, setDevice] = useState('');
  const [expires, setExpires] = useState('');
  const [chosen, setChosen] = useState<Set<string>>(new Set(['data:read']));
  const refresh = useRefresh();
  const create = useMutation({
    mutationFn: () =>
      tokensApi.create({
        name: name.trim(),
        role,
        scopes: [...chosen],
        ...(device.trim() === '' ? {} : { device: device.trim() }),
        ...(expires === '' ? {} : { expires: new Date(`${expires}T23:59:59`).toISOString() }),
      }),
    onSuccess: () => refresh('tokens'),
  });
  const toggle = (scope: string): void => {
    const next = new Set(chosen);
    if (!next.delete(scope)) next.add(scope);
    setChosen(next);
  };
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    create.mutate();
  };
  if (create.data !== undefined) {
    return (
      <Dialog title={t('users.addToken')} onClose={onClose} size="lg">
        <div className="ls-stack">
          <div>{t('users.tokenOnce')}</div>
          <Snippet text={create.data.token} testId="new-token" />
          <Button onClick={onClose} style={{ alignSelf: 'start' }}>
            {t('common.close')}
          </Button>
        </div>
      </Dialog>
    );
  }
  return (
    <Dialog title={t('users.addToken')} onClose={onClose}>
      <form className="ls-stack" onSubmit={submit}>
        <TextInput
          data-autofocus
          label={t('common.name')}
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
          data-testid="token-name"
        />
        <fieldset className="ls-stack" style={{ gap: 8 }}>
          <legend>{t('users.scopes')}</legend>
          {scopes.map((scope) => (
            <Checkbox
              key={scope}
              label={t(`scope.${scope}`)}
              checked={chosen.has(scope)}
              onChange={() => toggle(scope)}
              data-testid={`scope-${scope}`}
            />
          ))}
        </fieldset>
        <NativeSelect
          label={t('users.role')}
          value={role}
          onChange={(event) => setRole(event.currentTarget.value as Role)}
          data={roles.map((it) => ({ value: it, label: `${t(`role.${it}`)}: ${t(`users.roleText.${it}`)}` }))}
          data-testid="token-role"
        />
        <TextInput
          label={t('users.device')}
          placeholder={t('users.anyDevice')}
          value={device}
          onChange={(event) => setDevice(event.currentTarget.value)}
        />
        <TextInput
          type="date"
          label={t('users.expires')}
          value={expires}
          onChange={(event) => setExpires(event.currentTarget.value)}
        />
        <div className="ls-row">
          <Button
            type="submit"
            disabled={name.trim() === '' || chosen.size === 0}
            loading={create.isPending}
            data-testid="token-save"
          >
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
