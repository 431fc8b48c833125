import { describe, expect, it } from 'vitest';
import { decodeColumns } from './columns';

/** Writes the format as docs/formats/columns.md gives it. */
class Writer {
  private bytes: number[] = [];
  private add(size: number, set: (view: DataView) => void): this {
    const buffer = new ArrayBuffer(size);
    set(new DataView(buffer));
    this.bytes.push(...new Uint8Array(buffer));
    return this;
  }
  text(text: string): this {
    this.bytes.push(...new TextEncoder().encode(text));
    return this;
  }
  u8 = (n: number): this => this.add(1, (view) => view.setUint8(0, n));
  u16 = (n: number): this => this.add(2, (view) => view.setUint16(0, n, true));
  u32 = (n: number): this => this.add(4, (view) => view.setUint32(0, n, true));
  i64 = (n: number): this => this.add(8, (view) => view.setBigInt64(0, BigInt(n), true));
  f64s(values: number[]): this {
    for (const value of values) this.add(8, (view) => view.setFloat64(0, value, true));
    return this;
  }
  u32s(values: number[]): this {
    for (const value of values) this.u32(value);
    return this.pad();
  }
  pad(): this {
    while (this.bytes.length % 8 !== 0) this.bytes.push(0);
    return this;
  }
  head(path: string, kind: number, n: number, resolutionNs: number): this {
    return this.u32(new TextEncoder().encode(path).length)
      .text(path)
      .u8(kind)
      .u8(3)
      .u16(0)
      .u32(n)
      .i64(resolutionNs)
      .pad();
  }
  done = (): ArrayBuffer => new Uint8Array(this.bytes).buffer;
}

const answer = (): Writer =>
  new Writer()
    .text('LSC1')
    .u32(2)
    .head('hall/äpfel', 1, 3, 0)
    .f64s([1000, 2000, 3000])
    .f64s([1.5, Number.NaN, 2.5])
    .u32s([0, 0x80310000, 0x40000000])
    .head('b', 2, 1, 10_000_000_000)
    .f64s([0, 1, 5, 2, 3, 2.5])
    .u32s([10])
    .u32s([9]);

describe('decodeColumns', () => {
  it('reads raw and reduced series behind a path of any length', () => {
    const [raw, reduced] = decodeColumns(answer().done());
    expect(raw?.path).toBe('hall/äpfel');
    expect(raw?.kind === 'raw' && [...raw.qualities]).toEqual([0, 0x80310000, 0x40000000]);
    expect(raw?.kind === 'raw' && [...raw.values]).toEqual([1.5, Number.NaN, 2.5]);
    if (reduced?.kind !== 'reduced') throw new Error('reduced series expected');
    expect(reduced.resolutionMs).toBe(10_000);
    expect([reduced.min[0], reduced.max[0], reduced.first[0], reduced.last[0], reduced.mean[0]]).toEqual([
      1, 5, 2, 3, 2.5,
    ]);
    expect([reduced.count[0], reduced.good[0]]).toEqual([10, 9]);
  });

  it('reads a series without samples', () => {
    const [series] = decodeColumns(new Writer().text('LSC1').u32(1).head('a', 1, 0, 0).done());
    expect(series?.times.length).toBe(0);
  });

  it('refuses another magic', () => {
    expect(() => decodeColumns(new Writer().text('NOPE').u32(0).done())).toThrow(/magic/);
  });

  it('refuses bytes that end too early, wherever that is', () => {
    const whole = answer().done();
    // The last four bytes are padding, which nothing needs.
    for (let size = 0; size < whole.byteLength - 4; size++) expect(() => decodeColumns(whole.slice(0, size))).toThrow();
  });

  it('refuses an unknown kind', () => {
    expect(() => decodeColumns(new Writer().text('LSC1').u32(1).head('a', 7, 0, 0).done())).toThrow(/kind 7/);
  });

  it('reads aggregates by name: the first one is what is drawn', () => {
    const bytes = new Writer()
      .text('LSC1')
      .u32(1)
      .head('a', 3, 2, 1_000_000_000)
      .u32(3)
      .u32(3)
      .text('twa')
      .u32(3)
      .text('min')
      .u32(5)
      .text('count')
      .pad()
      .f64s([0, 1000])
      .f64s([1.5, 2.5])
      .f64s([1, 2])
      .f64s([3, 4])
      .done();
    const [series] = decodeColumns(bytes);
    if (series?.kind !== 'reduced') throw new Error('buckets are expected');
    expect([...series.mean]).toEqual([1.5, 2.5]);
    expect([...series.min]).toEqual([1, 2]);
    expect([...series.max]).toEqual([Number.NaN, Number.NaN]);
    expect([...series.count]).toEqual([3, 4]);
    expect(series.resolutionMs).toBe(1000);
  });
});
