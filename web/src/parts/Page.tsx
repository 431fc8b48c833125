// The frame of a screen: head with title and tools, then panels; and what stands where there is nothing yet.

import { Loader } from '@mantine/core';
import { type ReactNode, useEffect } from 'react';
import { t } from '../model/text';

interface PageProps {
  title: string;
  tools?: ReactNode;
  /** The page fills the window and its panels scroll, instead of the page itself. */
  full?: boolean;
  testId?: string;
  children: ReactNode;
}

export function Page({ title, tools, full = false, testId, children }: PageProps) {
  useEffect(() => {
    document.title = `${title} – Lineshaft`;
  }, [title]);
  return (
    <div className={full ? 'ls-page full' : 'ls-page'} data-testid={testId}>
      <header className="ls-page-head">
        <h1>{title}</h1>
        {tools}
      </header>
      {children}
    </div>
  );
}

interface PanelProps {
  title?: ReactNode;
  tools?: ReactNode;
  pad?: boolean;
  className?: string;
  children: ReactNode;
}

export function Panel({ title, tools, pad = true, className = '', children }: PanelProps) {
  return (
    <section className={`ls-panel ${className}`}>
      {(title || tools) && (
        <div className="ls-panel-head">
          <h2 className="ls-grow">{title}</h2>
          {tools}
        </div>
      )}
      {pad ? <div style={{ padding: 12 }}>{children}</div> : children}
    </section>
  );
}

/** Emptiness is an offer: what could be here and the way to get it. */
export function Offer({ title, text, children }: { title: string; text: string; children?: ReactNode }) {
  return (
    <div className="ls-offer" data-testid="offer">
      <h2>{title}</h2>
      <p className="ls-dim">{text}</p>
      {children}
    </div>
  );
}

export function Waiting() {
  return (
    <div className="ls-offer" role="status" aria-label={t('common.loading')}>
      <Loader size="sm" color="gray" />
    </div>
  );
}

export function Facts({ items }: { items: [string, ReactNode][] }) {
  return (
    <dl className="ls-facts">
      {items.map(([name, value]) => (
        <div key={name} style={{ display: 'contents' }}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

export type StateKind = 'on' | 'off' | 'part' | 'bad';

/** A state by fill and word; colour is left to alarms. */
export function StateMark({ kind, children, title }: { kind: StateKind; children: ReactNode; title?: string }) {
  return (
    <span className="ls-state" data-kind={kind} title={title}>
      <i />
      <span>{children}</span>
    </span>
  );
}
