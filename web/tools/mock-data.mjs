// The mock's answers for the screens around the store: data quality, ledger, storage, retention, backups, files,
// questions. Made from the mock's own tags, so that the screens fit together.

const hourMs = 3_600_000;
const dayMs = 86_400_000;
const iso = (ms) => new Date(ms).toISOString();
/** The same number for the same text, 0 … 1. */
const chance = (text) => {
  let h = 2166136261;
  for (const c of text) h = Math.imul(h ^ c.charCodeAt(0), 16777619);
  return ((h >>> 8) % 10_000) / 10_000;
};
const page = (items) => ({ items, next: null });

/** Two gaps of every other tag, so that the strip under a trend has something to show. */
export function completenessOf(tag, { fromMs, toMs }) {
  const at = (share) => fromMs + (toMs - fromMs) * share;
  const gap = (from, to, reason) => ({ from: iso(at(from)), to: iso(at(to)), reason, samples: 120, exact: true });
  const missing = chance(tag.path) < 0.5 ? [gap(0.2, 0.26, 'link'), gap(0.61, 0.64, 'server')] : [];
  return {
    samples: 3300,
    good: 1,
    uncertain: 0,
    bad: 0,
    expected: 3600,
    cadence_s: 1,
    cadence_from: 'learned',
    missing,
  };
}

export function dataRoutes({ tags, devices, Refusal }) {
  const find = (list, key) => {
    const one = list.find((it) => it.id === key);
    if (!one) throw new Refusal(404, 'LS-1003', 'There is no such thing.', key);
    return one;
  };

  // ---- quality and ledger

  const ofTag = (tag) => {
    const luck = chance(tag.path);
    const wrong = Math.floor(luck * 9);
    return {
      path: tag.path,
      kind: 'tag',
      tags: 1,
      samples: wrong === 1 ? 0 : 86_000,
      badness: [0.02, 1, 0.12, 0.4, 0.3, 0.05, 0, 0, 0][wrong],
      silent: Number(wrong === 1),
      missing: [1800, 86_400, 10_000, 0, 0, 0, 0, 0, 0][wrong],
      expected: 86_400,
      missing_s: 1800,
      bad: wrong === 3 ? 0.4 : 0,
      uncertain: wrong === 5 ? 0.1 : 0,
      late: wrong === 4 ? 0.3 : 0,
      out_of_order: 0,
      stuck: Number(wrong === 2),
      stuck_s: wrong === 2 ? 7200 : null,
      out_of_range: wrong === 5 ? 0.05 : 0,
      clock_skew_s: wrong === 4 ? -42.5 : 0.4,
      refused: wrong === 0 ? 120 : 0,
      damaged_blocks: 0,
      last_time: wrong === 1 ? null : iso(Date.now() - 2000),
    };
  };
  const sum = (path, kind, parts) => {
    const add = (key) => parts.reduce((all, it) => all + (it[key] ?? 0), 0);
    const mean = (key) => add(key) / Math.max(parts.length, 1);
    return {
      ...Object.fromEntries(
        ['tags', 'samples', 'silent', 'missing', 'expected', 'missing_s', 'stuck', 'refused', 'damaged_blocks'].map(
          (key) => [key, add(key)],
        ),
      ),
      ...Object.fromEntries(
        ['bad', 'uncertain', 'late', 'out_of_order', 'out_of_range'].map((key) => [key, mean(key)]),
      ),
      path,
      kind,
      badness: Math.max(0, ...parts.map((it) => it.badness)) * 0.8,
      stuck_s: Math.max(0, ...parts.map((it) => it.stuck_s ?? 0)),
      clock_skew_s: parts[0]?.clock_skew_s ?? null,
      last_time: iso(Date.now() - 2000),
    };
  };
  const quality = ({ url }) => {
    const prefix = url.searchParams.get('prefix') ?? '';
    const by = url.searchParams.get('by') ?? 'level';
    const below = tags.filter((tag) => prefix === '' || tag.path === prefix || tag.path.startsWith(`${prefix}/`));
    const groups = new Map();
    for (const tag of below) {
      const depth = prefix === '' ? 1 : prefix.split('/').length + 1;
      const path =
        by === 'tag' ? tag.path : by === 'device' ? tag.owner.name : tag.path.split('/').slice(0, depth).join('/');
      groups.set(path, [...(groups.get(path) ?? []), ofTag(tag)]);
    }
    const items = [...groups].map(([path, parts]) =>
      parts.length === 1 && parts[0].path === path
        ? parts[0]
        : sum(path, devices.some((it) => it.name === path) ? 'device' : 'level', parts),
    );
    items.sort((a, b) => b.badness - a.badness);
    const total = sum('', 'total', below.map(ofTag));
    return { from: iso(Date.now() - dayMs), to: iso(Date.now()), prefix, total, items, items_more: 0, tags_more: 0 };
  };
  const sourceOf = (device) => `${device.protocol}/${device.name.split('/').at(-1).toLowerCase()}`;
  const ledgerSource = (device) => {
    const luck = chance(device.name);
    const given = 100_000 + Math.floor(luck * 900_000);
    return {
      source: sourceOf(device),
      complete: luck > 0.2,
      samples: given,
      last_heard: iso(Date.now() - 1500),
      presence: device.protocol === 'mqtt' ? (luck > 0.3 ? 'connected' : 'away') : 'unknown',
      presence_since: iso(Date.now() - 3 * hourMs),
      refused: luck < 0.4 ? 17 : 0,
      own_missing: luck > 0.7 ? 3 : 0,
      streams: [
        {
          shard: 0,
          assigned_to: given,
          complete_to: luck > 0.2 ? given : given - 40,
          holes: luck > 0.2 ? [] : [[given - 39, given - 30]],
          holes_more: 0,
          own:
            luck > 0.7
              ? [
                  {
                    device: device.name,
                    since: iso(0),
                    complete_to: 812,
                    highest: 900,
                    missing: 3,
                    holes: [[813, 815]],
                  },
                ]
              : [],
        },
      ],
    };
  };
  const ledgerHours = ({ url }) => {
    const hours = Number(/now-(\d+)([hd])/.exec(url.searchParams.get('from') ?? '')?.[1] ?? 24);
    const count = /d$/.test(url.searchParams.get('from') ?? '') ? hours * 24 : hours;
    const last = Math.floor(Date.now() / hourMs);
    const items = devices.flatMap((device) =>
      Array.from({ length: count }, (_, i) => {
        const hour = last - count + 1 + i;
        const luck = chance(`${device.name} ${hour}`);
        if (luck < 0.06 || hour === last - 9) return null;
        const assigned = Math.floor(1000 + luck * 2600);
        return {
          hour: iso(hour * hourMs),
          source: sourceOf(device),
          shard: 0,
          assigned,
          stored: luck > 0.97 ? assigned - 40 : assigned,
          ranges: [],
          refused: luck < 0.12 ? [{ device: '', reason: 'inbox full', count: 12, first: iso(0), last: iso(0) }] : [],
        };
      }).filter(Boolean),
    );
    const cut = (last - 9) * hourMs;
    const up = [
      { from: iso(0), until: iso(cut), closed: false },
      { from: iso(cut + hourMs), until: iso(Date.now()), closed: false },
    ];
    return { from: iso((last - count) * hourMs), to: iso(Date.now()), items, more: false, up };
  };

  // ---- storage, retention, backups

  const days = () => {
    const today = Math.floor(Date.now() / dayMs);
    const long = Array.from({ length: 9 }, (_, i) => [today - 30 - (9 - i) * 32, 32]);
    const short = Array.from({ length: 30 }, (_, i) => [today - 29 + i, 1]);
    return [...long, ...short].map(([day, length], i) => {
      const samples = Math.floor(length * (7e6 + 2e6 * chance(`day ${day}`)));
      return {
        from: iso(day * dayMs),
        to: iso((day + length) * dayMs),
        segments: length > 1 || i < 37 ? 1 : 4,
        samples,
        bytes: Math.floor(samples * (length > 1 ? 0.8 : 0.95)),
        damaged_blocks: i === 20 ? 2 : 0,
        cold: i < 5,
      };
    });
  };
  const storage = () => ({
    series: tags.length,
    samples: 2_481_200_345,
    bytes: 2_098_123_456,
    memory_bytes: 41_000_000,
    wal_bytes: 4_194_304,
    bytes_per_value: 0.846,
    write_rate: 1840.4,
    oldest: days()[0].from,
    newest: iso(Date.now() - 800),
    state: 'ok',
    detail: '',
    compaction: {
      running: true,
      backlog: 3,
      flushed_bytes: 812_000_000,
      merged_bytes: 1_204_000_000,
      copied_bytes: 903_000_000,
      write_amplification: 2.48,
    },
    days: days(),
    cold: { path: '/mnt/slow/lineshaft', segments: 5, bytes: 1_004_000_000, segments_missing: 0 },
    expired: [],
    erasures_open: 0,
    damage: [
      {
        file: 'seg-20661-4.lss',
        tag: tags[0]?.id ?? null,
        tag_path: tags[0]?.path ?? null,
        from: iso(Date.now() - 19 * dayMs),
        to: iso(Date.now() - 19 * dayMs + 900_000),
        blocks: 2,
        why: 'checksum of the values does not fit',
      },
    ],
    disk: {
      free: 61_234_567_890,
      total: 250e9,
      bytes_per_day: 7_900_000,
      hours_known: 700,
      full_at: iso(Date.now() + 5200 * dayMs),
    },
  });
  const rules = [
    {
      id: '1',
      name: 'Vibration',
      match: '**/vibration',
      position: 10,
      raw_age_s: 90 * 86_400,
      raw_bytes: 5e9,
      tiers: [
        { resolution_s: 1, age_s: 365 * 86_400 },
        { resolution_s: 60, age_s: null },
      ],
      version: 1,
    },
    {
      id: '2',
      name: 'The rest',
      match: '**',
      position: 100,
      raw_age_s: 2 * 365 * 86_400,
      raw_bytes: null,
      tiers: [{ resolution_s: 60, age_s: null }],
      version: 3,
    },
  ];
  let backupJob = {
    number: 4,
    state: 'running',
    path: '/mnt/backup/lineshaft',
    snapshot: null,
    error: null,
    started: iso(Date.now() - 20_000),
    ended: null,
    files: 120,
    files_all: 310,
    bytes: 810_000_000,
    bytes_all: 2_100_000_000,
    added_bytes: 31_000_000,
    stored_bytes: 22_000_000,
  };
  const backups = () => ({
    items: [1, 2, 3].map((n) => ({
      id: `2026111${9 - n}T023000.123Z-1f2e3d4${n}`,
      time: iso(Date.now() - n * dayMs),
      version: '0.1.0',
      host: 'plant',
      files: 300 - n,
      bytes: 2_000_000_000 - n * 8e6,
      added_bytes: 9_000_000,
      stored_bytes: 7_000_000 + n * 300_000,
      duration_s: 42.5,
    })),
    next: null,
    job: backupJob,
    path: '/mnt/backup/lineshaft',
    encrypted: true,
    schedule: '02:30',
    keep: 'last=3,daily=7,weekly=5,monthly=12',
    last_success: iso(Date.now() - dayMs),
    next_run: iso(Date.now() + dayMs / 2),
    overdue: false,
    error: null,
  });

  // ---- files

  const job = (more) => ({
    state: 'done',
    error: null,
    by: 'anna',
    created: iso(Date.now() - 60_000),
    finished: iso(Date.now() - 10_000),
    expires: iso(Date.now() + 7 * dayMs),
    ...more,
  });
  const exported = (more) =>
    job({
      compression: 'none',
      split: 'none',
      from: iso(Date.now() - 30 * dayMs),
      to: iso(Date.now()),
      resolution: 'raw',
      percent: 100,
      damaged_blocks: 0,
      ...more,
    });
  const exports = [
    exported({
      id: '9',
      name: 'Line3',
      state: 'running',
      format: 'parquet',
      tags: 12,
      rows: 4_120_000,
      bytes: 9_800_000,
      percent: 41,
      files: [],
      finished: null,
    }),
    exported({
      id: '8',
      name: 'Boiler-1',
      format: 'csv',
      tags: 3,
      rows: 259_200,
      bytes: 14_200_000,
      files: [{ name: 'Boiler-1.csv', bytes: 14_200_000, rows: 259_200 }],
    }),
  ];
  const importTags = () =>
    tags.slice(0, 6).map((tag) => ({
      tag: tag.path,
      device: tag.owner.name,
      address: tag.address,
      type: tag.type,
      points: 20_160,
      first: iso(Date.now() - 400 * dayMs),
      last: iso(Date.now() - 300 * dayMs),
    }));
  const imports = [
    job({
      id: '5',
      name: 'history-2025.csv.gz',
      dry_run: true,
      format: 'csv',
      bytes: 3_400_000,
      received: 3_400_000,
      read_bytes: 3_400_000,
      percent: 100,
      points: 120_960,
      refused: 2,
      refusals: [
        { line: 17, reason: "'12:61' is no time" },
        { line: 4031, reason: 'the value is empty' },
      ],
      tag_count: 6,
      tags: importTags(),
      first: iso(Date.now() - 400 * dayMs),
      last: iso(Date.now() - 300 * dayMs),
    }),
  ];

  // ---- questions

  const question = ({ body }) => {
    if (!body.select?.[0]?.tags)
      throw new Refusal(
        422,
        'LS-1002',
        'The question cannot be read.',
        "'tags' is missing",
        'Give each select a pattern.',
      );
    const columns = ['tag', body.select[0].name];
    const rows = tags.filter((it) => it.type === 'double').map((tag) => [tag.address, tag.middle + chance(tag.path)]);
    return {
      from: Date.now() - dayMs,
      to: Date.now(),
      columns,
      rows,
      more: false,
      completeness: { series: tags.length, samples: 1_204_000, good: 0.9931, damaged_blocks: 0 },
      took_ms: 12.4,
    };
  };

  const route = (method, path, handle) => [method, path, handle];
  return [
    route('GET', '/data-quality', quality),
    route('GET', '/ledger/sources', () => page(devices.map(ledgerSource))),
    route('GET', '/ledger', ledgerHours),
    route('GET', '/storage', storage),
    route('GET', '/retention-rules', () => page(rules)),
    route('POST', '/retention-rules', ({ body }) => {
      rules.push({ ...body, id: String(rules.length + 1), version: 1 });
      return [201, rules.at(-1)];
    }),
    route('POST', '/retention-rules:preview', ({ body }) =>
      page([{ rule: body.id ?? null, series: 12, samples: 81_000_000, bytes: 66_000_000 }]),
    ),
    route('PATCH', '/retention-rules/:id', ({ params, body }) => Object.assign(find(rules, params.id), body)),
    route('DELETE', '/retention-rules/:id', ({ params }) => {
      rules.splice(rules.indexOf(find(rules, params.id)), 1);
      return [204];
    }),
    route('GET', '/backups', backups),
    route('POST', '/backups', () => {
      backupJob = { ...backupJob, started: iso(Date.now()) };
      return [202, { job: backupJob }];
    }),
    route('GET', '/exports', () => page(exports)),
    route('POST', '/exports', ({ body }) => {
      exports.unshift(
        exported({
          ...body,
          id: String(10 + exports.length),
          state: 'waiting',
          tags: 3,
          rows: 0,
          bytes: 0,
          percent: 0,
          files: [],
        }),
      );
      return [202, exports[0]];
    }),
    route('DELETE', '/exports/:id', ({ params }) => {
      exports.splice(exports.indexOf(find(exports, params.id)), 1);
      return [204];
    }),
    route('GET', '/imports', () => page(imports)),
    route('GET', '/imports/:id', ({ params }) => find(imports, params.id)),
    route('POST', '/fleet-query', question),
  ];
}
