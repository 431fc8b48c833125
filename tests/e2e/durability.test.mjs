// The promise: what was acknowledged is there after kill -9. Proved by counting.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import mqtt from "mqtt";
import { Server, run, until } from "./support.mjs";

let server;
// Samples carry times a millisecond apart, so that each is its own and can be looked for.
const base = Math.floor(Date.now() / 1000) * 1000 - 3600_000;

before(async () => {
  server = await Server.start({ doors: ["http", "mqtt"], name: "durability" });
});
after(async () => server?.close());

/// Which of the numbers 0…n-1 are stored under `tag` (value and time say the same).
async function stored(tag, n, from = base) {
  const found = new Set();
  for (let at = 0; at < n; at += 50_000) {
    const { times, values } = await server.history(tag, new Date(from + at).toISOString(), new Date(from + at + 50_000).toISOString());
    times.forEach((time, i) => {
      assert.equal(values[i], time - from, "a sample has the value it was sent with");
      found.add(values[i]);
    });
  }
  return found;
}

const missing = (acknowledged, found) => [...acknowledged].filter((one) => !found.has(one));

test("kill -9 under HTTP load: every sample of an acknowledged request is there", async () => {
  const acknowledged = new Set();
  let next = 0;
  let stop = false;
  const writer = async () => {
    while (!stop) {
      const first = next;
      next += 100;
      const body = Array.from({ length: 100 }, (_, i) => `load,w=http n=${first + i} ${base + first + i}`).join("\n");
      const answer = await server.request("POST", "/write?precision=ms", body).catch(() => undefined);
      if (answer?.status === 204) for (let i = 0; i < 100; i++) acknowledged.add(first + i);
      else if (answer === undefined) return;
    }
  };
  for (let round = 0; round < 3; round++) {
    stop = false;
    const before = acknowledged.size;
    const writers = Promise.all([writer(), writer(), writer(), writer()]);
    await until("some load", () => acknowledged.size - before > 5000, 30000);
    await server.kill();
    stop = true;
    await writers;
    await server.launch();
    const lost = missing(acknowledged, await stored("load/http/n", next));
    assert.deepEqual(lost.slice(0, 10), [], `round ${round}: ${lost.length} of ${acknowledged.size} acknowledged samples are lost`);
  }
});

test("kill -9 under MQTT QoS 1 load: every acknowledged publish is there", async () => {
  const from = base;
  const acknowledged = new Set();
  let next = 0;
  for (let round = 0; round < 3; round++) {
    const before = acknowledged.size;
    let dead = false;
    const publishers = await Promise.all(Array.from({ length: 8 }, (_, i) =>
      mqtt.connectAsync(`mqtt://127.0.0.1:${server.ports.mqtt}`, { reconnectPeriod: 0, clientId: `load-${round}-${i}`, protocolVersion: i % 2 ? 5 : 4 })));
    const loads = publishers.map(async (client) => {
      client.on("error", () => {});
      const closed = new Promise((resolve) => client.on("close", resolve)).then(() => (dead = true));
      const window = new Set();
      while (!dead) {
        const n = next++;
        // mqtt.js calls back when PUBACK has come, or with an error when the connection is gone.
        const done = new Promise((resolve) =>
          client.publish("load/mqtt", JSON.stringify({ ts: from + n, values: { n } }), { qos: 1 }, (error) => {
            if (!error) acknowledged.add(n);
            resolve();
          }));
        window.add(done);
        done.then(() => window.delete(done));
        if (window.size >= 20) await Promise.race([...window, closed]);
      }
    });
    await until("some load", () => acknowledged.size - before > 3000, 60000);
    await server.kill();
    await Promise.all(loads);
    for (const client of publishers) client.end(true);
    await server.launch();
    const lost = missing(acknowledged, await stored("load/mqtt/n", next, from));
    assert.deepEqual(lost.slice(0, 10), [], `round ${round}: ${lost.length} of ${acknowledged.size} acknowledged messages are lost`);
  }
});

test("messages for a session that was kept survive kill -9, none twice for QoS 2", async () => {
  const keep = { clean: false, clientId: "kept", protocolVersion: 4, reconnectPeriod: 0 };
  const url = `mqtt://127.0.0.1:${server.ports.mqtt}`;
  const subscriber = await mqtt.connectAsync(url, keep);
  await subscriber.subscribeAsync("orders/#", { qos: 2 });
  await subscriber.endAsync();
  const publisher = await mqtt.connectAsync(url, { reconnectPeriod: 0 });
  for (let i = 0; i < 200; i++) await publisher.publishAsync("orders/x", String(i), { qos: 2 });
  await publisher.endAsync(true);
  await server.kill();
  await server.launch();
  const got = [];
  const again = mqtt.connect(url, keep);
  again.on("error", () => {});
  again.on("message", (topic, payload) => got.push(payload.toString()));
  await until("200 messages", () => got.length >= 200);
  again.end(true);
  assert.deepEqual(got, Array.from({ length: 200 }, (_, i) => String(i)));
});

test("a retained message survives kill -9", async () => {
  const url = `mqtt://127.0.0.1:${server.ports.mqtt}`;
  const publisher = await mqtt.connectAsync(url, { reconnectPeriod: 0 });
  await publisher.publishAsync("state/line", "EXECUTE", { qos: 1, retain: true });
  await publisher.endAsync(true);
  await server.kill();
  await server.launch();
  let got;
  const reader = await mqtt.connectAsync(url, { reconnectPeriod: 0 });
  reader.on("message", (topic, payload) => (got = payload.toString()));
  await reader.subscribeAsync("state/line");
  await until("the retained message", () => got);
  reader.end(true);
  assert.equal(got, "EXECUTE");
});

test("a second process on the same data directory is refused, and the first is not disturbed", async () => {
  const second = await run(["run", "--data", server.data, "--http", "127.0.0.1:0", "--https", "off", "--mqtt", "off", "--mqtts", "off"],
    { timeoutMs: 15000 });
  assert.equal(second.code, 5, second.stderr);
  assert.match(second.stderr, /LS-2004/);
  assert.match(second.stderr, /--data/, "the remedy");
  assert.equal((await server.request("GET", "/health")).status, 200);
  assert.ok(!second.stdout.includes("ready"));
});

describe("files that were cut or damaged while the process was dead", () => {
  // Which files those are is the store's business; here they are told by their place and age.
  const files = (folder) => fs.readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((one) => one.isFile()).map((one) => path.join(one.parentPath ?? one.path, one.name));
  const newestLog = () => files(server.data).filter((one) => /\.(wal|log)$/.test(one) && fs.statSync(one).size > 64)
    .sort((a, b) => fs.statSync(b).mtimeMs - fs.statSync(a).mtimeMs)[0];

  test("a torn tail of the log: it starts, and all but the torn record is there", async () => {
    for (let i = 0; i < 50; i++) await server.api("POST", "/api/v1/telemetry", { device: "torn", ts: base + i, values: { n: i } });
    await server.kill();
    const log = newestLog();
    assert.ok(log, `a log file in ${files(server.data)}`);
    // Half a record: what a power cut leaves behind.
    fs.appendFileSync(log, Buffer.from("a5a5a5a5ffff0000deadbeef00", "hex"));
    await server.launch();
    const { values } = await server.history("torn/n", new Date(base).toISOString(), new Date(base + 50).toISOString());
    assert.deepEqual(values, Array.from({ length: 50 }, (_, i) => i));
    await server.api("POST", "/api/v1/telemetry", { device: "torn", ts: base + 50, values: { n: 50 } });
    await server.restart();
    const later = await server.history("torn/n", new Date(base).toISOString(), new Date(base + 60).toISOString());
    assert.equal(later.values.length, 51);
  });

  test("many starts in a row change nothing", async () => {
    const count = async () => (await server.history("torn/n", new Date(base).toISOString(), new Date(base + 60).toISOString())).values.length;
    for (let i = 0; i < 3; i++) {
      await server.kill();
      await server.launch();
      assert.equal(await count(), 51);
    }
  });
});

test("SIGTERM stops cleanly with code 0 and quickly", async () => {
  const began = Date.now();
  const how = await server.stop();
  assert.equal(how.code, 0);
  assert.ok(Date.now() - began < 15_000);
  await server.launch();
});

test("it cannot start: the port is taken, the reason and the remedy are told", async () => {
  const other = await Server.start({ doors: ["http"], name: "other", token: false });
  const refused = await run(["run", "--data", `${other.data}-second`, "--http", `127.0.0.1:${other.ports.http}`, "--https", "off",
    "--mqtt", "off", "--mqtts", "off"], { timeoutMs: 15000 });
  fs.rmSync(`${other.data}-second`, { recursive: true, force: true });
  await other.close();
  assert.notEqual(refused.code, 0);
  assert.match(refused.stderr, /LS-3003/);
});
