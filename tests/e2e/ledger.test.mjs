// The promise: an answer says what is missing and why, and the ledger counts what is stored. Proved with known gaps.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import mqtt from "mqtt";
import { Server, until } from "./support.mjs";

let server;
before(async () => {
  server = await Server.start({ doors: ["http", "mqtt"], name: "ledger" });
});
after(async () => server?.close());

const get = (path) => server.api("GET", path);
const sourceNamed = async (name) =>
  (await get(`/api/v1/ledger/sources?prefix=${encodeURIComponent(name)}`)).items.find((item) => item.source === name);
const completeness = async (tag, from, to) =>
  (await get(`/api/v1/history?tags=${encodeURIComponent(tag)}&from=${encodeURIComponent(from)}&to=${encodeURIComponent(to)}`))
    .series[0].completeness;

test("what is missing of evenly spaced samples is counted to the sample", async () => {
  const base = Math.floor(Date.now() / 1000) * 1000 - 7200_000;
  const seconds = Array.from({ length: 3600 }, (_, i) => i).filter((i) => i < 1000 || i >= 1137);
  const body = seconds.map((i) => `gap,d=a v=${i % 7} ${base + i * 1000}`).join("\n");
  assert.equal((await server.request("POST", "/write?precision=ms", body)).status, 204);
  await server.known("gap/a/v");
  const known = await completeness("gap/a/v", new Date(base).toISOString(), new Date(base + 3600_000).toISOString());
  assert.equal(known.samples, 3600 - 137);
  assert.equal(known.expected, 3600);
  assert.equal(known.cadence_s, 1);
  assert.equal(known.cadence_from, "learned");
  assert.equal(known.missing.length, 1);
  assert.equal(known.missing[0].samples, 137);
  assert.equal(Date.parse(known.missing[0].from), base + 1000_000);
  assert.equal(known.late, 1, "all of it came long after its source time");
});

test("kill -9: the ledger counts every acknowledged sample once, and says when the server was down", async () => {
  let sent = 0;
  for (let i = 0; i < 20; i++) {
    const lines = Array.from({ length: 50 }, (_, k) => `count,d=b n=${i * 50 + k} ${Date.now() * 1000 + i * 50 + k}`);
    assert.equal((await server.request("POST", "/write?precision=us", lines.join("\n"))).status, 204);
    sent += 50;
  }
  const all = async () => (await get("/api/v1/ledger/sources")).items.filter((item) => item.source.startsWith("http/"));
  const total = (items) => items.reduce((sum, item) => sum + item.samples, 0);
  const before = total(await all());
  assert.ok(before >= sent);
  await server.kill();
  await server.launch();
  const again = await all();
  assert.equal(total(again), before, "nothing twice, nothing lost");
  for (const item of again) {
    assert.equal(item.complete, true);
    for (const stream of item.streams) assert.deepEqual(stream.holes, []);
  }
  const { up, items } = await get("/api/v1/ledger?from=now-2h");
  assert.equal(up.length, 2);
  assert.equal(up[0].closed, false, "it was killed");
  assert.ok(Date.parse(up[0].until) <= Date.parse(up[1].from));
  assert.equal(items.filter((hour) => hour.source.startsWith("http/")).reduce((sum, hour) => sum + hour.stored, 0), before);
});

test("a device that disconnects is away, and its gap is the link's", async () => {
  const connect = () =>
    mqtt.connectAsync(`mqtt://127.0.0.1:${server.ports.mqtt}`, { clientId: "walker", reconnectPeriod: 0 });
  const publish = async (client, count) => {
    for (let i = 0; i < count; i++) await client.publishAsync("walk/x", String(i), { qos: 1 });
  };
  const from = new Date(Date.now() - 100).toISOString();
  let client = await connect();
  await publish(client, 25);
  assert.equal((await sourceNamed("mqtt/walker")).presence, "connected");
  await client.endAsync();
  await until("the ledger to know", async () => (await sourceNamed("mqtt/walker")).presence === "away");
  const left = Date.now();
  await until("a gap that is one", () => Date.now() - left > 3000);
  client = await connect();
  await publish(client, 25);
  await client.endAsync();
  await server.known("walk/x");
  const known = await completeness("walk/x", from, new Date().toISOString());
  assert.equal(known.samples, 50);
  assert.ok(known.missing.some((one) => one.reason === "link"), JSON.stringify(known));
  assert.equal((await sourceNamed("mqtt/walker")).complete, true);
});

describe("data quality", () => {
  test("sorts by what is worst and drills down", async () => {
    const now = Date.now();
    const lines = [];
    for (let i = 0; i < 600; i++) {
      lines.push(`good,line=1 v=${i % 13} ${now - 600_000 + i * 1000}`);
      if (i < 100 || i >= 500) lines.push(`poor,line=1 v=${i % 13} ${now - 600_000 + i * 1000}`);
    }
    assert.equal((await server.request("POST", "/write?precision=ms", lines.join("\n"))).status, 204);
    await server.known("good/1/v", "poor/1/v");
    const top = await get("/api/v1/data-quality?from=now-10m");
    const names = top.items.map((item) => item.path);
    assert.ok(names.indexOf("poor") < names.indexOf("good"), names.join(", "));
    const poor = top.items.find((item) => item.path === "poor");
    assert.equal(poor.kind, "level");
    assert.ok(poor.missing >= 390, JSON.stringify(poor));
    const below = await get("/api/v1/data-quality?from=now-10m&prefix=poor");
    assert.equal(below.items[0].path, "poor/1");
    assert.equal(below.items[0].kind, "device");
    const tags = await get("/api/v1/data-quality?from=now-10m&by=tag&prefix=poor");
    assert.equal(tags.items[0].path, "poor/1/v");
  });

  test("speaks on the command line", async () => {
    const quality = await server.cli(["quality", "--output", "json"]);
    assert.equal(quality.code, 0, quality.stderr);
    assert.ok(JSON.parse(quality.stdout).length > 0);
    const ledger = await server.cli(["ledger", "--output", "json"]);
    assert.equal(ledger.code, 0, ledger.stderr);
    assert.ok(JSON.parse(ledger.stdout).every((item) => item.complete));
  });
});
