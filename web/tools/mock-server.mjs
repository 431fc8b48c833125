// A pretended Lineshaft for working on the screens: enough of /api/v1 with moving data, all in memory.
// Never part of the product: the build takes nothing from tools/.
//
// node tools/mock-server.mjs [--port 8090] [--unclaimed] [--signed-in]
// Serves dist/ too, with the content security policy of the product.
import { createReadStream, existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { dirname, extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { WebSocketServer } from 'ws';
import { completenessOf, dataRoutes } from './mock-data.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const dist = join(here, '..', 'dist');
const flag = (name) => process.argv.includes(`--${name}`);
const option = (name, otherwise) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : process.argv[at + 1];
};
const port = Number(option('port', '8090'));
const startedMs = Date.now();

// ---- the plant -----------------------------------------------------------------------------------------------

let nextId = 1;
const id = () => String(nextId++);
const assets = [];
const asset = (name, level, parent) => {
  const above = assets.find((it) => it.id === parent);
  const made = { id: id(), parent: parent ?? null, level, name, path: above ? `${above.path}/${name}` : name };
  assets.push(made);
  return made;
};
const devices = [];
const tags = [];
const device = (name, protocol, state, assetId, goodShare = 1, settings = null) => {
  const made = {
    id: id(),
    name,
    title: '',
    protocol,
    state,
    asset: assetId,
    tag_count: 0,
    good_share: goodShare,
    settings,
    first_heard: new Date(startedMs - 86_400_000 * 3).toISOString(),
    last_heard: null,
    connection:
      protocol === 'modbus'
        ? {
            state: goodShare > 0 ? 'connected' : 'failed',
            detail: goodShare > 0 ? 'answers in 2.1 ms' : 'connection refused, 3 tries in 3.0 s',
            since: new Date(startedMs - 3_600_000).toISOString(),
            requests_per_second: goodShare > 0 ? 4.2 : 0.3,
            errors: goodShare > 0 ? 0 : 412,
          }
        : {
            state: 'connected',
            detail: protocol === 'mqtt' ? 'MQTT 5, client id packer-1' : 'last request 1 s ago',
            since: new Date(startedMs - 3_600_000).toISOString(),
          },
  };
  devices.push(made);
  return made;
};
const tag = (owner, address, unit, middle, swing, more = {}) => {
  const made = {
    id: id(),
    path: `${owner.name}/${address}`,
    device: owner.id,
    address,
    type: 'double',
    unit,
    description: '',
    scale: 1,
    offset: 0,
    deadband: 0,
    range: null,
    writable: false,
    middle,
    swing,
    phase: tags.length * 0.7,
    quality: 0,
    owner,
    ...more,
  };
  tags.push(made);
  owner.tag_count++;
  return made;
};

if (!flag('empty')) {
  const acme = asset('Acme', 'enterprise');
  const lyon = asset('Lyon', 'site', acme.id);
  const packing = asset('Packing', 'area', lyon.id);
  const line3 = asset('Line3', 'line', packing.id);
  const utilities = asset('Utilities', 'area', lyon.id);
  asset('Line4', 'line', packing.id);

  const filler = device('Acme/Lyon/Packing/Line3/Filler', 'mqtt', 'accepted', line3.id);
  tag(filler, 'temperature', 'Cel', 71, 3, { description: 'Product temperature at the nozzle', range: [0, 120] });
  tag(filler, 'pressure', 'bar', 2.4, 0.3, { range: [0, 6] });
  tag(filler, 'speed', '/min', 340, 30, {
    writable: true,
    description: 'Bottles per minute, set value',
    range: [0, 600],
  });
  tag(filler, 'running', '', 1, 0, { type: 'bool' });
  tag(filler, 'recipe', '', 0, 0, { type: 'string', text: 'Lemon 0.5 l' });
  const capper = device('Acme/Lyon/Packing/Line3/Capper', 'mqtt', 'accepted', line3.id, 0.98);
  tag(capper, 'torque', 'N.m', 1.8, 0.2);
  tag(capper, 'vibration', 'mm/s', 2.9, 1.1, { quality: 0x40940000 });
  tag(capper, 'running', '', 0, 0, { type: 'bool' });
  const labeller = device('Acme/Lyon/Packing/Line3/Labeller', 'http', 'accepted', line3.id);
  tag(labeller, 'rejects', '{count}', 12, 6, { type: 'int' });
  tag(labeller, 'web-tension', 'N', 22, 4);
  const boiler = device('Boiler-1', 'modbus', 'accepted', utilities.id, 1, {
    address: '10.0.0.5:502',
    unit: 1,
    poll_ms: 1000,
    timeout_ms: 1000,
    requests_per_second_max: 20,
    gap_max: 8,
    registers: [
      {
        name: 'steam-pressure',
        table: 'holding',
        address: 0,
        type: 'float32',
        word_order: 'big',
        byte_order: 'big',
        scale: 1,
        offset: 0,
        unit: 'bar',
        writable: false,
      },
      {
        name: 'water-level',
        table: 'holding',
        address: 2,
        type: 'uint16',
        word_order: 'big',
        byte_order: 'big',
        scale: 0.1,
        offset: 0,
        unit: '%',
        writable: false,
      },
      {
        name: 'setpoint',
        table: 'holding',
        address: 3,
        type: 'uint16',
        word_order: 'big',
        byte_order: 'big',
        scale: 0.1,
        offset: 0,
        unit: 'bar',
        writable: true,
      },
    ],
  });
  tag(boiler, 'steam-pressure', 'bar', 9.6, 0.9, { range: [0, 16] });
  tag(boiler, 'water-level', '%', 62, 8, { range: [0, 100] });
  tag(boiler, 'setpoint', 'bar', 9.5, 0, { writable: true, range: [0, 12] });
  tag(boiler, 'feed-flow', 'm3/h', 4.2, 0.7);
  const chiller = device('Chiller-2', 'modbus', 'accepted', utilities.id, 0, {
    address: '10.0.0.9:502',
    unit: 1,
    poll_ms: 1000,
    timeout_ms: 1000,
    requests_per_second_max: 20,
    gap_max: 8,
    registers: [],
  });
  tag(chiller, 'supply-temperature', 'Cel', 6.2, 0.6, { quality: 0x80310000 });
  tag(chiller, 'return-temperature', 'Cel', 11.4, 0.6, { quality: 0x80310000 });
  for (let i = 1; i <= 12; i++) {
    const meter = device(
      `energy/meter-${String(i).padStart(2, '0')}`,
      'mqtt',
      i > 9 ? 'discovered' : 'accepted',
      i > 9 ? null : utilities.id,
    );
    tag(meter, 'power', 'kW', 20 + i * 3, 5);
    tag(meter, 'energy', 'kW.h', 12_000 + i * 431, 0);
    tag(meter, 'cos-phi', '1', 0.93, 0.03);
  }
  const weather = device('roof/weather', 'mqtt', 'discovered', null);
  tag(weather, 'temperature', 'Cel', 8, 3);
  tag(weather, 'humidity', '%', 70, 9);
  tag(weather, 'wind', 'm/s', 4, 2.5);
  const cpu = device('cpu/edge-7', 'line protocol', 'discovered', null);
  tag(cpu, 'usage_user', '%', 21, 15);
  tag(cpu, 'usage_idle', '%', 70, 15);
}

function valueAt(one, ms) {
  if (one.written !== undefined && ms >= one.writtenMs) return one.written;
  if (one.type === 'bool') return one.middle;
  const s = ms / 1000;
  const noise = Math.sin(s * 12.9898 + one.phase * 78.233) * 43758.5453;
  const jitter = (noise - Math.floor(noise) - 0.5) * 0.25;
  const slow =
    Math.sin(s / 3600 + one.phase) * 0.6 +
    Math.sin(s / 240 + one.phase * 2) * 0.35 +
    Math.sin(s / 17 + one.phase) * 0.15;
  const value = one.middle + one.swing * (slow + jitter);
  return one.type === 'int' ? Math.round(value) : value;
}
function qualityAt(one, ms) {
  // An outage of 20 minutes every 5 hours, a doubtful stretch before it, so that trends have something to show.
  const phase = (ms + one.phase * 600_000) % 18_000_000;
  if (one.quality !== 0) return one.quality;
  if (ms < Date.now() - 60_000 && one.type === 'double') {
    if (phase < 1_200_000) return 0x80310000;
    if (phase > 17_000_000) return 0x40940000;
  }
  return 0;
}
const qualityName = (code) =>
  ({ 0: 'Good', 1083441152: 'UncertainEngineeringUnitsExceeded', 2150694912: 'BadNoCommunication' })[code] ?? 'Bad';
const publicTag = ({ middle, swing, phase, quality, owner, text, written, writtenMs, ...rest }) => rest;

// ---- alarms --------------------------------------------------------------------------------------------------

const rules = [];
const alarms = [];
const journal = [];
const byPath = (path) => tags.find((it) => it.path === path);
function rule(path, name, limits, consequence, action) {
  const one = byPath(path);
  if (!one) return;
  rules.push({
    id: id(),
    tag: one.id,
    tag_path: path,
    name,
    enabled: true,
    consequence,
    action,
    limits: limits.map(([kind, threshold, priority]) => ({
      kind,
      threshold,
      priority,
      deadband: one.swing / 20,
      on_delay_s: 2,
      off_delay_s: 5,
    })),
  });
}
rule(
  'Acme/Lyon/Packing/Line3/Filler/temperature',
  'Filler temperature',
  [
    ['HH', 74.5, 1],
    ['H', 73, 2],
  ],
  'Product is spoiled above 75 °C for more than a minute.',
  'Stop the filler and open the cooling valve V-31 by hand.',
);
rule(
  'Boiler-1/steam-pressure',
  'Steam pressure',
  [
    ['H', 10.2, 2],
    ['L', 8.9, 3],
  ],
  'The safety valve opens at 11 bar; steam is lost.',
  'Reduce the burner to stage 1; check consumer valves.',
);
rule(
  'Acme/Lyon/Packing/Line3/Capper/vibration',
  'Capper vibration',
  [['H', 3.5, 3]],
  'Bearing damage within days.',
  'Tell maintenance; inspect at the next stop.',
);
rule(
  'energy/meter-03/power',
  'Meter 3 power',
  [['H', 30, 4]],
  'The month gets a higher peak tariff.',
  'Shift the charging of the trucks.',
);

const limitOf = (alarm) => rules.find((it) => it.id === alarm.rule)?.limits.find((it) => it.kind === alarm.limit);
function note(alarm, event, by = null, comment = null) {
  journal.unshift({
    time: new Date().toISOString(),
    alarm: alarm.id,
    event,
    by,
    comment,
    value: alarm.value,
    threshold: alarm.threshold,
    priority: alarm.priority,
    limit: alarm.limit,
    tag_path: alarm.tag_path,
    name: alarm.name,
  });
}
function raise(one, limit, agoMs = 0) {
  const owner = tags.find((it) => it.id === one.tag);
  const alarm = {
    id: id(),
    rule: one.id,
    tag: one.tag,
    tag_path: one.tag_path,
    device: owner.owner.name,
    name: one.name,
    limit: limit.kind,
    priority: limit.priority,
    state: 'B',
    active: true,
    acknowledged: false,
    raised: new Date(Date.now() - agoMs).toISOString(),
    cleared: null,
    acknowledged_at: null,
    acknowledged_by: null,
    comment: null,
    value: valueAt(owner, Date.now() - agoMs),
    threshold: limit.threshold,
    unit: owner.unit,
    consequence: one.consequence,
    action: one.action,
  };
  alarms.push(alarm);
  note(alarm, 'raised');
  return alarm;
}
const lettered = (alarm) => {
  alarm.state = alarm.active ? (alarm.acknowledged ? 'C' : 'B') : alarm.acknowledged ? 'A' : 'D';
};
if (rules.length > 0) {
  raise(rules[0], rules[0].limits[1], 140_000);
  raise(rules[1], rules[1].limits[0], 900_000);
  const acked = raise(rules[2], rules[2].limits[0], 7_200_000);
  Object.assign(acked, {
    acknowledged: true,
    acknowledged_at: new Date(startedMs - 7_000_000).toISOString(),
    acknowledged_by: 'maria',
    comment: 'Maintenance knows, visit on Friday',
  });
  lettered(acked);
  note(acked, 'acknowledged', 'maria', acked.comment);
  const back = raise(rules[3], rules[3].limits[0], 3_600_000);
  Object.assign(back, { active: false, cleared: new Date(startedMs - 1_800_000).toISOString() });
  lettered(back);
  note(back, 'cleared');
  if (flag('critical')) raise(rules[0], rules[0].limits[0], 20_000);
}
const shownAlarms = () => alarms.filter((it) => it.state !== 'A');
const counts = () => {
  const result = { 1: 0, 2: 0, 3: 0, 4: 0, unacknowledged: 0 };
  for (const alarm of shownAlarms()) {
    if (alarm.active) result[alarm.priority]++;
    if (!alarm.acknowledged) result.unacknowledged++;
  }
  return result;
};
const alarmsAnswer = () => ({ items: shownAlarms(), counts: counts() });
const exceeds = (limit, value) => (limit.kind.startsWith('H') ? value > limit.threshold : value < limit.threshold);

// ---- history -------------------------------------------------------------------------------------------------

function momentOf(text, otherwise) {
  if (text === null || text === undefined) return otherwise;
  const relative = /^now(?:-(\d+)(s|m|h|d))?$/.exec(text);
  if (relative)
    return Date.now() - (relative[1] ? Number(relative[1]) * { s: 1e3, m: 6e4, h: 36e5, d: 864e5 }[relative[2]] : 0);
  return /^\d+$/.test(text) ? Number(text) : Date.parse(text);
}
function historyOf(url) {
  const paths = [...url.searchParams.getAll('tag'), ...(url.searchParams.get('tags') ?? '').split(',').filter(Boolean)];
  const fromMs = momentOf(url.searchParams.get('from'), Date.now() - 3_600_000);
  const toMs = Math.min(momentOf(url.searchParams.get('to'), Date.now()), Date.now());
  const width = Number(url.searchParams.get('width') ?? '800');
  const raw = url.searchParams.get('resolution') === 'raw' || (toMs - fromMs) / 1000 < width * 2;
  const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 86400].map((s) => s * 1000);
  const stepMs = raw ? 1000 : (steps.find((it) => (toMs - fromMs) / it <= width) ?? 86_400_000);
  return {
    fromMs,
    toMs,
    raw,
    stepMs,
    series: paths
      .map(byPath)
      .filter(Boolean)
      .map((one) => seriesOf(one, fromMs, toMs, raw, stepMs)),
  };
}
function seriesOf(one, fromMs, toMs, raw, stepMs) {
  const rows = [];
  for (let ms = Math.ceil(fromMs / stepMs) * stepMs; ms < toMs && rows.length < 100_000; ms += stepMs) {
    if (raw) {
      const quality = qualityAt(one, ms);
      rows.push({ ms, value: quality >= 0x80000000 ? Number.NaN : valueAt(one, ms), quality });
      continue;
    }
    const some = Array.from({ length: 8 }, (_, i) => ms + (stepMs * i) / 8).map((at) => ({
      value: valueAt(one, at),
      quality: qualityAt(one, at),
    }));
    const usable = some.filter((it) => it.quality < 0x80000000).map((it) => it.value);
    const of = (f) => (usable.length === 0 ? Number.NaN : f(usable));
    rows.push({
      ms,
      min: of((v) => Math.min(...v)),
      max: of((v) => Math.max(...v)),
      first: of((v) => v[0]),
      last: of((v) => v.at(-1)),
      mean: of((v) => v.reduce((a, b) => a + b, 0) / v.length),
      count: stepMs / 1000,
      good: (stepMs / 1000) * (some.filter((it) => it.quality === 0).length / 8),
    });
  }
  return { one, rows };
}
function columns(answer) {
  const parts = [];
  let size = 0;
  const push = (buffer) => {
    parts.push(buffer);
    size += buffer.length;
  };
  const pad = () => push(Buffer.alloc((8 - (size % 8)) % 8));
  const head = Buffer.alloc(8);
  head.write('LSC1', 0, 'latin1');
  head.writeUInt32LE(answer.series.length, 4);
  push(head);
  for (const { one, rows } of answer.series) {
    const path = Buffer.from(one.path);
    const fixed = Buffer.alloc(4 + path.length + 16);
    fixed.writeUInt32LE(path.length, 0);
    path.copy(fixed, 4);
    fixed.writeUInt8(answer.raw ? 1 : 2, 4 + path.length);
    fixed.writeUInt8({ bool: 1, int: 2, double: 3, string: 4 }[one.type], 5 + path.length);
    fixed.writeUInt32LE(rows.length, 8 + path.length);
    fixed.writeBigInt64LE(BigInt(answer.raw ? 0 : answer.stepMs * 1e6), 12 + path.length);
    push(fixed);
    pad();
    const doubles = (pick) => {
      const b = Buffer.alloc(rows.length * 8);
      rows.forEach((row, i) => {
        b.writeDoubleLE(pick(row), i * 8);
      });
      push(b);
    };
    const words = (pick) => {
      const b = Buffer.alloc(rows.length * 4);
      rows.forEach((row, i) => {
        b.writeUInt32LE(pick(row), i * 4);
      });
      push(b);
      pad();
    };
    doubles((row) => row.ms);
    if (answer.raw) {
      doubles((row) => row.value);
      words((row) => row.quality >>> 0);
    } else {
      for (const key of ['min', 'max', 'first', 'last', 'mean']) doubles((row) => row[key]);
      words((row) => row.count);
      words((row) => Math.round(row.good));
    }
  }
  return Buffer.concat(parts);
}

// ---- people --------------------------------------------------------------------------------------------------

let claimed = !flag('unclaimed');
const users = [
  {
    id: id(),
    name: 'maria',
    role: 'administrator',
    created: '2026-01-12T08:00:00Z',
    last_sign_in: new Date(startedMs - 60_000).toISOString(),
  },
  { id: id(), name: 'jan', role: 'operator', created: '2026-02-03T09:30:00Z', last_sign_in: null },
];
const tokens = [
  {
    id: id(),
    name: 'Telegraf on edge-7',
    role: null,
    device: null,
    scopes: ['telemetry:write'],
    created: '2026-03-01T00:00:00Z',
    expires: null,
  },
];
let signedIn = flag('signed-in') ? users[0] : null;
const session = () => ({
  user: signedIn ? { id: signedIn.id, name: signedIn.name, role: signedIn.role } : null,
  csrf: 'mock-csrf',
  claimed,
  version: '0.1.0',
  tenant: { id: '1', name: 'Acme' },
});
const audit = [
  {
    time: new Date(startedMs - 500_000).toISOString(),
    actor: 'maria',
    address: '10.0.0.17',
    action: 'device.accept',
    target: 'Boiler-1',
    detail: { before: { state: 'discovered' }, after: { state: 'accepted' } },
    outcome: 'ok',
  },
  {
    time: new Date(startedMs - 400_000).toISOString(),
    actor: 'maria',
    address: '10.0.0.17',
    action: 'alarm_rule.update',
    target: 'Filler temperature',
    detail: { before: { limits: [{ kind: 'H', threshold: 72 }] }, after: { limits: [{ kind: 'H', threshold: 73 }] } },
    outcome: 'ok',
  },
  {
    time: new Date(startedMs - 300_000).toISOString(),
    actor: 'jan',
    address: '10.0.0.31',
    action: 'tag.write',
    target: 'Boiler-1/setpoint',
    detail: { before: 9.4, after: 9.5 },
    outcome: 'written',
  },
  {
    time: new Date(startedMs - 200_000).toISOString(),
    actor: 'unknown',
    address: '10.0.0.99',
    action: 'session.create',
    target: 'admin',
    detail: null,
    outcome: 'refused',
  },
];

// ---- routes --------------------------------------------------------------------------------------------------

class Refusal extends Error {
  constructor(status, code, title, detail = '', remedy = '') {
    super(title);
    Object.assign(this, { status, code, title, detail, remedy });
  }
}
const must = (thing) => {
  if (!thing) throw new Refusal(404, 'LS-1003', 'There is no such thing.', '', 'Check the name.');
  return thing;
};
const find = (list, key) => must(list.find((it) => it.id === key));
const page = (items) => ({ items, next: null });
const shownDevice = (it) => ({
  ...it,
  last_heard: it.good_share === 0 ? new Date(startedMs - 3_000_000).toISOString() : new Date().toISOString(),
});
const currentValue = (one) => {
  const nowMs = Date.now();
  const code = qualityAt(one, nowMs);
  const value =
    one.type === 'string' ? one.text : one.type === 'bool' ? valueAt(one, nowMs) !== 0 : valueAt(one, nowMs);
  const active = shownAlarms()
    .filter((it) => it.tag === one.id && it.active)
    .map((it) => it.priority);
  const ms = code === 0x80310000 ? startedMs - 3_000_000 : nowMs - 400;
  return {
    path: one.path,
    id: one.id,
    value,
    quality: qualityName(code),
    quality_code: code,
    time: new Date(ms).toISOString(),
    receive_time: new Date(ms).toISOString(),
    unit: one.unit,
    type: one.type,
    device: one.device,
    alarm: active.length ? Math.min(...active) : null,
  };
};

const routes = [
  ['GET', '/session', () => session()],
  [
    'POST',
    '/session',
    ({ body }) => {
      const user = users.find((it) => it.name === body.name);
      if (!user || body.password === 'wrong')
        throw new Refusal(
          401,
          'LS-3001',
          'Name or password is wrong.',
          '',
          'Try again, or ask an administrator to set a new password.',
        );
      signedIn = user;
      return [201, session()];
    },
  ],
  [
    'DELETE',
    '/session',
    () => {
      signedIn = null;
      return [204];
    },
  ],
  [
    'POST',
    '/claim',
    ({ body }) => {
      if (claimed) throw new Refusal(409, 'LS-1004', 'This house has an owner already.', '', 'Sign in instead.');
      claimed = true;
      users[0].name = body.name;
      signedIn = users[0];
      return [201, session()];
    },
  ],
  ['GET', '/users', () => page(users)],
  [
    'POST',
    '/users',
    ({ body }) => {
      const made = {
        id: id(),
        name: body.name,
        role: body.role,
        created: new Date().toISOString(),
        last_sign_in: null,
      };
      users.push(made);
      return [201, made];
    },
  ],
  [
    'PATCH',
    '/users/:id',
    ({ params, body }) => {
      const { password, ...rest } = body;
      return Object.assign(find(users, params.id), rest);
    },
  ],
  [
    'DELETE',
    '/users/:id',
    ({ params }) => {
      users.splice(users.indexOf(find(users, params.id)), 1);
      return [204];
    },
  ],
  ['GET', '/tokens', () => page(tokens)],
  [
    'POST',
    '/tokens',
    ({ body }) => {
      const made = { id: id(), ...body, created: new Date().toISOString() };
      tokens.push(made);
      return [201, { id: made.id, token: 'ls_7hTqW2m9fKcV4xB1pZr8' }];
    },
  ],
  [
    'DELETE',
    '/tokens/:id',
    ({ params }) => {
      tokens.splice(tokens.indexOf(find(tokens, params.id)), 1);
      return [204];
    },
  ],
  ['GET', '/assets', () => page(assets)],
  ['POST', '/assets', ({ body }) => [201, asset(body.name, body.level, body.parent)]],
  [
    'PATCH',
    '/assets/:id',
    ({ params, body }) => {
      const one = Object.assign(find(assets, params.id), body);
      const pathOf = (it) => {
        const above = assets.find((a) => a.id === it.parent);
        return above ? `${pathOf(above)}/${it.name}` : it.name;
      };
      for (const it of assets) it.path = pathOf(it);
      return one;
    },
  ],
  [
    'DELETE',
    '/assets/:id',
    ({ params }) => {
      if (assets.some((it) => it.parent === params.id))
        throw new Refusal(409, 'LS-1004', 'The asset has others below it.', '', 'Delete or move them first.');
      assets.splice(assets.indexOf(find(assets, params.id)), 1);
      return [204];
    },
  ],
  [
    'GET',
    '/devices',
    ({ url }) => {
      const state = url.searchParams.get('state');
      const q = (url.searchParams.get('q') ?? '').toLowerCase();
      return page(
        devices.filter((it) => (!state || it.state === state) && it.name.toLowerCase().includes(q)).map(shownDevice),
      );
    },
  ],
  [
    'POST',
    '/devices',
    ({ body }) => {
      const made = device(body.name, body.protocol, 'accepted', body.asset ?? null, 1, body.settings ?? null);
      for (const register of body.settings?.registers ?? [])
        tag(made, register.name, register.unit, 50, 5, { writable: register.writable });
      return [201, made];
    },
  ],
  [
    'POST',
    '/devices:accept',
    ({ body }) => ({
      items: body.ids.map((it) => {
        find(devices, it).state = 'accepted';
        return { id: it, ok: true };
      }),
    }),
  ],
  ['GET', '/devices/:id', ({ params }) => shownDevice(find(devices, params.id))],
  ['PATCH', '/devices/:id', ({ params, body }) => Object.assign(find(devices, params.id), body)],
  [
    'DELETE',
    '/devices/:id',
    ({ params }) => {
      devices.splice(devices.indexOf(find(devices, params.id)), 1);
      return [204];
    },
  ],
  [
    'POST',
    '/devices/:id:accept',
    ({ params, body }) =>
      Object.assign(find(devices, params.id), { state: 'accepted', ...(body?.asset ? { asset: body.asset } : {}) }),
  ],
  ['POST', '/devices/:id:ignore', ({ params }) => Object.assign(find(devices, params.id), { state: 'ignored' })],
  [
    'GET',
    '/tags',
    ({ url }) => {
      const of = url.searchParams.get('device');
      const q = (url.searchParams.get('q') ?? '').toLowerCase().split(/\s+/);
      const limit = Number(url.searchParams.get('limit') ?? '1000');
      return page(
        tags
          .filter((it) => (!of || it.device === of) && q.every((word) => it.path.toLowerCase().includes(word)))
          .slice(0, limit)
          .map(publicTag),
      );
    },
  ],
  ['PATCH', '/tags/:id', ({ params, body }) => publicTag(Object.assign(find(tags, params.id), body))],
  [
    'POST',
    '/tags/:id:write',
    ({ params, body }) => {
      const one = find(tags, params.id);
      if (!one.writable) return { outcome: 'refused', detail: 'The tag is not writable.' };
      Object.assign(one, { written: Number(body.value), writtenMs: Date.now() });
      return { outcome: 'written', detail: `read back ${body.value}` };
    },
  ],
  [
    'GET',
    '/values',
    ({ url }) => {
      const prefix = url.searchParams.get('prefix');
      const named = [...url.searchParams.getAll('tag'), ...(url.searchParams.get('tags')?.split(',') ?? [])];
      const wanted = named.length > 0 ? named : null;
      return {
        time: new Date().toISOString(),
        items: tags
          .filter((it) =>
            wanted ? wanted.includes(it.path) : !prefix || it.path === prefix || it.path.startsWith(`${prefix}/`),
          )
          .map(currentValue),
      };
    },
  ],
  [
    'GET',
    '/alarm-rules',
    ({ url }) => page(rules.filter((it) => !url.searchParams.get('tag') || it.tag === url.searchParams.get('tag'))),
  ],
  [
    'POST',
    '/alarm-rules',
    ({ body }) => {
      const made = { id: id(), tag_path: find(tags, body.tag).path, ...body };
      rules.push(made);
      return [201, made];
    },
  ],
  [
    'POST',
    '/alarm-rules:preview',
    ({ body }) => {
      const one = find(tags, body.tag);
      const toMs = Date.now();
      const fromMs = toMs - 86_400_000;
      const episodes = [];
      for (const limit of body.limits) {
        let start = null;
        for (let ms = fromMs; ms < toMs; ms += 10_000) {
          const on = exceeds(limit, valueAt(one, ms));
          if (on && start === null) start = ms;
          if (!on && start !== null) {
            episodes.push({ kind: limit.kind, start: new Date(start).toISOString(), end: new Date(ms).toISOString() });
            start = null;
          }
        }
      }
      const active = episodes.reduce((sum, it) => sum + (Date.parse(it.end) - Date.parse(it.start)), 0);
      return {
        from: new Date(fromMs).toISOString(),
        to: new Date(toMs).toISOString(),
        fired: episodes.length,
        active_share: active / 86_400_000,
        episodes: episodes.slice(0, 100),
        samples: 86_400,
      };
    },
  ],
  ['PATCH', '/alarm-rules/:id', ({ params, body }) => Object.assign(find(rules, params.id), body)],
  [
    'DELETE',
    '/alarm-rules/:id',
    ({ params }) => {
      rules.splice(rules.indexOf(find(rules, params.id)), 1);
      return [204];
    },
  ],
  ['GET', '/alarms', () => alarmsAnswer()],
  [
    'POST',
    '/alarms:ack',
    ({ body }) => {
      for (const one of body.ids) acknowledge(one, body.comment);
      return { items: body.ids.map((it) => ({ id: it, ok: true })) };
    },
  ],
  ['POST', '/alarms/:id:ack', ({ params, body }) => acknowledge(params.id, body.comment)],
  ['GET', '/alarm-journal', () => page(journal)],
  ['GET', '/audit', () => page([...audit].reverse())],
  ['GET', '/audit:verify', () => ({ ok: true, entries: audit.length })],
  [
    'POST',
    '/modbus:test',
    ({ body }) =>
      body.address.startsWith('10.')
        ? { ok: true, latency_ms: 2.1, detail: `unit ${body.unit} answers`, tried: [] }
        : {
            ok: false,
            latency_ms: null,
            detail: 'connection refused, 3 tries in 3.0 s',
            tried: ['TCP connect', 'read holding register 0'],
            remedy: 'Check the address and that the device allows another client; try other unit numbers.',
          },
  ],
  [
    'POST',
    '/modbus:read',
    ({ body }) =>
      body.registers.map((it, i) =>
        it.address > 999
          ? { name: it.name, value: null, raw: null, error: 'illegal data address' }
          : {
              name: it.name,
              value: Math.round((20 + i + Math.random()) * 100) / 100,
              raw: `0x${(1000 + i * 37).toString(16).padStart(4, '0')}`,
              error: null,
            },
      ),
  ],
  [
    'GET',
    '/status',
    () => ({
      version: '0.1.0',
      uptime_s: 12_345 + (Date.now() - startedMs) / 1000,
      shards: 2,
      role: 'single',
      ports: { http: 8080, https: 8443, mqtt: 1883, mqtts: 8883 },
      store: {
        series: tags.length,
        samples: 81_200_345,
        bytes: 98_123_456,
        bytes_per_sample: 1.21,
        wal_bytes: 4_194_304,
        disk_free_bytes: 61_234_567_890,
        state: 'ok',
        detail: '',
      },
      ingest: { samples_per_second: 1840 + Math.random() * 60, by_protocol: { mqtt: 1500, http: 290, modbus: 50 } },
      mqtt: {
        connections: 14,
        sessions: 16,
        subscriptions: 22,
        retained: 40,
        messages_in_per_second: 310,
        messages_out_per_second: 620,
      },
      refused: [
        { what: 'mqtt connect', reason: 'wrong password', count: 12, last: new Date(startedMs - 40_000).toISOString() },
        {
          what: 'sample',
          reason: 'timestamp more than 1 h in the future',
          count: 3,
          last: new Date(startedMs - 400_000).toISOString(),
        },
      ],
      warnings: [
        {
          code: 'LS-5004',
          text: 'The clock is 2.4 s behind the devices.',
          remedy: 'Let the system clock follow NTP (systemctl enable --now systemd-timesyncd).',
        },
      ],
    }),
  ],
  [
    'GET',
    '/openapi.json',
    () =>
      existsSync(join(here, 'mock-openapi.json'))
        ? JSON.parse(readFileSync(join(here, 'mock-openapi.json'), 'utf8'))
        : { openapi: '3.1.0', info: { title: 'Lineshaft', version: '0.1.0' }, paths: {} },
  ],
];
routes.push(...dataRoutes({ tags, devices, Refusal }));
for (const route of routes) {
  const pattern = route[1].replace(/:([a-z]+)/g, (whole, name) => (name === 'id' ? '(?<id>[^/:]+)' : whole));
  route.push(new RegExp(`^/api/v1${pattern}$`));
}

function acknowledge(key, comment) {
  const alarm = find(alarms, key);
  Object.assign(alarm, {
    acknowledged: true,
    acknowledged_at: new Date().toISOString(),
    acknowledged_by: signedIn?.name ?? 'maria',
    comment,
  });
  lettered(alarm);
  note(alarm, 'acknowledged', alarm.acknowledged_by, comment);
  tellAlarms();
  return alarm;
}

const types = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.json': 'application/json',
};
const policy = "default-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'; object-src 'none'";

function serveFile(request, response, url) {
  const wanted = normalize(join(dist, url.pathname));
  const path = wanted.startsWith(dist) && extname(wanted) && existsSync(wanted) ? wanted : join(dist, 'index.html');
  response.setHeader('Content-Type', types[extname(path)] ?? 'application/octet-stream');
  response.setHeader('Content-Security-Policy', policy);
  const brotli = /\bbr\b/.test(request.headers['accept-encoding'] ?? '') && existsSync(`${path}.br`);
  if (brotli) response.setHeader('Content-Encoding', 'br');
  // Another build may be replacing the folder right now.
  if (!existsSync(path)) return response.writeHead(503).end();
  createReadStream(brotli ? `${path}.br` : path).pipe(response);
}

async function bodyOf(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString();
  return /json/.test(request.headers['content-type'] ?? '') && text !== '' ? JSON.parse(text) : text;
}

function answerHistory(request, response, url) {
  const answer = historyOf(url);
  if ((request.headers.accept ?? '').includes('text/csv')) {
    response.setHeader('Content-Type', 'text/csv');
    response.write('time,tag,value,quality\n');
    for (const { one, rows } of answer.series)
      for (const row of rows)
        response.write(
          `${new Date(row.ms).toISOString()},${one.path},${row.value ?? row.mean},${qualityName(row.quality ?? 0)}\n`,
        );
    return response.end();
  }
  if (!(request.headers.accept ?? '').includes('columns')) {
    response.setHeader('Content-Type', 'application/json');
    const series = answer.series.map(({ one }) => ({ path: one.path, completeness: completenessOf(one, answer) }));
    return response.end(JSON.stringify({ series }));
  }
  response.setHeader('Content-Type', 'application/vnd.lineshaft.columns');
  response.end(columns(answer));
}

const server = createServer(async (request, response) => {
  const url = new URL(request.url, `http://127.0.0.1:${port}`);
  try {
    if (!url.pathname.startsWith('/api/')) return serveFile(request, response, url);
    const body = await bodyOf(request);
    if (url.pathname !== '/api/v1/session' && url.pathname !== '/api/v1/claim' && !signedIn)
      throw new Refusal(401, 'LS-3002', 'Sign in first.', '', 'Sign in and try again.');
    if (url.pathname === '/api/v1/history') return answerHistory(request, response, url);
    const csv = /^\/api\/v1\/devices\/([^/]+)\/registers\.csv$/.exec(url.pathname);
    if (csv && request.method === 'GET') {
      const one = find(devices, csv[1]);
      response.setHeader('Content-Type', 'text/csv');
      return response.end(
        `name,table,address,type,word_order,byte_order,scale,offset,unit,writable\n${(one.settings?.registers ?? []).map((r) => [r.name, r.table, r.address, r.type, r.word_order, r.byte_order, r.scale, r.offset, r.unit, r.writable].join(',')).join('\n')}\n`,
      );
    }
    if (csv) {
      response.setHeader('Content-Type', 'application/json');
      const lines = body.trim().split('\n').slice(1);
      const errors = lines.flatMap((line, i) =>
        line.split(',').length === 10
          ? []
          : [{ line: i + 2, message: `10 columns expected, ${line.split(',').length} found` }],
      );
      return response.end(JSON.stringify({ rows: lines.length, errors }));
    }
    for (const [method, , handle, pattern] of routes) {
      const match = method === request.method ? pattern.exec(url.pathname) : null;
      if (!match) continue;
      const result = handle({ params: match.groups ?? {}, body, url });
      const [status, json] = Array.isArray(result) && typeof result[0] === 'number' ? result : [200, result];
      response.writeHead(status, { 'Content-Type': 'application/json' });
      return response.end(json === undefined ? '' : JSON.stringify(json));
    }
    throw new Refusal(404, 'LS-1003', 'There is no such thing.', url.pathname);
  } catch (error) {
    const status = error.status ?? 500;
    response.writeHead(status, { 'Content-Type': 'application/problem+json' });
    response.end(
      JSON.stringify({
        type: `/docs/errors#${error.code ?? 'LS-1999'}`,
        title: error.title ?? 'Something broke.',
        status,
        code: error.code ?? 'LS-1999',
        detail: error.detail ?? String(error.stack),
        remedy: error.remedy ?? '',
      }),
    );
  }
});

// ---- live ----------------------------------------------------------------------------------------------------

const sockets = new WebSocketServer({ server, path: '/api/v1/live' });
sockets.on('connection', (socket) => {
  socket.subscribed = new Set();
  socket.on('message', (data) => {
    const message = JSON.parse(data.toString());
    if (message.op === 'alarms') {
      socket.wantsAlarms = true;
      socket.send(JSON.stringify({ op: 'alarms', ...alarmsAnswer() }));
    }
    const wanted = tags.filter(
      (it) => message.tags?.includes(it.path) || (message.prefix !== undefined && it.path.startsWith(message.prefix)),
    );
    if (message.op === 'subscribe') {
      for (const one of wanted) socket.subscribed.add(one);
      socket.send(
        JSON.stringify({
          op: 'tags',
          tags: wanted.map((it) => ({
            index: tags.indexOf(it),
            id: it.id,
            path: it.path,
            unit: it.unit,
            type: it.type,
          })),
        }),
      );
    }
    if (message.op === 'unsubscribe') for (const one of wanted) socket.subscribed.delete(one);
  });
});
function tellAlarms() {
  const text = JSON.stringify({ op: 'alarms', ...alarmsAnswer() });
  for (const socket of sockets.clients) if (socket.wantsAlarms) socket.send(text);
}
setInterval(() => {
  const nowMs = Date.now();
  for (const socket of sockets.clients) {
    const some = [...socket.subscribed].filter((it) => it.quality !== 0x80310000 && it.type !== 'string');
    if (some.length === 0) continue;
    const frame = Buffer.alloc(8 + some.length * 24);
    frame.write('LSV1', 0, 'latin1');
    frame.writeUInt32LE(some.length, 4);
    some.forEach((one, i) => {
      frame.writeUInt32LE(tags.indexOf(one), 8 + i * 24);
      frame.writeUInt32LE(qualityAt(one, nowMs) >>> 0, 12 + i * 24);
      frame.writeDoubleLE(nowMs, 16 + i * 24);
      frame.writeDoubleLE(valueAt(one, nowMs), 24 + i * 24);
    });
    socket.send(frame);
  }
}, 500);
setInterval(() => {
  let changed = false;
  for (const alarm of alarms) {
    const limit = limitOf(alarm);
    const owner = tags.find((it) => it.id === alarm.tag);
    if (!limit || !alarm.active || Date.now() - Date.parse(alarm.raised) < 600_000) continue;
    if (!exceeds(limit, valueAt(owner, Date.now())) && alarm.acknowledged) {
      Object.assign(alarm, { active: false, cleared: new Date().toISOString() });
      lettered(alarm);
      note(alarm, 'cleared');
      changed = true;
    }
  }
  if (changed) tellAlarms();
}, 2000);

server.listen(port, '127.0.0.1', () => console.log(`mock on http://127.0.0.1:${port}`));
