import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Alarm, AuditEntry } from '../api/types';
import { foremost, proposeDeadband, roundThreshold, sortAlarms } from './alarms';
import { auditSentence, differences } from './auditText';
import { parseErrorCodes } from './errorCodes';
import { operationsOf, sampleOf, schemaText } from './openapi';
import { passwordStrength } from './password';
import { historyAsCurl, mqttLine, telegrafConfig } from './snippets';

const alarm = (id: string, part: Partial<Alarm>): Alarm =>
  ({
    id,
    priority: 3,
    state: 'B',
    acknowledged: false,
    active: true,
    raised: '2026-01-01T00:00:00Z',
    ...part,
  }) as Alarm;

describe('alarms', () => {
  it('puts the highest priority first, then what nobody has seen, then the newest', () => {
    const list = [
      alarm('low', { priority: 4 }),
      alarm('seen', { priority: 1, acknowledged: true, state: 'C', raised: '2026-01-02T00:00:00Z' }),
      alarm('old', { priority: 1 }),
      alarm('new', { priority: 1, raised: '2026-01-01T01:00:00Z' }),
    ];
    expect(sortAlarms(list, 'priority').map((it) => it.id)).toEqual(['new', 'old', 'seen', 'low']);
    expect(sortAlarms(list, 'time')[0]?.id).toBe('seen');
    expect(foremost(list)?.id).toBe('new');
    expect(foremost([alarm('seen', { acknowledged: true })])).toBeNull();
  });

  it('proposes round thresholds beyond the value', () => {
    expect(roundThreshold(71.34, 8, 'above')).toBe(71.4);
    expect(roundThreshold(71.34, 8, 'below')).toBe(71.3);
    expect(roundThreshold(0.01234, 0.002, 'above')).toBeCloseTo(0.01234);
    expect(roundThreshold(1234, 500, 'above')).toBe(1240);
    expect(proposeDeadband(8)).toBe(0.08);
  });
});

describe('audit', () => {
  const entry = (part: Partial<AuditEntry>): AuditEntry => ({
    time: '',
    actor: 'user anna',
    address: null,
    action: 'device.update',
    target: 'device 42 Line3/Filler',
    detail: null,
    outcome: 'done',
    ...part,
  });

  it('reads as a sentence', () => {
    expect(auditSentence(entry({}))).toBe('anna changed device Line3/Filler');
    expect(auditSentence(entry({ action: 'command.write', target: 'tag Boiler/setpoint' }))).toBe(
      'anna wrote to Boiler/setpoint',
    );
    expect(auditSentence(entry({ action: 'session.create', outcome: 'refused' }))).toBe(
      'anna was refused: signed in to Lineshaft',
    );
    expect(auditSentence(entry({ action: 'odd.thing', target: 'x' }))).toBe('anna odd.thing: x');
  });

  it('shows only what has changed', () => {
    expect(differences({ a: 1, b: 2 }, { a: 1, b: 3, c: 'x' })).toEqual([
      { key: 'b', before: '2', after: '3' },
      { key: 'c', before: '', after: 'x' },
    ]);
    expect(differences(undefined, undefined)).toEqual([]);
  });
});

describe('snippets', () => {
  it('survive a shell', () => {
    const line = historyAsCurl('http://127.0.0.1:8080', { tags: ["it's"], from: 'now-1h', to: 'now' });
    expect(line).toContain('tag=it%27s');
    const endpoint = { host: 'plant.local', origin: 'https://plant.local:8443', mqttPort: 1883, mqttsPort: 8883 };
    expect(mqttLine(endpoint, "o'hare", 'ls_x')).toContain(`-t 'o'\\''hare/temperature'`);
    expect(mqttLine(endpoint, 'a', 'ls_x')).toContain('-p 8883');
    expect(telegrafConfig(endpoint, 'ls_x')).toContain('urls = ["https://plant.local:8443"]');
  });
});

describe('passwords', () => {
  it('are judged by length and variety', () => {
    expect(
      ['short', 'aaaaaaaaaaaa', 'password12', 'Tea-pot-1234', 'correct horse battery staple'].map(passwordStrength),
    ).toEqual([0, 1, 1, 3, 4]);
  });
});

describe('error codes', () => {
  it('are read from the one source, each with a remedy', () => {
    const codes = parseErrorCodes(readFileSync(join(import.meta.dirname, '../../../api/errors.toml'), 'utf8'));
    expect(codes.length).toBeGreaterThan(10);
    for (const code of codes) {
      expect(code.code).toMatch(/^LS-\d{4}$/);
      expect(code.says).not.toBe('');
      expect(code.remedy).not.toBe('');
    }
  });
});

describe('openapi', () => {
  const description = {
    paths: {
      '/a/{id}': {
        parameters: [{ name: 'id', in: 'path' }],
        post: {
          tags: ['A'],
          requestBody: { $ref: '#/components/requestBodies/B' },
          responses: { 200: { description: 'ok' } },
        },
      },
    },
    components: {
      requestBodies: { B: { content: { 'application/json': { schema: { $ref: '#/components/schemas/S' } } } } },
      schemas: {
        S: {
          type: 'object',
          required: ['n'],
          properties: { n: { type: 'integer' }, self: { $ref: '#/components/schemas/S' } },
        },
      },
    },
  };

  it('follows references and stops at circles', () => {
    const [operation] = operationsOf(description, 'Other');
    expect(operation).toMatchObject({ method: 'POST', tag: 'A', parameters: [{ name: 'id' }] });
    const schema = operation?.body?.schema ?? {};
    expect(sampleOf(description, schema)).toEqual({ n: 0 });
    expect(schemaText(description, schema)).toContain('n: integer');
  });
});

describe('the catalogue', () => {
  // From the files: what is imported has been put together by now.
  const catalogue = (name: string): object =>
    JSON.parse(readFileSync(join(import.meta.dirname, `../app/locales/${name}.json`), 'utf8'));
  const en = catalogue('en');
  const history = catalogue('history');
  const later = catalogue('later');
  const keys = (node: object, prefix = ''): string[] =>
    Object.entries(node).flatMap(([key, value]) =>
      typeof value === 'string' ? [prefix + key] : keys(value as object, `${prefix}${key}.`),
    );
  const sources = (folder: string): string[] =>
    readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return sources(path);
      return /\.tsx?$/.test(entry.name) && !entry.name.includes('.test.') ? [readFileSync(path, 'utf8')] : [];
    });

  it('does not say in one part what another part says already', () => {
    const groups = [en, history, later].flatMap((part) => Object.keys(part));
    expect(groups.filter((group, index) => groups.indexOf(group) !== index)).toEqual([]);
  });

  it('holds no word that no screen uses', () => {
    const text = sources(join(import.meta.dirname, '..')).join('\n');
    const unused = [...keys(en), ...keys(history), ...keys(later)].filter((key) => {
      const plain = key.replace(/_(zero|one|other)$/, '');
      const [parent, last] = [plain.slice(0, plain.lastIndexOf('.') + 1), plain.slice(plain.lastIndexOf('.') + 1)];
      // Keys put together, such as t(`priority.${n}`), use all of their parent, or all that begins alike.
      const whole = [
        `'${plain}'`,
        `\`${plain}\``,
        `\`${parent}\${`,
        `\`${parent}${/^[a-z]+(?=_|\d)/.exec(last)?.[0] ?? '\u0000'}_\${`,
        `\`${parent}range\${`,
      ];
      return !whole.some((it) => text.includes(it));
    });
    expect(unused).toEqual([]);
  });
});
