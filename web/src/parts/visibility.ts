// One observer for all cells: what is off the screen needs no live values.

const callbacks = new WeakMap<Element, (visible: boolean) => void>();

const observer =
  typeof IntersectionObserver === 'function'
    ? new IntersectionObserver((entries) => {
        for (const entry of entries) callbacks.get(entry.target)?.(entry.isIntersecting);
      })
    : null;

/** Calls back with each change, the first time soon; stops when the returned function is called. */
export function observeVisibility(element: Element, callback: (visible: boolean) => void): () => void {
  if (observer === null) {
    callback(true);
    return () => {};
  }
  callbacks.set(element, callback);
  observer.observe(element);
  return () => {
    callbacks.delete(element);
    observer.unobserve(element);
  };
}

const tickers = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;

/** Once a second, for ages. */
export function everySecond(callback: () => void): () => void {
  tickers.add(callback);
  timer ??= setInterval(() => {
    for (const ticker of tickers) ticker();
  }, 1000);
  return () => {
    tickers.delete(callback);
    if (tickers.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}
