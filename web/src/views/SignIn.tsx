import { Button, PasswordInput, TextInput } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { Problem } from '../api/client';
import { session as sessionApi } from '../api/endpoints';
import { queryClient } from '../model/queries';
import { t } from '../model/text';

export function SignIn() {
  const [name, setName] = useState('');
  const [password, setPassword] = useState('');
  const signIn = useMutation({
    mutationFn: () => sessionApi.signIn(name.trim(), password),
    onSuccess: (session) => queryClient.setQueryData(['session'], session),
    // Said beside the fields instead of at the edge of the screen.
    onError: () => {},
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    signIn.mutate();
  };
  const problem = signIn.error instanceof Problem ? signIn.error : null;
  return (
    <div className="ls-gate">
      <form className="ls-panel ls-stack" onSubmit={submit}>
        <h1>{t('signIn.title')}</h1>
        <TextInput
          label={t('signIn.name')}
          autoComplete="username"
          autoFocus
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
          data-testid="signin-name"
        />
        <PasswordInput
          label={t('signIn.password')}
          autoComplete="current-password"
          value={password}
          onChange={(event) => setPassword(event.currentTarget.value)}
          data-testid="signin-password"
        />
        {problem !== null && (
          <div role="alert" data-testid="signin-problem">
            <strong>{problem.title}</strong> {problem.detail}
            <div className="ls-dim">{problem.remedy}</div>
          </div>
        )}
        <Button
          type="submit"
          loading={signIn.isPending}
          disabled={name === '' || password === ''}
          data-testid="signin-submit"
        >
          {t('signIn.submit')}
        </Button>
        <div className="ls-dim ls-small">{t('signIn.forgotten')}</div>
      </form>
    </div>
  );
}
