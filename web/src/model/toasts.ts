// Short messages at the edge of the screen: what was done, or what went wrong and what to do about it.

import { useSyncExternalStore } from 'react';
import { Problem } from '../api/client';

export interface Toast {
  id: number;
  kind: 'done' | 'problem';
  title: string;
  detail: string;
  remedy: string;
  code: string;
}

const doneForMs = 4000;
const shownMax = 4;
let toasts: Toast[] = [];
let lastId = 0;
const listeners = new Set<() => void>();

function set(next: Toast[]): void {
  toasts = next;
  for (const listener of listeners) listener();
}

function add(toast: Omit<Toast, 'id'>): void {
  const id = ++lastId;
  // The same problem again moves to the end instead of filling the screen.
  const others = toasts.filter((it) => it.title !== toast.title || it.detail !== toast.detail);
  set([...others, { ...toast, id }].slice(-shownMax));
  if (toast.kind === 'done') setTimeout(() => dismiss(id), doneForMs);
}

export function done(title: string): void {
  add({ kind: 'done', title, detail: '', remedy: '', code: '' });
}

/** Problems stay until they are closed: they carry a remedy someone has to read. */
export function complain(error: unknown): void {
  if (error instanceof Problem) {
    const { title, detail, remedy, code } = error;
    add({ kind: 'problem', title, detail, remedy, code });
  } else {
    add({
      kind: 'problem',
      title: error instanceof Error ? error.message : String(error),
      detail: '',
      remedy: '',
      code: '',
    });
  }
}

export function dismiss(id: number): void {
  set(toasts.filter((toast) => toast.id !== id));
}

export function useToasts(): Toast[] {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => toasts,
  );
}
