import { describe, expect, it } from 'vitest';
import { parseScalar, samplesOf } from './corrections';

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

  it('are sent oldest first, with the quality only where it is bad', () => {
    const edits = new Map([
      [2000, { text: '2', isBad: true }],
      [1000, { text: '1', isBad: false }],
    ]);
    expect(samplesOf(edits, 'double')).toEqual([
      { time: '1970-01-01T00:00:01.000Z', value: 1 },
      { time: '1970-01-01T00:00:02.000Z', value: 2, quality: 'bad' },
    ]);
    expect(samplesOf(new Map([[1, { text: 'x', isBad: false }]]), 'double')).toBeNull();
  });
});
