// Decoder of application/vnd.lineshaft.columns (docs/formats/columns.md): the binary answer of a history request.
// Little-endian; every array starts at a multiple of eight bytes from the start of the answer.

export interface RawSeries {
  kind: 'raw';
  path: string;
  type: number;
  times: Float64Array;
  values: Float64Array;
  qualities: Uint32Array;
}

export interface ReducedSeries {
  kind: 'reduced';
  path: string;
  type: number;
  resolutionMs: number;
  times: Float64Array;
  min: Float64Array;
  max: Float64Array;
  first: Float64Array;
  last: Float64Array;
  mean: Float64Array;
  count: Uint32Array;
  good: Uint32Array;
}

export type Series = RawSeries | ReducedSeries;

const magic = 0x3143534c; // "LSC1"
const samplesMax = 50_000_000;

class Reader {
  private at = 0;
  private readonly view: DataView;

  constructor(private readonly bytes: ArrayBuffer) {
    this.view = new DataView(bytes);
  }

  private take(size: number): number {
    const start = this.at;
    if (start + size > this.bytes.byteLength) throw new Error('history answer is cut short');
    this.at += size;
    return start;
  }

  u8 = (): number => this.view.getUint8(this.take(1));
  u16 = (): number => this.view.getUint16(this.take(2), true);
  u32 = (): number => this.view.getUint32(this.take(4), true);
  i64 = (): number => Number(this.view.getBigInt64(this.take(8), true));
  text = (length: number): string => new TextDecoder().decode(new Uint8Array(this.bytes, this.take(length), length));

  pad(): void {
    const rest = this.at % 8;
    if (rest !== 0) this.take(8 - rest);
  }

  f64s = (n: number): Float64Array => new Float64Array(this.bytes, this.take(n * 8), n);

  u32s(n: number): Uint32Array {
    const array = new Uint32Array(this.bytes, this.take(n * 4), n);
    // Nothing need follow the last array, so a missing pad at the very end is no fault.
    if (this.at % 8 !== 0 && this.at < this.bytes.byteLength) this.pad();
    return array;
  }
}

/** Views into `bytes`, nothing is copied. Errors: Error for bytes that are not this format or cut short. */
export function decodeColumns(bytes: ArrayBuffer): Series[] {
  const reader = new Reader(bytes);
  if (reader.u32() !== magic) throw new Error('not a history answer (magic)');
  const count = reader.u32();
  if (count > 100_000) throw new Error('history answer claims too many series');
  const series: Series[] = [];
  for (let i = 0; i < count; i++) series.push(decodeSeries(reader));
  return series;
}

function decodeSeries(reader: Reader): Series {
  const path = reader.text(reader.u32());
  const kind = reader.u8();
  const type = reader.u8();
  reader.u16();
  const n = reader.u32();
  if (n > samplesMax) throw new Error('history answer claims too many samples');
  const resolutionMs = reader.i64() / 1e6;
  reader.pad();
  if (kind === 3) return decodeAggregates(reader, { path, type, n, resolutionMs });
  const times = reader.f64s(n);
  if (kind === 1) return { kind: 'raw', path, type, times, values: reader.f64s(n), qualities: reader.u32s(n) };
  if (kind !== 2) throw new Error(`history answer has a series of unknown kind ${kind}`);
  return {
    kind: 'reduced',
    path,
    type,
    resolutionMs,
    times,
    min: reader.f64s(n),
    max: reader.f64s(n),
    first: reader.f64s(n),
    last: reader.f64s(n),
    mean: reader.f64s(n),
    count: reader.u32s(n),
    good: reader.u32s(n),
  };
}

interface Head {
  path: string;
  type: number;
  n: number;
  resolutionMs: number;
}

const namesMax = 100;

/** The first aggregate asked for takes the place of the mean, so that all that draws buckets draws it. */
function decodeAggregates(reader: Reader, { path, type, n, resolutionMs }: Head): ReducedSeries {
  const size = reader.u32();
  if (size > namesMax) throw new Error('history answer claims too many aggregates');
  const names = Array.from({ length: size }, () => reader.text(reader.u32()));
  reader.pad();
  const times = reader.f64s(n);
  const columns = new Map(names.map((name) => [name, reader.f64s(n)]));
  const nothing = new Float64Array(n).fill(Number.NaN);
  const of = (name: string): Float64Array => columns.get(name) ?? nothing;
  const counts = (name: string): Uint32Array => Uint32Array.from(columns.get(name) ?? new Float64Array(n).fill(1));
  const main = of(names[0] ?? '');
  return {
    kind: 'reduced',
    path,
    type,
    resolutionMs,
    times,
    min: of('min'),
    max: of('max'),
    first: of('first'),
    last: of('last'),
    mean: main,
    count: counts('count'),
    good: counts('good'),
  };
}
