// Live values, past React: one WebSocket, one store of typed arrays, watchers told at most four times a second.
//
// Flow:    server frames → slots (typed arrays) → watchers of changed slots in one animation frame.
// Limits:  reconnects after 0.5 s … 10 s; asks the server for a sign of life after 15 s of silence.

import type { AlarmsAnswer, CurrentValue, Scalar } from '../api/types';
import { decodeLiveFrame } from './liveFrame';

export type LinkState = 'connecting' | 'live' | 'lost';

export interface LiveReading {
  value: Scalar;
  quality: number;
  timeMs: number;
}

type Watcher = (reading: LiveReading) => void;

interface TagsMessage {
  op: 'tags';
  tags: { index: number; id: string; path: string; unit: string; type: string }[];
}
interface StringsMessage {
  op: 'strings';
  items: { index: number; value: string; quality: number | string; time: number | string }[];
}
type AlarmsMessage = { op: 'alarms' } & AlarmsAnswer;
type Message = TagsMessage | StringsMessage | AlarmsMessage | { op: 'error'; detail?: string };

const flushEveryMs = 250;
const silenceMs = 15_000;
const reconnectFirstMs = 500;
const reconnectMaxMs = 10_000;

export class LiveStore {
  private readonly slotOf = new Map<string, number>();
  private values = new Float64Array(1024).fill(Number.NaN);
  private times = new Float64Array(1024);
  private qualities = new Uint32Array(1024);
  private types: string[] = [];
  private readonly texts = new Map<number, string>();
  private readonly slotOfIndex = new Map<number, number>();

  private readonly watchers = new Map<number, Set<Watcher>>();
  private readonly pathOfSlot: string[] = [];
  private readonly dirty = new Set<number>();
  private flushTimer: ReturnType<typeof setTimeout> | undefined;

  private toSubscribe = new Set<string>();
  private toUnsubscribe = new Set<string>();
  private sendTimer: ReturnType<typeof setTimeout> | undefined;

  private socket: WebSocket | null = null;
  private wanted = false;
  private reconnectMs = reconnectFirstMs;
  private reconnectTimer: ReturnType<typeof setTimeout> | undefined;
  private silenceTimer: ReturnType<typeof setInterval> | undefined;
  private heardMs = 0;

  private state: LinkState = 'connecting';
  private lostSinceMs = 0;
  private readonly stateListeners = new Set<() => void>();
  private alarmListener: (alarms: AlarmsAnswer) => void = () => {};

  constructor(
    private readonly openSocket: () => WebSocket,
    private readonly isServerUp: () => Promise<boolean>,
  ) {}

  start(): void {
    if (this.wanted) return;
    this.wanted = true;
    this.connect();
    this.silenceTimer = setInterval(() => void this.checkSilence(), 5000);
  }

  stop(): void {
    this.wanted = false;
    clearInterval(this.silenceTimer);
    clearTimeout(this.reconnectTimer);
    this.socket?.close();
    this.socket = null;
  }

  /** Calls `watcher` with the present reading, if there is one, and then with each change until the returned function is called. */
  watch(path: string, watcher: Watcher): () => void {
    const slot = this.ensureSlot(path);
    let set = this.watchers.get(slot);
    if (set === undefined) {
      set = new Set();
      this.watchers.set(slot, set);
      this.queue(path, this.toSubscribe, this.toUnsubscribe);
    }
    set.add(watcher);
    const present = this.readingAt(slot);
    if (present !== null) watcher(present);
    return () => {
      set.delete(watcher);
      if (set.size > 0 || this.watchers.get(slot) !== set) return;
      this.watchers.delete(slot);
      this.queue(path, this.toUnsubscribe, this.toSubscribe);
    };
  }

  /** The newest reading that is known; null when there is none. */
  read(path: string): LiveReading | null {
    const slot = this.slotOf.get(path);
    return slot === undefined ? null : this.readingAt(slot);
  }

  /** Fills what a request has brought, unless something newer is here already. */
  seed(items: CurrentValue[]): void {
    for (const item of items) {
      if (item.time === null) continue;
      const slot = this.ensureSlot(item.path);
      const timeMs = Date.parse(item.time);
      if ((this.times[slot] ?? 0) >= timeMs) continue;
      this.types[slot] = item.type;
      if (typeof item.value === 'string') this.texts.set(slot, item.value);
      const number = typeof item.value === 'string' || item.value === null ? Number.NaN : Number(item.value);
      this.set(slot, item.quality_code >>> 0, timeMs, number);
    }
  }

  onAlarms(listener: (alarms: AlarmsAnswer) => void): void {
    this.alarmListener = listener;
  }

  linkState = (): LinkState => this.state;
  lostSince = (): number => this.lostSinceMs;

  onLinkState = (listener: () => void): (() => void) => {
    this.stateListeners.add(listener);
    return () => this.stateListeners.delete(listener);
  };

  private readingAt(slot: number): LiveReading | null {
    const timeMs = this.times[slot] ?? 0;
    if (timeMs === 0) return null;
    const number = this.values[slot] ?? Number.NaN;
    const type = this.types[slot];
    const text = this.texts.get(slot);
    const value: Scalar =
      type === 'string' && text !== undefined
        ? text
        : Number.isNaN(number)
          ? null
          : type === 'bool'
            ? number !== 0
            : number;
    return { value, quality: this.qualities[slot] ?? 0, timeMs };
  }

  private ensureSlot(path: string): number {
    const known = this.slotOf.get(path);
    if (known !== undefined) return known;
    const slot = this.slotOf.size;
    this.slotOf.set(path, slot);
    this.pathOfSlot[slot] = path;
    if (slot >= this.values.length) this.grow();
    return slot;
  }

  private grow(): void {
    const size = this.values.length * 2;
    const values = new Float64Array(size).fill(Number.NaN);
    values.set(this.values);
    const times = new Float64Array(size);
    times.set(this.times);
    const qualities = new Uint32Array(size);
    qualities.set(this.qualities);
    this.values = values;
    this.times = times;
    this.qualities = qualities;
  }

  private set(slot: number, quality: number, timeMs: number, value: number): void {
    this.values[slot] = value;
    this.times[slot] = timeMs;
    this.qualities[slot] = quality;
    this.dirty.add(slot);
    this.flushTimer ??= setTimeout(() => requestAnimationFrame(() => this.flush()), flushEveryMs);
  }

  private flush(): void {
    this.flushTimer = undefined;
    for (const slot of this.dirty) {
      const watchers = this.watchers.get(slot);
      const reading = watchers === undefined ? null : this.readingAt(slot);
      if (reading !== null) for (const watcher of watchers ?? []) watcher(reading);
    }
    this.dirty.clear();
  }

  private queue(path: string, into: Set<string>, outOf: Set<string>): void {
    if (!outOf.delete(path)) into.add(path);
    this.sendTimer ??= setTimeout(() => this.sendQueued(), 20);
  }

  private sendQueued(): void {
    this.sendTimer = undefined;
    if (this.socket?.readyState !== WebSocket.OPEN) return;
    if (this.toUnsubscribe.size > 0) this.sendText({ op: 'unsubscribe', tags: [...this.toUnsubscribe] });
    if (this.toSubscribe.size > 0) this.sendText({ op: 'subscribe', tags: [...this.toSubscribe] });
    this.toSubscribe.clear();
    this.toUnsubscribe.clear();
  }

  private sendText(message: object): void {
    this.socket?.send(JSON.stringify(message));
  }

  private connect(): void {
    const socket = this.openSocket();
    socket.binaryType = 'arraybuffer';
    this.socket = socket;
    socket.onopen = () => {
      this.reconnectMs = reconnectFirstMs;
      this.heardMs = Date.now();
      this.slotOfIndex.clear();
      this.sendText({ op: 'alarms' });
      // A new connection knows nothing: everything watched is asked for again.
      this.toUnsubscribe.clear();
      this.toSubscribe = new Set([...this.watchers.keys()].map((slot) => this.pathOfSlot[slot] ?? ''));
      this.sendQueued();
      this.setState('live');
    };
    socket.onmessage = (event: MessageEvent) => this.take(event.data as string | ArrayBuffer);
    socket.onclose = () => {
      if (this.socket !== socket || !this.wanted) return;
      this.socket = null;
      this.setState('lost');
      this.reconnectTimer = setTimeout(() => this.connect(), this.reconnectMs);
      this.reconnectMs = Math.min(this.reconnectMs * 2, reconnectMaxMs);
    };
  }

  private take(data: string | ArrayBuffer): void {
    this.heardMs = Date.now();
    if (typeof data !== 'string') {
      decodeLiveFrame(data, (index, quality, timeMs, value) => {
        const slot = this.slotOfIndex.get(index);
        if (slot !== undefined) this.set(slot, quality, timeMs, value);
      });
      return;
    }
    const message = JSON.parse(data) as Message;
    if (message.op === 'tags') {
      for (const tag of message.tags) {
        const slot = this.ensureSlot(tag.path);
        this.slotOfIndex.set(tag.index, slot);
        this.types[slot] = tag.type;
      }
    } else if (message.op === 'strings') {
      this.takeStrings(message);
    } else if (message.op === 'alarms') {
      this.alarmListener({ items: message.items, counts: message.counts });
    }
  }

  private takeStrings(message: StringsMessage): void {
    for (const item of message.items) {
      const slot = this.slotOfIndex.get(item.index);
      if (slot === undefined) continue;
      this.texts.set(slot, item.value);
      this.types[slot] = 'string';
      const timeMs = typeof item.time === 'number' ? item.time : Date.parse(item.time);
      this.set(slot, typeof item.quality === 'number' ? item.quality : 0, timeMs, Number.NaN);
    }
  }

  /** A cable pulled out closes nothing: after silence the server is asked, and without answer the link counts as lost. */
  private async checkSilence(): Promise<void> {
    if (this.state !== 'live' || Date.now() - this.heardMs < silenceMs) return;
    if (await this.isServerUp()) {
      this.heardMs = Date.now();
      return;
    }
    const socket = this.socket;
    this.socket = null;
    socket?.close();
    this.setState('lost');
    this.reconnectTimer = setTimeout(() => this.connect(), this.reconnectMs);
  }

  private setState(state: LinkState): void {
    if (state === this.state) return;
    if (state === 'lost' && this.state === 'live') this.lostSinceMs = this.heardMs;
    this.state = state;
    for (const listener of this.stateListeners) listener();
  }
}

function openLiveSocket(): WebSocket {
  const scheme = location.protocol === 'https:' ? 'wss:' : 'ws:';
  return new WebSocket(`${scheme}//${location.host}/api/v1/live`);
}

async function isServerUp(): Promise<boolean> {
  try {
    await fetch('/api/v1/session', { signal: AbortSignal.timeout(5000) });
    return true;
  } catch {
    return false;
  }
}

/** The page's one store: one browser tab, one connection. */
export const live = new LiveStore(openLiveSocket, isServerUp);
