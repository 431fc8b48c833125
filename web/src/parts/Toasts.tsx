import { CloseButton } from '@mantine/core';
import { href } from '../model/router';
import { t } from '../model/text';
import { dismiss, useToasts } from '../model/toasts';
import { Link } from './Link';

export function Toasts() {
  const toasts = useToasts();
  return (
    <div className="ls-toasts" role="status" aria-live="polite">
      {toasts.map((toast) => (
        <div key={toast.id} className="ls-toast" data-kind={toast.kind} data-testid={`toast-${toast.kind}`}>
          <div className="ls-row tight">
            <strong className="ls-grow">{toast.title}</strong>
            {toast.code !== '' && (
              <Link className="ls-mono ls-small" href={`${href('errors')}#${toast.code}`}>
                {toast.code}
              </Link>
            )}
            <CloseButton size="sm" aria-label={t('common.close')} onClick={() => dismiss(toast.id)} />
          </div>
          {toast.detail !== '' && <div>{toast.detail}</div>}
          {toast.remedy !== '' && <div className="ls-dim">{t('common.try', { remedy: toast.remedy })}</div>}
        </div>
      ))}
    </div>
  );
}
