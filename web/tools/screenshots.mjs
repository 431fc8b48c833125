// Walks through every screen of the built UI against the mock server in headless Chromium, in light and dark, and
// keeps a picture of each. Fails on a page error or a violation of the content security policy.
//
// node tools/screenshots.mjs OUT_FOLDER [NAME_PART] [--width 1280] [--height 800] [--density dense]
import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const here = dirname(fileURLToPath(import.meta.url));
const option = (name, otherwise) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : process.argv[at + 1];
};
const out = process.argv[2] ?? 'shots';
const part = process.argv[3]?.startsWith('--') ? '' : (process.argv[3] ?? '');
const width = Number(option('width', '1280'));
const height = Number(option('height', '800'));
const density = option('density', 'comfortable');
const themes = option('themes', 'light,dark').split(',');
mkdirSync(out, { recursive: true });

const filler = 'Acme/Lyon/Packing/Line3/Filler';
const click = (testId) => (page) => page.click(`[data-testid="${testId}"]`);
const press =
  (...keys) =>
  async (page) => {
    for (const key of keys) await page.keyboard.press(key);
  };
const screens = [
  ['claim', '/claim#token=abc', [], ['--unclaimed']],
  ['signin', '/', [], ['--out']],
  ['empty', '/', [], ['--empty']],
  ['overview', '/', []],
  ['overview-cards', '/?as=cards', []],
  ['palette', '/', [press('Control+k'), (page) => page.keyboard.type('temp')]],
  ['keys', '/', [press('?')]],
  ['theme', '/', [click('theme-switch')]],
  ['trend', `/trend?tag=${filler}/temperature&tag=${filler}/pressure&range=1h`, []],
  ['trend-8h', `/trend?tag=${filler}/temperature&tag=Boiler-1/steam-pressure&range=24h`, []],
  ['trend-then', `/trend?tag=${filler}/temperature&range=8h&known=2026-01-01T00:00:00.000Z`, []],
  ['trend-years', `/trend?tag=${filler}/temperature&range=3650d`, []],
  ['trend-empty', '/trend', []],
  [
    'trend-menu',
    `/trend?tag=${filler}/temperature&range=8h`,
    [(page) => page.click('[data-testid="trend-chart"] .u-over', { button: 'right', position: { x: 300, y: 120 } })],
  ],
  [
    'trend-rule',
    `/trend?tag=${filler}/temperature&range=8h`,
    [
      (page) => page.click('[data-testid="trend-chart"] .u-over', { button: 'right', position: { x: 300, y: 60 } }),
      click('alarm-above'),
    ],
  ],
  ['alarms', '/alarms', []],
  ['alarms-open', '/alarms', [(page) => page.click('[data-testid="alarm-row"]')]],
  ['ack', '/alarms', [click('strip-ack')]],
  ['journal', '/alarms?tab=journal', []],
  ['rules', '/alarms?tab=rules', []],
  ['devices', '/devices', []],
  ['inbox', '/devices?tab=discovered', []],
  ['device', 'device:Boiler-1', []],
  ['device-tags', 'device:Boiler-1?tab=tags', []],
  ['device-settings', 'device:Boiler-1?tab=settings', []],
  ['device-write', 'device:Boiler-1', [click('write-Boiler-1/setpoint')]],
  ['device-failed', 'device:Chiller-2?tab=connection', []],
  ['add', '/devices/new', []],
  [
    'add-mqtt',
    '/devices/new?kind=mqtt',
    [(page) => page.fill('[data-testid="add-name"]', 'hall-1/press'), click('add-token')],
  ],
  [
    'add-http',
    '/devices/new?kind=http',
    [(page) => page.fill('[data-testid="add-name"]', 'edge-7'), click('add-token')],
  ],
  [
    'add-modbus',
    '/devices/new?kind=modbus',
    [
      (page) => page.fill('[data-testid="add-name"]', 'Boiler-2'),
      (page) => page.fill('[data-testid="modbus-address"]', '10.0.0.6:502'),
      click('modbus-test'),
      (page) => page.waitForTimeout(400),
      (page) =>
        page.evaluate(() => {
          const data = new DataTransfer();
          data.setData(
            'text/plain',
            'name\ttable\taddress\ttype\tscale\tunit\npressure\tholding\t0\tfloat32\t1\tbar\nlevel\tholding\t2\tuint16\t0,1\t%\nbroken\tholdin\t3\tuint16\t1\t\npump\tcoil\t7\tbool\t1\t\nlast\tholding\t2000\tuint16\t1\tCel\n',
          );
          document
            .querySelector('[data-testid="register-map"]')
            .dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }));
        }),
      (page) => page.waitForTimeout(1800),
    ],
  ],
  ['assets', '/assets', [(page) => page.click('.ls-tree-row >> nth=2')]],
  ['quality', '/quality', []],
  ['quality-tags', '/quality?by=tag', []],
  ['ledger', '/quality?tab=ledger', [(page) => page.click('[data-testid="ledger-row"] >> nth=1')]],
  ['storage', '/storage', []],
  ['retention', '/storage?tab=retention', []],
  ['retention-rule', '/storage?tab=retention', [click('retention-add')]],
  ['backups', '/storage?tab=backups', []],
  ['export', '/transfer', []],
  ['import', '/transfer?tab=import', [(page) => page.click('[data-testid="import-row"]')]],
  ['questions', '/questions', [click('question-run')]],
  ['users', '/users', []],
  ['tokens', '/users?tab=tokens', []],
  ['audit', '/audit', []],
  ['system', '/system', []],
  ['api', '/docs/api', []],
  ['errors', '/docs/errors#LS-1004', []],
  ['lost', '/', [(page) => page.evaluate(() => window.dispatchEvent(new Event('test-lost')))], ['--drop']],
];

let port = 18090;
async function startMock(flags) {
  port++;
  const child = spawn(process.execPath, [join(here, 'mock-server.mjs'), '--port', String(port), ...flags], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await new Promise((resolve) => child.stdout.once('data', resolve));
  return { base: `http://127.0.0.1:${port}`, child };
}

const mocks = new Map();
async function mockFor(flags) {
  const real = flags.includes('--out')
    ? []
    : [
        ...flags.filter((it) => it.startsWith('--') && it !== '--drop'),
        ...(flags.includes('--unclaimed') ? [] : ['--signed-in']),
      ];
  const key = real.join(' ') + (flags.includes('--drop') ? ' drop' : '');
  if (!mocks.has(key)) mocks.set(key, await startMock(real));
  return mocks.get(key);
}

const flags = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: flags });
const complaints = [];
for (const theme of themes) {
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: theme,
    timezoneId: 'Europe/Paris',
  });
  await context.addInitScript(
    ([scheme, rows]) => {
      localStorage.setItem('mantine-color-scheme-value', scheme);
      localStorage.setItem('lineshaft-density', rows);
    },
    [theme, density],
  );
  for (const [name, address, steps, wanted = []] of screens) {
    if (!name.includes(part)) continue;
    const { base, child } = await mockFor(wanted.includes('--drop') ? ['--drop', theme] : wanted);
    const page = await context.newPage();
    page.on('pageerror', (error) => complaints.push(`${name}: ${error.message}`));
    page.on('console', (message) => {
      if (message.type() === 'error' && !/status of 401|ERR_CONNECTION|WebSocket/.test(message.text()))
        complaints.push(`${name}: ${message.text()}`);
    });
    try {
      let path = address;
      if (address.startsWith('device:')) {
        const [wantedName, search] = address.slice(7).split('?');
        const list = await (await fetch(`${base}/api/v1/devices`)).json();
        path = `/devices/${list.items.find((it) => it.name === wantedName).id}${search ? `?${search}` : ''}`;
      }
      await page.goto(base + path);
      await page.waitForTimeout(900);
      if (wanted.includes('--drop')) {
        child.kill();
        await page.waitForTimeout(4000);
      } else for (const step of steps) await step(page);
      await page.waitForTimeout(500);
      await page.screenshot({ path: join(out, `${name}-${theme}.png`) });
    } catch (error) {
      complaints.push(`${name}: ${error.message}`);
    }
    await page.close();
  }
  await context.close();
}
await browser.close();
for (const { child } of mocks.values()) child.kill();
for (const complaint of new Set(complaints)) console.error(complaint);
process.exit(complaints.length === 0 ? 0 : 1);
