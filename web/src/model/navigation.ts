// React's view of the address bar.

import { useMemo, useSyncExternalStore } from 'react';
import { parseRoute, type Route } from './router';

const listeners = new Set<() => void>();

function listen(listener: () => void): () => void {
  listeners.add(listener);
  window.addEventListener('popstate', listener);
  window.addEventListener('hashchange', listener);
  return () => {
    listeners.delete(listener);
    window.removeEventListener('popstate', listener);
    window.removeEventListener('hashchange', listener);
  };
}

function changed(): void {
  for (const listener of listeners) listener();
}

/** A new entry in the browser's history. */
export function navigate(to: string): void {
  if (to === currentHref()) return;
  window.history.pushState(null, '', to);
  changed();
}

/** The same entry with another address: for state that changes while one looks, such as a panned time range. */
export function replaceAddress(to: string): void {
  if (to === currentHref()) return;
  window.history.replaceState(null, '', to);
  changed();
}

const currentHref = (): string => window.location.pathname + window.location.search + window.location.hash;

export function useRoute(): Route {
  const current = useSyncExternalStore(listen, currentHref);
  return useMemo(() => parseRoute(current), [current]);
}

/** One parameter of the address as state. Setting it to null removes it. */
export function useSearchParam(key: string, initial = ''): [string, (value: string | null) => void] {
  const route = useRoute();
  return [route.search.get(key) ?? initial, (value) => setSearchParams({ [key]: value === initial ? null : value })];
}

export function setSearchParams(changes: Record<string, string | string[] | null>): void {
  const search = new URLSearchParams(window.location.search);
  for (const [key, value] of Object.entries(changes)) {
    search.delete(key);
    if (Array.isArray(value)) for (const item of value) search.append(key, item);
    else if (value !== null && value !== '') search.set(key, value);
  }
  const text = search.toString().replace(/%2F/g, '/').replace(/%3A/g, ':').replace(/%2C/g, ',').replace(/%7E/g, '~');
  replaceAddress(window.location.pathname + (text === '' ? '' : `?${text}`) + window.location.hash);
}
