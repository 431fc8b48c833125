// Keys that work on the whole page, except while someone types.

import { useEffect } from 'react';

const sequenceMs = 1200;

function isTyping(event: KeyboardEvent): boolean {
  const target = event.target as HTMLElement | null;
  return target !== null && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

/**
 * `bindings` from "ctrl+k", "/", "g a" … to what they do. A dialog on the screen stops all of them but Ctrl-K: keys must
 * not act on what lies under it.
 */
export function useKeys(bindings: Record<string, () => void>): void {
  useEffect(() => {
    let before = '';
    let beforeMs = 0;
    const listen = (event: KeyboardEvent): void => {
      const isCommand = (event.ctrlKey || event.metaKey) && !event.altKey;
      const key = isCommand ? `ctrl+${event.key.toLowerCase()}` : event.key;
      if (!isCommand && (isTyping(event) || event.altKey || document.querySelector('[aria-modal="true"]') !== null))
        return;
      const sequence = Date.now() - beforeMs < sequenceMs ? `${before} ${key}` : key;
      const action = bindings[sequence] ?? bindings[key];
      before = key;
      beforeMs = Date.now();
      if (action === undefined || event.defaultPrevented) return;
      event.preventDefault();
      before = '';
      action();
    };
    window.addEventListener('keydown', listen);
    return () => window.removeEventListener('keydown', listen);
  }, [bindings]);
}
