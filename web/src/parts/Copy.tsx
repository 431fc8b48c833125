import { Button, type ButtonProps } from '@mantine/core';
import { useState } from 'react';
import { t } from '../model/text';
import { complain } from '../model/toasts';

/** Copies also where the clipboard interface is missing: pages over plain HTTP from another machine have none. */
export async function copyText(text: string): Promise<void> {
  if (navigator.clipboard !== undefined && window.isSecureContext) return navigator.clipboard.writeText(text);
  const area = document.createElement('textarea');
  area.value = text;
  area.style.position = 'fixed';
  area.style.opacity = '0';
  document.body.append(area);
  area.select();
  document.execCommand('copy');
  area.remove();
}

interface Props extends ButtonProps {
  text: string | (() => string);
  label?: string;
  testId?: string;
}

export function CopyButton({ text, label, testId, ...rest }: Props) {
  const [copied, setCopied] = useState(false);
  const copy = (): void => {
    copyText(typeof text === 'string' ? text : text()).then(() => {
      setCopied(true);
      setTimeout(() => setCopied(false), 1500);
    }, complain);
  };
  return (
    <Button variant="default" onClick={copy} data-testid={testId} {...rest}>
      {copied ? t('common.copied') : (label ?? t('common.copy'))}
    </Button>
  );
}

export function Snippet({ text, testId }: { text: string; testId?: string }) {
  return (
    <div className="ls-snippet">
      <pre className="ls-grow" data-testid={testId}>
        {text}
      </pre>
      <CopyButton text={text} size="xs" />
    </div>
  );
}
