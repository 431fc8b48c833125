// A year of samples in random order, with repeats and late corrections, answers byte for byte like the same year in order.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Server } from "./support.mjs";

const year = 365 * 86_400_000;
const step = 10 * 60_000;
const from = Date.UTC(2025, 0, 1);
const tags = ["year/m/temperature", "year/m/running", "year/m/state", "year/m/pieces"];
let inOrder, shuffled;

before(async () => {
  // Little memory: many flushes and merges, at other moments on either side.
  [inOrder, shuffled] = await Promise.all(["in-order", "shuffled"].map((name) =>
    Server.start({ doors: ["http"], name, env: { LINESHAFT_STORE__MEMORY: "1MB" } })));
});
after(() => Promise.all([inOrder?.close(), shuffled?.close()]));

/// A generator of its own (mulberry32), so that a failure can be repeated.
function randomFrom(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/// One line a time stamp; some lack the temperature, so that the tags' times differ.
function lines() {
  const random = randomFrom(7);
  const all = [];
  let temperature = 20;
  let pieces = 0;
  for (let time = from; time < from + year; time += step) {
    temperature = Math.round((temperature + random() - 0.5) * 100) / 100;
    pieces = random() < 0.001 ? 0 : pieces + Math.floor(random() * 5);
    const fields = [`running=${random() < 0.8}`, `state="${["EXECUTE", "HELD", "IDLE"][Math.floor(random() * 3)]}"`, `pieces=${pieces}i`];
    if (random() < 0.9) fields.push(`temperature=${temperature}`);
    all.push(`year,w=m ${fields.join(",")} ${time}`);
  }
  return all;
}

async function write(server, all) {
  for (let at = 0; at < all.length; at += 2000) {
    const answer = await server.request("POST", "/write?precision=ms", all.slice(at, at + 2000).join("\n"));
    assert.equal(answer.status, 204, answer.text);
  }
}

test("a year in random order with repeats answers like the year in order", { timeout: 120_000 }, async () => {
  const ordered = lines();
  const random = randomFrom(99);
  const mixed = [...ordered];
  for (let i = 0; i < ordered.length / 3; i++) mixed.push(ordered[Math.floor(random() * ordered.length)]);
  for (let i = mixed.length - 1; i > 0; i--) {
    const other = Math.floor(random() * (i + 1));
    [mixed[i], mixed[other]] = [mixed[other], mixed[i]];
  }
  await Promise.all([write(inOrder, ordered), write(shuffled, mixed)]);
  for (const server of [inOrder, shuffled]) await server.known(...tags);
  const range = `from=${new Date(from + 12_345_000).toISOString()}&to=${new Date(from + year - 54_321_000).toISOString()}`;
  const questions = ["raw&limit=100000", "10m", "1h", "6h", "1d", "7d", "auto&width=500"].flatMap((resolution) =>
    tags.map((tag) => `/api/v1/history?tags=${tag}&${range}&resolution=${resolution}`));
  const columns = { headers: { accept: "application/vnd.lineshaft.columns" } };
  const asText = { headers: { accept: "text/csv" } };
  let compared = 0;
  for (const question of questions) {
    for (const form of [columns, asText]) {
      const [a, b] = await Promise.all([inOrder.request("GET", question, undefined, form), shuffled.request("GET", question, undefined, form)]);
      assert.equal(a.status, 200, `${question}: ${a.text}`);
      assert.equal(b.status, 200, `${question}: ${b.text}`);
      assert.ok(a.bytes.equals(b.bytes), `${question}: the order of arrival shows in the answer`);
      compared += a.bytes.length;
    }
  }
  assert.ok(compared > 1_000_000, `only ${compared} bytes were compared`);
});
