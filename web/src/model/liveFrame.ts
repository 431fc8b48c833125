// Decoder of the binary frames of /api/v1/live: "LSV1", count, then 24 bytes per value.

const magic = 0x3156534c; // "LSV1"
const headerBytes = 8;
const valueBytes = 24;

export type OnValue = (index: number, quality: number, timeMs: number, value: number) => void;

/** Calls `onValue` for each value, in order. Returns how many. Errors: Error for bytes that are not this format. */
export function decodeLiveFrame(bytes: ArrayBuffer, onValue: OnValue): number {
  const view = new DataView(bytes);
  if (bytes.byteLength < headerBytes || view.getUint32(0, true) !== magic) throw new Error('not a live frame');
  const count = view.getUint32(4, true);
  if (bytes.byteLength < headerBytes + count * valueBytes) throw new Error('live frame is cut short');
  for (let i = 0, at = headerBytes; i < count; i++, at += valueBytes) {
    const index = view.getUint32(at, true);
    const quality = view.getUint32(at + 4, true);
    onValue(index, quality, view.getFloat64(at + 8, true), view.getFloat64(at + 16, true));
  }
  return count;
}
