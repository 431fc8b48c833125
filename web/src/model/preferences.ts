// What one person prefers on one screen: kept in this browser, never on the server.

import { useSyncExternalStore } from 'react';

export type Density = 'comfortable' | 'dense' | 'touch';
const densities: Density[] = ['comfortable', 'dense', 'touch'];
const key = 'lineshaft-density';
const listeners = new Set<() => void>();

function stored(): Density {
  const text = localStorage.getItem(key);
  const coarse = typeof matchMedia === 'function' && matchMedia('(pointer: coarse)').matches;
  return densities.find((it) => it === text) ?? (coarse ? 'touch' : 'comfortable');
}

let current: Density | null = null;

export function density(): Density {
  current ??= stored();
  return current;
}

export function setDensity(next: Density): void {
  current = next;
  localStorage.setItem(key, next);
  document.documentElement.dataset.density = next;
  for (const listener of listeners) listener();
}

export function nextDensity(): void {
  setDensity(densities[(densities.indexOf(density()) + 1) % densities.length] ?? 'comfortable');
}

export function useDensity(): Density {
  return useSyncExternalStore((listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, density);
}
