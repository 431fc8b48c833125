import { describe, expect, it } from 'vitest';
import { Problem } from '../api/client';
import type { ImportJob } from '../api/dataTypes';
import { emptyExport, exportName, exportOf, pieceBytes, progressOf, secondsLeft, upload } from './transfer';

const job = (part: Partial<ImportJob>): ImportJob => ({
  id: '7',
  name: 'a.csv',
  state: 'uploading',
  error: null,
  by: 'anna',
  dry_run: false,
  format: 'auto',
  created: null,
  finished: null,
  expires: null,
  bytes: 0,
  received: 0,
  read_bytes: 0,
  percent: 0,
  points: 0,
  refused: 0,
  tag_count: 0,
  first: null,
  last: null,
  ...part,
});

describe('an export', () => {
  it('asks only for what was said', () => {
    expect(exportOf(emptyExport)).toBeNull();
    expect(exportOf({ ...emptyExport, prefix: 'Line1 ' })).toEqual({
      prefix: 'Line1',
      from: 'now-30d',
      to: 'now',
      format: 'csv',
      compression: 'none',
      receive_time: false,
      resolution: 'raw',
      split: 'none',
      name: 'Line1',
    });
    const all = exportOf({ ...emptyExport, what: 'all', range: 'all', format: 'parquet', receiveTime: true });
    expect(all).toEqual({ prefix: '', format: 'parquet', resolution: 'raw', split: 'none', name: 'plant' });
    expect(exportOf({ ...emptyExport, what: 'tags', tags: ['a'], range: 'own', from: '2026', to: '2025' })).toBeNull();
  });

  it('names its files so that every disk takes them', () => {
    expect(exportName({ ...emptyExport, prefix: 'Acmé/Line 1/' })).toBe('Acm-Line-1');
    expect(exportName({ ...emptyExport, what: 'tags', tags: ['///'] })).toBe('plant');
  });

  it('says how long it will take', () => {
    expect(secondsLeft(0.25, 0, 10_000)).toBe(30);
    expect(secondsLeft(0, 0, 10_000)).toBeNull();
    expect(progressOf(job({ bytes: 200, received: 50 }))).toBe(0.25);
    expect(progressOf(job({ state: 'running', percent: 40 }))).toBe(0.4);
    expect(progressOf(job({}))).toBeNull();
  });
});

describe('sending a file', () => {
  const file = new Blob([new Uint8Array(2 * pieceBytes + 5)]);

  it('goes piece by piece', async () => {
    const seen: number[] = [];
    const end = await upload({
      job: job({}),
      file,
      append: async (_, offset, piece) => job({ received: offset + piece.size }),
      read: async () => job({}),
      onProgress: (received) => seen.push(received),
    });
    expect(seen).toEqual([pieceBytes, 2 * pieceBytes, file.size]);
    expect(end.received).toBe(file.size);
  });

  it('goes on after a break from what the server has', async () => {
    let broken = false;
    const offsets: number[] = [];
    await upload({
      job: job({ received: pieceBytes }),
      file,
      append: async (_, offset, piece) => {
        offsets.push(offset);
        if (!broken) {
          broken = true;
          throw new Problem(0, '', 'no answer', '', '', '');
        }
        return job({ received: offset + piece.size });
      },
      // The piece had arrived; only its answer was lost.
      read: async () => job({ received: 2 * pieceBytes }),
      onProgress: () => {},
      wait: async () => {},
    });
    expect(offsets).toEqual([pieceBytes, 2 * pieceBytes]);
  });

  it('gives up at once when it is refused', async () => {
    const refuse = async (): Promise<ImportJob> => {
      throw new Problem(413, 'LS-1', 'too large', '', '', '');
    };
    await expect(
      upload({ job: job({}), file, append: refuse, read: refuse, onProgress: () => {} }),
    ).rejects.toMatchObject({ status: 413 });
  });
});
