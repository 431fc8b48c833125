// The HTTP south door and the data side of the API: what a collector sends is what a reader gets back.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import zlib from "node:zlib";
import { Server, readColumns, until } from "./support.mjs";

let server;
const second = 1000;
// A minute in the recent past, so that "now" never lies inside it.
const base = Math.floor(Date.now() / 60000) * 60000 - 10 * 60000;
const iso = (ms) => new Date(ms).toISOString();

before(async () => {
  server = await Server.start({ doors: ["http"], name: "http" });
});
after(async () => server?.close());

const telemetry = (body, options) => server.request("POST", "/api/v1/telemetry", body, options);
const write = (body, { query = "", ...options } = {}) => server.request("POST", `/write${query}`, body, options);

describe("POST /api/v1/telemetry", () => {
  test("one object with its device, time and values", async () => {
    const answer = await telemetry({ device: "Press/1", ts: base, values: { force: 12.5, running: true, recipe: "A7" } });
    assert.ok(answer.status === 204 || answer.status === 200, answer.text);
    const item = await server.valueBecomes("Press/1/force", 12.5);
    assert.equal(new Date(item.time).getTime(), base);
    await server.valueBecomes("Press/1/running", true);
    await server.valueBecomes("Press/1/recipe", "A7");
  });

  test("values beside the device, without 'values'", async () => {
    await server.api("POST", "/api/v1/telemetry", { device: "Press/2", temperature: 61.5 });
    await server.valueBecomes("Press/2/temperature", 61.5);
  });

  test("an array of them", async () => {
    const body = Array.from({ length: 500 }, (_, i) => ({ device: "Press/3", ts: base + i, values: { n: i } }));
    await server.api("POST", "/api/v1/telemetry", body);
    const { values, times } = await server.history("Press/3/n", iso(base), iso(base + 500));
    assert.deepEqual(values, Array.from({ length: 500 }, (_, i) => i));
    assert.deepEqual(times, Array.from({ length: 500 }, (_, i) => base + i));
  });

  test("without a device, the device of the token", async () => {
    const token = await server.createToken(["--device", "gateway-9"]);
    const answer = await telemetry({ values: { rssi: -71 } }, { token });
    assert.ok(answer.status < 300, answer.text);
    await server.valueBecomes("gateway-9/rssi", -71);
  });

  test("the answer comes when the samples can be read", async () => {
    await server.api("POST", "/api/v1/telemetry", { device: "Press/4", ts: base - 1, values: { n: -1 } });
    await server.known("Press/4/n");
    for (let i = 0; i < 20; i++) {
      await server.api("POST", "/api/v1/telemetry", { device: "Press/4", ts: base + i, values: { n: i } });
      assert.equal((await server.value("Press/4/n")).value, i);
    }
  });

  for (const [what, body] of [["no JSON", "{"], ["a bare list of numbers", "[1,2]"], ["bytes that are no UTF-8", Buffer.from([0x7b, 0xff, 0xfe, 0x7d])],
    ["JSON that is too deep", "[".repeat(5000) + "]".repeat(5000)]]) {
    test(`${what} is refused with a code and a remedy`, async () => {
      const answer = await telemetry(body, { headers: { "content-type": "application/json" } });
      assert.ok(answer.status >= 400 && answer.status < 500, `${answer.status} ${answer.text}`);
      assert.match(answer.headers.get("content-type"), /application\/problem\+json/);
      assert.match(answer.json.code, /^LS-\d{4}$/);
      assert.ok(answer.json.remedy.length > 10);
      assert.equal(answer.json.status, answer.status);
    });
  }
});

describe("line protocol", () => {
  // What Telegraf's outputs.influxdb sends: several measurements, tags with blanks escaped, integers, strings, ns.
  const ns = (ms) => `${ms}000000`;
  const telegraf = [
    `cpu,cpu=cpu-total,host=plc-gw01 usage_user=7.25,usage_system=2.5,usage_idle=90.25 ${ns(base)}`,
    `mem,host=plc-gw01 used=2147483648i,used_percent=51.25,available=2097152000i ${ns(base)}`,
    `disk,device=sda1,fstype=ext4,host=plc-gw01,path=/ used_percent=43.5,free=123456789012i ${ns(base)}`,
    `system,host=plc-gw01 load1=0.5,uptime=86400i,uptime_format="1 day,  0:00" ${ns(base)}`,
    `modbus,host=plc-gw01,name=Filler\\ 1,slave_id=1,type=holding_register speed=1450i,running=true ${ns(base)}`,
    "",
  ].join("\n");

  test("Telegraf's body, packed with gzip, is taken unchanged", async () => {
    const answer = await server.request("POST", "/write?db=telegraf&rp=autogen&consistency=any", zlib.gzipSync(telegraf), {
      headers: { "content-encoding": "gzip", "content-type": "text/plain; charset=utf-8", "user-agent": "Telegraf/1.30.0 Go/1.22.2" },
    });
    assert.equal(answer.status, 204, answer.text);
    await server.valueBecomes("cpu/cpu-total/plc-gw01/usage_user", 7.25);
    await server.valueBecomes("mem/plc-gw01/used", 2147483648);
    await server.valueBecomes("system/plc-gw01/uptime_format", "1 day,  0:00");
    await server.valueBecomes("modbus/plc-gw01/Filler 1/1/holding_register/running", true);
    assert.equal(new Date((await server.value("mem/plc-gw01/used_percent")).time).getTime(), base);
  });

  test("the second form of the API, as outputs.influxdb_v2 uses it", async () => {
    const answer = await server.request("POST", "/api/v2/write?org=plant&bucket=line1&precision=ms", `v2,host=a value=5 ${base}\n`, {
      token: null, headers: { authorization: `Token ${server.token}` },
    });
    assert.equal(answer.status, 204, answer.text);
    assert.equal(new Date((await server.valueBecomes("v2/a/value", 5)).time).getTime(), base);
  });

  for (const [precision, factor] of [["ns", 1e6], ["u", 1e3], ["us", 1e3], ["ms", 1], ["s", 1e-3]]) {
    test(`precision=${precision}`, async () => {
      const stamp = BigInt(base) * 1_000_000n / BigInt(Math.round(1e6 / factor));
      const answer = await write(`precision,unit=${precision} value=1 ${stamp}`, { query: `?precision=${precision}` });
      assert.equal(answer.status, 204, answer.text);
      assert.equal(new Date((await server.valueBecomes(`precision/${precision}/value`, 1)).time).getTime(), base);
    });
  }

  test("bad lines are named, good ones are kept", async () => {
    const answer = await write(`partial,host=a value=1 ${ns(base)}\npartial,host=a value= ${ns(base)}\nnonsense\npartial,host=b value=2 ${ns(base)}\n`);
    assert.equal(answer.status, 400, answer.text);
    assert.match(answer.text, /2/, "the number of a bad line");
    await server.valueBecomes("partial/a/value", 1);
    await server.valueBecomes("partial/b/value", 2);
  });

  test("a body that claims to be gzip and is not is refused", async () => {
    const answer = await write("no gzip at all", { headers: { "content-encoding": "gzip" } });
    assert.equal(answer.status, 400, answer.text);
  });

  test("a gzip bomb is refused and the server goes on", async () => {
    const bomb = zlib.gzipSync(Buffer.alloc(600 * 1024 * 1024, "a"));
    const answer = await write(bomb, { headers: { "content-encoding": "gzip" } }).catch(() => ({ status: 413 }));
    assert.ok([400, 413].includes(answer.status), String(answer.status));
    assert.equal((await server.request("GET", "/health")).status, 200);
  });

  test("a long body arrives whole", async () => {
    const lines = Array.from({ length: 100_000 }, (_, i) => `long,host=x value=${i} ${ns(base + i)}`).join("\n");
    const answer = await write(zlib.gzipSync(lines), { headers: { "content-encoding": "gzip" } });
    assert.equal(answer.status, 204, answer.text);
    const { values } = await server.history("long/x/value", iso(base), iso(base + 100_000));
    assert.equal(values.length, 100_000);
    assert.equal(values.at(-1), 99_999);
  });

  test("the ways to say who one is: Token, Bearer, Basic, u and p; and ping needs none", async () => {
    const line = `who value=1 ${ns(base)}`;
    const basic = Buffer.from(`telegraf:${server.token}`).toString("base64");
    for (const authorization of [`Token ${server.token}`, `Bearer ${server.token}`, `Basic ${basic}`]) {
      assert.equal((await write(line, { token: null, headers: { authorization } })).status, 204, authorization.split(" ")[0]);
    }
    assert.equal((await write(line, { token: null, query: `?u=telegraf&p=${encodeURIComponent(server.token)}` })).status, 204);
    assert.equal((await server.request("GET", "/ping", undefined, { token: null })).status, 204);
  });

  test("without a token, or with a wrong one, nothing is taken", async () => {
    for (const options of [{ token: null }, { token: "ls_wrong" }]) {
      assert.equal((await write(`intruder value=1 ${ns(base)}`, options)).status, 401);
      assert.equal((await telemetry({ device: "intruder", values: { value: 1 } }, options)).status, 401);
    }
    assert.equal(await server.value("intruder/value"), undefined);
  });

  test("a token that may only read is told that it may not write", async () => {
    const token = await server.createToken(["--role", "viewer", "--scope", "data:read"]);
    const answer = await write(`viewer value=1 ${ns(base)}`, { token });
    assert.equal(answer.status, 403, answer.text);
  });
});

describe("GET /api/v1/history", () => {
  const n = 600;
  before(async () => {
    const body = Array.from({ length: n }, (_, i) => ({ device: "Wave", ts: base + i * second, values: { sine: Math.sin(i / 10), count: i } }));
    await server.api("POST", "/api/v1/telemetry", body);
    await server.known("Wave/sine", "Wave/count");
  });
  const range = () => `from=${iso(base)}&to=${iso(base + n * second)}`;

  test("raw JSON gives back exactly what was sent", async () => {
    const answer = await server.api("GET", `/api/v1/history?tags=Wave/sine,Wave/count&${range()}&resolution=raw`);
    assert.equal(answer.resolution, "raw");
    assert.deepEqual(answer.series.map((one) => one.path), ["Wave/sine", "Wave/count"]);
    assert.deepEqual(answer.series[0].values, Array.from({ length: n }, (_, i) => Math.sin(i / 10)));
    assert.deepEqual(answer.series[1].times, Array.from({ length: n }, (_, i) => base + i * second));
    assert.ok(answer.series[0].qualities.every((quality) => quality === 0));
    assert.equal(answer.series[0].completeness.samples, n);
    assert.equal(answer.series[0].completeness.good, 1);
  });

  test("the end of the range is not part of it", async () => {
    const { values } = await server.history("Wave/count", iso(base), iso(base + 10 * second));
    assert.deepEqual(values, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  test("a resolution reduces to first, last, min, max, mean and count of each step", async () => {
    const answer = await server.api("GET", `/api/v1/history?tags=Wave/count&${range()}&resolution=10s`);
    const [one] = answer.series;
    assert.equal(answer.resolution, "10s");
    assert.equal(one.times.length, n / 10);
    assert.deepEqual([one.min[3], one.max[3], one.first[3], one.last[3], one.mean[3], one.count[3]], [30, 39, 30, 39, 34.5, 10]);
    assert.equal(one.times[3], base + 30 * second);
  });

  test("a width in pixels gives no more steps than that, and keeps the extremes", async () => {
    const answer = await server.api("GET", `/api/v1/history?tags=Wave/sine&${range()}&resolution=auto&width=50`);
    const [one] = answer.series;
    const lows = one.min ?? one.values;
    const highs = one.max ?? one.values;
    assert.ok(one.times.length <= 100, `${one.times.length} steps for 50 pixels`);
    const all = Array.from({ length: n }, (_, i) => Math.sin(i / 10));
    assert.equal(Math.min(...lows.filter((value) => value !== null)), Math.min(...all));
    assert.equal(Math.max(...highs.filter((value) => value !== null)), Math.max(...all));
  });

  test("CSV", async () => {
    const raw = await server.request("GET", `/api/v1/history?tags=Wave/count&from=${iso(base)}&to=${iso(base + 3 * second)}&resolution=raw`,
      undefined, { headers: { accept: "text/csv" } });
    assert.match(raw.headers.get("content-type"), /text\/csv/);
    const [head, ...rows] = raw.text.trim().split(/\r?\n/);
    assert.equal(head, "time,tag,value,quality");
    assert.equal(rows.length, 3);
    const [time, tag, value, quality] = rows[2].split(",");
    assert.equal(new Date(time).getTime(), base + 2 * second);
    assert.deepEqual([tag, value, quality], ["Wave/count", "2", "Good"]);

    const reduced = await server.request("GET", `/api/v1/history?tags=Wave/count&${range()}&resolution=1m`, undefined,
      { headers: { accept: "text/csv" } });
    assert.equal(reduced.text.split(/\r?\n/)[0], "time,tag,min,max,first,last,mean,count");
  });

  test("binary columns, raw and reduced, hold the same as JSON", async () => {
    const accept = { headers: { accept: "application/vnd.lineshaft.columns" } };
    const raw = await server.request("GET", `/api/v1/history?tags=Wave/sine,Wave/count&${range()}&resolution=raw`, undefined, accept);
    assert.match(raw.headers.get("content-type"), /vnd\.lineshaft\.columns/);
    const [sine, count] = readColumns(raw.bytes);
    assert.deepEqual([sine.path, count.path, sine.kind], ["Wave/sine", "Wave/count", "raw"]);
    assert.deepEqual(sine.values, Array.from({ length: n }, (_, i) => Math.sin(i / 10)));
    assert.deepEqual(count.times, Array.from({ length: n }, (_, i) => base + i * second));
    assert.ok(count.qualities.every((quality) => quality === 0));

    const reduced = await server.request("GET", `/api/v1/history?tags=Wave/count&${range()}&resolution=10s`, undefined, accept);
    const [steps] = readColumns(reduced.bytes);
    assert.equal(steps.kind, "reduced");
    assert.equal(steps.resolutionNs, 10_000_000_000n);
    assert.deepEqual([steps.min[3], steps.max[3], steps.mean[3], steps.count[3], steps.good[3]], [30, 39, 34.5, 10, 10]);
  });

  test("a repeated time replaces, a late one finds its place", async () => {
    const at = (i, value) => ({ device: "Late", ts: base + i * second, values: { n: value } });
    await server.api("POST", "/api/v1/telemetry", [at(0, 0), at(2, 2), at(4, 4)]);
    await server.api("POST", "/api/v1/telemetry", [at(3, 3), at(1, 1), at(2, 22)]);
    const { values } = await server.history("Late/n", iso(base), iso(base + 5 * second));
    assert.deepEqual(values, [0, 1, 22, 3, 4]);
    assert.equal((await server.value("Late/n")).value, 4, "an older sample does not become the last value");
  });

  test("it survives a restart, the same to the last bit", async () => {
    const before = await server.request("GET", `/api/v1/history?tags=Wave/sine&${range()}&resolution=raw`);
    await server.restart();
    const afterwards = await server.request("GET", `/api/v1/history?tags=Wave/sine&${range()}&resolution=raw`);
    assert.deepEqual(afterwards.json.series, before.json.series);
    assert.equal((await server.value("Wave/count")).value, n - 1);
  });

  for (const [what, query, status] of [
    ["an unknown tag", "tags=No/such&from=now-1h&to=now", 404],
    ["a time that is none", "tags=Wave/sine&from=yesterday-ish&to=now", 400],
    ["a range that ends before it begins", "tags=Wave/sine&from=now&to=now-1h", 400],
    ["a resolution that is none", "tags=Wave/sine&from=now-1h&to=now&resolution=often", 400],
    ["no tag", "from=now-1h&to=now", 400],
  ]) {
    test(`${what} is told with code and remedy`, async () => {
      const answer = await server.request("GET", `/api/v1/history?${query}`);
      assert.ok(answer.status === status || (status === 400 && answer.status === 422), `${answer.status} ${answer.text}`);
      assert.match(answer.json.code, /^LS-\d{4}$/);
      assert.ok(answer.json.detail.length > 0 && answer.json.remedy.length > 0);
    });
  }
});

describe("values, tags, health and metrics", () => {
  test("the last values of a subtree", async () => {
    await server.api("POST", "/api/v1/telemetry", { device: "Tree/a", values: { x: 1, y: 2 } });
    await server.api("POST", "/api/v1/telemetry", { device: "Tree/b", values: { x: 3 } });
    await server.api("POST", "/api/v1/telemetry", { device: "Treehouse", values: { x: 4 } });
    await server.known("Tree/a/x", "Tree/a/y", "Tree/b/x");
    const { items, time } = await server.api("GET", "/api/v1/values?prefix=Tree");
    const ours = items.filter((item) => item.path.startsWith("Tree/"));
    assert.deepEqual(ours.map((item) => [item.path, item.value]).sort(), [["Tree/a/x", 1], ["Tree/a/y", 2], ["Tree/b/x", 3]]);
    assert.ok(Math.abs(new Date(time).getTime() - Date.now()) < 60_000);
    assert.ok(ours.every((item) => item.quality === "Good" && item.quality_code === 0 && item.receive_time));
  });

  test("lists come in pages", async () => {
    const seen = [];
    let cursor = "";
    do {
      const page = await server.api("GET", `/api/v1/tags?prefix=Tree&limit=2${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
      assert.ok(page.items.length <= 2);
      seen.push(...page.items.map((item) => item.path));
      cursor = page.next;
    } while (cursor);
    assert.equal(new Set(seen).size, seen.length);
    assert.ok(["Tree/a/x", "Tree/a/y", "Tree/b/x"].every((one) => seen.includes(one)));
  });

  test("a tag can be given a unit, and keeps it", async () => {
    const tag = await until("the tag", () => server.tag("Tree/a/x"));
    await server.api("PATCH", `/api/v1/tags/${tag.id}`, { unit: "bar", description: "Inlet pressure" });
    const changed = await until("the unit", async () => {
      const one = await server.tag("Tree/a/x");
      return one.unit === "bar" && one;
    });
    assert.equal(changed.description, "Inlet pressure");
    assert.equal((await server.value("Tree/a/x")).unit, "bar");
  });

  test("health and metrics need no token on this machine", async () => {
    const health = await server.request("GET", "/health", undefined, { token: null });
    assert.equal(health.status, 200);
    assert.equal(health.json.status, "ok");
    assert.match(health.json.version, /^\d+\.\d+\.\d+/);
    const metrics = await server.request("GET", "/metrics", undefined, { token: null });
    assert.equal(metrics.status, 200);
    assert.match(metrics.text, /^# (HELP|TYPE) lineshaft_/m);
    assert.match(metrics.text, /^lineshaft_\w+(\{[^}]*\})? [0-9.e+-]+$/m);
  });

  test("status tells ports, store and rates", async () => {
    await telemetry("{", { headers: { "content-type": "application/json" } });
    const status = await server.api("GET", "/api/v1/status");
    assert.equal(status.store.state, "ok");
    assert.ok(status.store.series > 0);
    assert.ok(status.store.samples > 0);
    assert.ok(Array.isArray(status.refused));
    assert.ok(status.refused.length > 0, "the bad body is counted");
  });

  test("the API describes itself", async () => {
    const document = await server.api("GET", "/api/v1/openapi.json");
    assert.match(document.openapi, /^3\.1/);
    for (const one of ["/api/v1/history", "/api/v1/values", "/api/v1/devices", "/api/v1/alarms"]) {
      assert.ok(document.paths[one] ?? document.paths[one.replace("/api/v1", "")], one);
    }
    const explorer = await server.request("GET", "/docs/api", undefined, { token: null });
    assert.equal(explorer.status, 200);
    assert.doesNotMatch(explorer.text, /(src|href)="https?:\/\//);
  });
});
