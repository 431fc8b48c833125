import { describe, expect, it } from 'vitest';
import { portOf } from './endpoint';
import { href, parseRoute, trendHref } from './router';
import { absoluteRange, durationMs, isLiveRange, rangeSince, resolveRange } from './timeRange';

describe('router', () => {
  it('reads name, parameters, search and hash', () => {
    expect(parseRoute('/devices/42?tab=tags')).toMatchObject({ name: 'device', params: { id: '42' } });
    expect(parseRoute('/devices/42?tab=tags').search.get('tab')).toBe('tags');
    expect(parseRoute('/claim#token=abc')).toMatchObject({ name: 'claim', hash: 'token=abc' });
    expect(parseRoute('/').name).toBe('overview');
    expect(parseRoute('/trend/').name).toBe('trend');
    expect(parseRoute('/nowhere').name).toBe('unknown');
  });

  it('prefers the fixed path to the parameter', () => {
    expect(parseRoute('/devices/new').name).toBe('addDevice');
  });

  it('writes what it reads, readable and without empty parameters', () => {
    expect(trendHref(['a/b c', 'd&e'], '8h')).toBe('/trend?tag=a/b+c&tag=d%26e&range=8h');
    expect(parseRoute(trendHref(['a/b c', 'd&e'])).search.getAll('tag')).toEqual(['a/b c', 'd&e']);
    expect(href('alarms', {}, { tab: '', q: null, x: false })).toBe('/alarms');
    expect(parseRoute(href('device', { id: 'a/b' })).params.id).toBe('a/b');
  });
});

describe('time range', () => {
  it('resolves durations that end now and fixed ranges', () => {
    expect(resolveRange('15m', 1_000_000)).toEqual({ fromMs: 100_000, toMs: 1_000_000 });
    const fixed = { fromMs: 1000, toMs: 5000 };
    expect(resolveRange(absoluteRange(fixed), 0)).toEqual(fixed);
    expect(isLiveRange('8h')).toBe(true);
    expect(isLiveRange(absoluteRange(fixed))).toBe(false);
  });

  it('shows all there is of young data and a day of old', () => {
    expect([5, 40, 400, 4000].map((minutes) => rangeSince(0, minutes * 60_000))).toEqual(['15m', '1h', '8h', '24h']);
  });

  it('refuses nonsense', () => {
    expect([resolveRange('soon', 0), resolveRange('2026-01-02~2026-01-01', 0), durationMs('5 parsecs')]).toEqual([
      null,
      null,
      null,
    ]);
  });
});

describe('ports', () => {
  it('are found in whatever the server says it listens on', () => {
    expect([1883, '8883', '127.0.0.1:1884', '[::]:1885', '', null, undefined].map(portOf)).toEqual([
      1883,
      8883,
      1884,
      1885,
      null,
      null,
      null,
    ]);
  });
});
