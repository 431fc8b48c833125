// The first person takes the house with the one-time link that the server printed.

import { Button, PasswordInput, TextInput } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { session as sessionApi } from '../api/endpoints';
import { navigate } from '../model/navigation';
import { passwordLengthMin, passwordStrength } from '../model/password';
import { queryClient } from '../model/queries';
import { t } from '../model/text';

export function StrengthHint({ password }: { password: string }) {
  const strength = passwordStrength(password);
  return (
    <div data-testid="password-strength">
      <div className="ls-meter" aria-hidden>
        {[1, 2, 3, 4].map((step) => (
          <i key={step} className={strength >= step ? 'on' : ''} />
        ))}
      </div>
      <div className="ls-dim ls-small">{t(`strength.${strength}`, { min: passwordLengthMin })}</div>
    </div>
  );
}

export default function Claim({ token }: { token: string }) {
  const [name, setName] = useState('');
  const [password, setPassword] = useState('');
  const [again, setAgain] = useState('');
  const claim = useMutation({
    mutationFn: () => sessionApi.claim(token, name.trim(), password),
    onSuccess: (session) => {
      queryClient.setQueryData(['session'], session);
      navigate('/');
    },
  });
  const isSame = password === again;
  const isReady = token !== '' && name.trim() !== '' && password.length >= passwordLengthMin && isSame;
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (isReady) claim.mutate();
  };
  return (
    <div className="ls-gate">
      <form className="ls-panel ls-stack" onSubmit={submit}>
        <h1>{t('claim.title')}</h1>
        {token === '' ? (
          <div data-testid="claim-no-token">{t('claim.noToken')}</div>
        ) : (
          <>
            <div className="ls-dim">{t('claim.text')}</div>
            <TextInput
              label={t('claim.name')}
              autoComplete="username"
              autoFocus
              value={name}
              onChange={(event) => setName(event.currentTarget.value)}
              data-testid="claim-name"
            />
            <PasswordInput
              label={t('claim.password')}
              autoComplete="new-password"
              value={password}
              onChange={(event) => setPassword(event.currentTarget.value)}
              data-testid="claim-password"
            />
            <StrengthHint password={password} />
            <PasswordInput
              label={t('claim.again')}
              autoComplete="new-password"
              value={again}
              error={again !== '' && !isSame ? t('claim.different') : undefined}
              onChange={(event) => setAgain(event.currentTarget.value)}
              data-testid="claim-password2"
            />
            <Button type="submit" disabled={!isReady} loading={claim.isPending} data-testid="claim-submit">
              {t('claim.submit')}
            </Button>
          </>
        )}
      </form>
    </div>
  );
}
