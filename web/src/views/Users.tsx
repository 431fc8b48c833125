// People and programs that may come in.

import { Button, NativeSelect, PasswordInput, Tabs, TextInput } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { users as usersApi } from '../api/endpoints';
import type { Role, User } from '../api/types';
import { formatTime } from '../model/format';
import { useSearchParam } from '../model/navigation';
import { passwordLengthMin } from '../model/password';
import { useRefresh } from '../model/queries';
import { roles } from '../model/roles';
import { t } from '../model/text';
import { done } from '../model/toasts';
import { type Column, DataTable } from '../parts/DataTable';
import { DestroyDialog, Dialog } from '../parts/Dialog';
import { Page, Panel, Waiting } from '../parts/Page';
import { StrengthHint } from './Claim';
import { Tokens } from './Tokens';

export default function Users() {
  const [tab, setTab] = useSearchParam('tab', 'users');
  return (
    <Page
      full
      title={t('users.title')}
      testId="users"
      tools={
        <Tabs value={tab} onChange={setTab} className="ls-grow">
          <Tabs.List>
            <Tabs.Tab value="users">{t('users.users')}</Tabs.Tab>
            <Tabs.Tab value="tokens" data-testid="tab-tokens">
              {t('users.tokens')}
            </Tabs.Tab>
          </Tabs.List>
        </Tabs>
      }
    >
      {tab === 'tokens' ? <Tokens /> : <UserList />}
    </Page>
  );
}

function UserList() {
  const users = useQuery({ queryKey: ['users'], queryFn: usersApi.list }).data;
  const [editing, setEditing] = useState<User | 'new' | null>(null);
  const [deleting, setDeleting] = useState<User | null>(null);
  const refresh = useRefresh();
  const remove = useMutation({
    mutationFn: (user: User) => usersApi.remove(user.id),
    onSuccess: () => {
      done(t('users.deleted'));
      setDeleting(null);
      refresh('users');
    },
  });
  const columns: Column<User>[] = [
    { id: 'name', header: t('common.name'), accessorFn: (user) => user.name, meta: { cell: 'grow' } },
    {
      id: 'role',
      header: t('users.role'),
      accessorFn: (user) => user.role,
      cell: ({ row }) => (
        <>
          {t(`role.${row.original.role}`)}{' '}
          <span className="ls-dim ls-small ls-wide-only">{t(`users.roleText.${row.original.role}`)}</span>
        </>
      ),
    },
    {
      id: 'created',
      header: t('users.created'),
      accessorFn: (user) => user.created,
      cell: ({ row }) => formatTime(row.original.created),
      meta: { cell: 'ls-wide-only' },
    },
    {
      id: 'last',
      header: t('users.lastSignIn'),
      accessorFn: (user) => user.last_sign_in ?? '',
      cell: ({ row }) => formatTime(row.original.last_sign_in),
    },
    {
      id: 'tools',
      header: '',
      enableSorting: false,
      cell: ({ row }) => (
        <span className="ls-row tight">
          <Button variant="default" size="compact-sm" onClick={() => setEditing(row.original)}>
            {t('common.edit')}
          </Button>
          <Button variant="default" size="compact-sm" onClick={() => setDeleting(row.original)}>
            {t('common.delete')}
          </Button>
        </span>
      ),
    },
  ];
  if (users === undefined) return <Waiting />;
  return (
    <>
      <div className="ls-row">
        <span className="ls-grow" />
        <Button onClick={() => setEditing('new')} data-testid="user-add">
          {t('users.add')}
        </Button>
      </div>
      <Panel pad={false} className="ls-fill">
        <DataTable
          label={t('users.users')}
          rows={users}
          columns={columns}
          rowId={(user) => user.id}
          onOpen={setEditing}
          rowTestId="user-row"
        />
      </Panel>
      {editing !== null && <UserDialog user={editing === 'new' ? null : editing} onClose={() => setEditing(null)} />}
      {deleting !== null && (
        <DestroyDialog
          title={t('users.delete')}
          text={t('users.deleteText')}
          name={deleting.name}
          confirm={t('users.delete')}
          onConfirm={() => remove.mutateAsync(deleting).catch(() => {})}
          onClose={() => setDeleting(null)}
        />
      )}
    </>
  );
}

function UserDialog({ user, onClose }: { user: User | null; onClose: () => void }) {
  const [name, setName] = useState(user?.name ?? '');
  const [role, setRole] = useState<Role>(user?.role ?? 'operator');
  const [password, setPassword] = useState('');
  const refresh = useRefresh();
  const save = useMutation({
    mutationFn: () =>
      user === null
        ? usersApi.create({ name: name.trim(), role, password })
        : usersApi.change(user.id, { name: name.trim(), role, ...(password === '' ? {} : { password }) }),
    onSuccess: () => {
      done(t('users.saved'));
      refresh('users');
      onClose();
    },
  });
  const needsPassword = user === null || password !== '';
  const isReady = name.trim() !== '' && (!needsPassword || password.length >= passwordLengthMin);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (isReady) save.mutate();
  };
  return (
    <Dialog title={user === null ? t('users.add') : user.name} onClose={onClose}>
      <form className="ls-stack" onSubmit={submit}>
        <TextInput
          data-autofocus
          label={t('common.name')}
          autoComplete="off"
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
          data-testid="user-name"
        />
        <NativeSelect
          label={t('users.role')}
          value={role}
          onChange={(event) => setRole(event.currentTarget.value as Role)}
          data={roles.map((it) => ({ value: it, label: `${t(`role.${it}`)}: ${t(`users.roleText.${it}`)}` }))}
          data-testid="user-role"
        />
        <PasswordInput
          label={user === null ? t('users.password') : t('users.newPassword')}
          autoComplete="new-password"
          value={password}
          onChange={(event) => setPassword(event.currentTarget.value)}
          data-testid="user-password"
        />
        {needsPassword && <StrengthHint password={password} />}
        <div className="ls-row">
          <Button type="submit" disabled={!isReady} loading={save.isPending} data-testid="user-save">
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
