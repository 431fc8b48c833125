import { describe, expect, it } from 'vitest';
import { formatAge, formatBytes, formatDuration, formatNumber, formatShare, formatUnit, formatValue } from './format';
import { qualityClass, qualityName, worseQuality } from './quality';

describe('format', () => {
  it('shows numbers with the digits that matter', () => {
    expect([0, 3.14259, 71.3, 1234.56, -0.0123, 340, 5e9, Number.NaN].map(formatNumber)).toEqual([
      '0',
      '3.14',
      '71.30',
      '1,234.6',
      '−0.0123',
      '340',
      '5.000e+9',
      '–',
    ]);
  });

  it('shows values of every type', () => {
    expect([true, false, 'Lemon', null].map(formatValue)).toEqual(['on', 'off', 'Lemon', '–']);
  });

  it('shows the sign people know for a UCUM code', () => {
    expect(['Cel', 'm3/h', 'N.m', '1', '', '{count}'].map(formatUnit)).toEqual(['°C', 'm³/h', 'N.m', '', '', 'count']);
  });

  it('shows ages in the unit that fits, never negative', () => {
    expect([-5, 0, 59_000, 5 * 60_000, 3 * 3_600_000, 90 * 3_600_000].map(formatAge)).toEqual([
      '0 s',
      '0 s',
      '59 s',
      '5 min',
      '3 h',
      '3 d',
    ]);
  });

  it('never shows an incomplete share as whole', () => {
    expect([1, 0.9999, 0.985, 0.0003, 0, null].map(formatShare)).toEqual([
      '100 %',
      '99.9 %',
      '98.5 %',
      '< 0.1 %',
      '0 %',
      '–',
    ]);
  });

  it('shows sizes and durations', () => {
    expect([999, 98_123_456].map(formatBytes)).toEqual(['999 B', '98.1 MB']);
    expect([42, 12_345, 200_000].map(formatDuration)).toEqual(['42 s', '3 h 25 min', '2 d 7 h']);
  });
});

describe('quality', () => {
  it('is told by the top two bits', () => {
    expect([0, 0x40940000, 0x80310000, 0xc0000000].map(qualityClass)).toEqual(['good', 'uncertain', 'bad', 'bad']);
  });

  it('has OPC UA names, and the class for codes without one', () => {
    expect([0, 0x80310000, 0x40940000, 0x80990000].map(qualityName)).toEqual([
      'Good',
      'BadNoCommunication',
      'UncertainEngineeringUnitsExceeded',
      'Bad',
    ]);
  });

  it('rolls up to the worst', () => {
    expect(worseQuality(0, 0x80310000)).toBe(0x80310000);
    expect(worseQuality(0x80310000, 0x40000000)).toBe(0x80310000);
  });
});
