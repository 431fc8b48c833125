import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type LiveReading, LiveStore } from './live';
import { decodeLiveFrame } from './liveFrame';

function frame(values: [number, number, number, number][]): ArrayBuffer {
  const bytes = new ArrayBuffer(8 + values.length * 24);
  const view = new DataView(bytes);
  view.setUint32(0, 0x3156534c, true);
  view.setUint32(4, values.length, true);
  values.forEach(([index, quality, timeMs, value], i) => {
    view.setUint32(8 + i * 24, index, true);
    view.setUint32(12 + i * 24, quality, true);
    view.setFloat64(16 + i * 24, timeMs, true);
    view.setFloat64(24 + i * 24, value, true);
  });
  return bytes;
}

describe('decodeLiveFrame', () => {
  it('reads the example of docs/formats/live.md', () => {
    const hex = '4c53563101000000' + '02000000000000000000000000408f400000000000803540';
    const bytes = Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
    const seen: number[][] = [];
    expect(decodeLiveFrame(bytes.buffer, (...value) => seen.push(value))).toBe(1);
    expect(seen).toEqual([[2, 0, 1000, 21.5]]);
  });

  it('refuses what is cut short or not a frame', () => {
    const bytes = frame([[1, 0, 1, 1]]);
    expect(() => decodeLiveFrame(bytes.slice(0, 20), () => {})).toThrow();
    expect(() => decodeLiveFrame(new ArrayBuffer(8), () => {})).toThrow();
  });
});

/** A WebSocket that does what the test says. */
class FakeSocket {
  static last: FakeSocket;
  readyState = 0;
  binaryType = '';
  sent: { op: string; tags?: string[] }[] = [];
  onopen: () => void = () => {};
  onmessage: (event: { data: unknown }) => void = () => {};
  onclose: () => void = () => {};
  constructor() {
    FakeSocket.last = this;
  }
  send = (text: string): void => void this.sent.push(JSON.parse(text));
  close(): void {
    this.readyState = 3;
    this.onclose();
  }
  open(): void {
    this.readyState = 1;
    this.onopen();
  }
  tell = (data: unknown): void => this.onmessage({ data });
}

describe('LiveStore', () => {
  let store: LiveStore;
  const socket = (): FakeSocket => FakeSocket.last;

  beforeEach(() => {
    vi.useFakeTimers();
    store = new LiveStore(
      () => new FakeSocket() as unknown as WebSocket,
      async () => true,
    );
    store.start();
  });
  afterEach(() => {
    store.stop();
    vi.useRealTimers();
  });

  const name = (index: number, path: string, type = 'double'): void =>
    socket().tell(JSON.stringify({ op: 'tags', tags: [{ index, id: '1', path, unit: '', type }] }));

  it('subscribes what is watched and tells its watchers once per flush, with the newest value', () => {
    const seen: LiveReading[] = [];
    store.watch('a/b', (reading) => seen.push(reading));
    socket().open();
    expect(socket().sent).toContainEqual({ op: 'subscribe', tags: ['a/b'] });
    name(5, 'a/b');
    socket().tell(frame([[5, 0, 1000, 1]]));
    socket().tell(frame([[5, 0x40000000, 2000, 2]]));
    expect(seen).toEqual([]);
    vi.advanceTimersByTime(400);
    expect(seen).toEqual([{ value: 2, quality: 0x40000000, timeMs: 2000 }]);
  });

  it('unsubscribes when the last watcher goes, and not when it comes back at once', () => {
    socket().open();
    const first = store.watch('a', () => {});
    const second = store.watch('a', () => {});
    vi.advanceTimersByTime(50);
    first();
    vi.advanceTimersByTime(50);
    expect(socket().sent.some((message) => message.op === 'unsubscribe')).toBe(false);
    second();
    const third = store.watch('a', () => {});
    vi.advanceTimersByTime(50);
    expect(socket().sent.some((message) => message.op === 'unsubscribe')).toBe(false);
    third();
    vi.advanceTimersByTime(50);
    expect(socket().sent).toContainEqual({ op: 'unsubscribe', tags: ['a'] });
  });

  it('connects again after a loss, says so, and subscribes everything anew', () => {
    store.watch('a', () => {});
    socket().open();
    const states: string[] = [];
    store.onLinkState(() => states.push(store.linkState()));
    const before = socket();
    before.close();
    expect(states).toEqual(['lost']);
    vi.advanceTimersByTime(600);
    expect(socket()).not.toBe(before);
    socket().open();
    expect(states).toEqual(['lost', 'live']);
    expect(socket().sent).toContainEqual({ op: 'subscribe', tags: ['a'] });
  });

  it('gives bools as bools and strings as strings', () => {
    socket().open();
    name(1, 'on', 'bool');
    name(2, 'text', 'string');
    socket().tell(frame([[1, 0, 1000, 1]]));
    socket().tell(JSON.stringify({ op: 'strings', items: [{ index: 2, value: 'Lemon', quality: 0, time: 1000 }] }));
    expect(store.read('on')?.value).toBe(true);
    expect(store.read('text')?.value).toBe('Lemon');
    expect(store.read('other')).toBeNull();
  });

  it('does not let an old answer overwrite a newer live value', () => {
    socket().open();
    name(1, 'a');
    socket().tell(frame([[1, 0, 5000, 7]]));
    const item = {
      path: 'a',
      id: '1',
      value: 3,
      quality: 'Good',
      quality_code: 0,
      unit: '',
      type: 'double' as const,
      device: '',
      alarm: null,
    };
    store.seed([{ ...item, time: new Date(4000).toISOString() }]);
    expect(store.read('a')?.value).toBe(7);
    store.seed([{ ...item, time: new Date(6000).toISOString() }]);
    expect(store.read('a')?.value).toBe(3);
  });

  it('holds more tags than it first had room for', () => {
    for (let i = 0; i < 3000; i++) {
      const item = {
        path: `t/${i}`,
        id: '1',
        value: i,
        quality: 'Good',
        quality_code: 0,
        unit: '',
        type: 'double' as const,
        device: '',
        alarm: null,
      };
      store.seed([{ ...item, time: new Date(1000).toISOString() }]);
    }
    expect(store.read('t/0')?.value).toBe(0);
    expect(store.read('t/2999')?.value).toBe(2999);
  });
});
