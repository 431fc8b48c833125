import { describe, expect, it } from 'vitest';
import { parseScalar, samplesFromCsv, samplesOf } from './corrections';

describe('corrections', () => {
  it('take values as people write them, and nothing else', () => {
    expect(parseScalar('1,5', 'double')).toBe(1.5);
    expect(parseScalar('-2e3', 'double')).toBe(-2000);
    expect(parseScalar('1.5', 'int')).toBeNull();
    expect(parseScalar('NaN', 'double')).toBeNull();
    expect(parseScalar('', 'double')).toBeNull();
    expect(parseScalar('On', 'bool')).toBe(true);
    expect(parseScalar('2', 'bool')).toBeNull();
    expect(parseScalar(' a ', 'string')).toBe(' a ');
  });

  it('keep the time of a sample to the nanosecond', () => {
    const csv =
      'time,tag,value,quality\r\n2026-01-01T00:00:00.123456789Z,"a,""b""","x\ny",Good\r\n2026-01-01T00:00:01Z,a,,Bad\r\n';
    expect(samplesFromCsv(csv)).toEqual([
      { time: '2026-01-01T00:00:00.123456789Z', text: 'x\ny', quality: 'Good' },
      { time: '2026-01-01T00:00:01Z', text: '', quality: 'Bad' },
    ]);
  });

  it('are sent oldest first, with the quality only where it is bad', () => {
    const edits = new Map([
      ['1970-01-01T00:00:02.000000001Z', { text: '2', isBad: true }],
      ['1970-01-01T00:00:01Z', { text: '1', isBad: false }],
    ]);
    expect(samplesOf(edits, 'double')).toEqual([
      { time: '1970-01-01T00:00:01Z', value: 1 },
      { time: '1970-01-01T00:00:02.000000001Z', value: 2, quality: 'bad' },
    ]);
    expect(samplesOf(new Map([['1970-01-01T00:00:01Z', { text: 'x', isBad: false }]]), 'double')).toBeNull();
  });
});
