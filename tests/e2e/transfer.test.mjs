// History into files and out of them: what goes out of one house and into another is the same, byte for byte; Parquet says
// what CSV says; a kill in the middle loses and doubles nothing.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import zlib from "node:zlib";
import { DuckDBInstance } from "@duckdb/node-api";
import { Server, temporaryFolder, until } from "./support.mjs";

const folder = temporaryFolder("transfer");
const file = (name) => path.join(folder, name);
let server;

/// Line protocol of a day of a small line: numbers, whole numbers, truth and text.
function lines(count, device = "Line1/Filler") {
  const out = [];
  for (let i = 0; i < count; i++) {
    const fields = [`level=${(Math.sin(i / 50) * 40 + 50).toFixed(3)}`, `count=${i}i`];
    if (i % 60 === 0) fields.push(`running=${i % 120 === 0}`, `note="step ${i}, \\"ü\\""`);
    out.push(`${device} ${fields.join(",")} ${1700000000 + i}000000000`);
  }
  return `${out.join("\n")}\n`;
}

async function cli(at, args, options) {
  const result = await at.cli(args, { timeoutMs: 120_000, ...options });
  assert.equal(result.code, 0, result.stderr);
  return result;
}

async function exported(at, name, ...args) {
  await cli(at, ["export", "--all", "--output", file(name), ...args]);
  return fs.readFileSync(file(name));
}

before(async () => {
  server = await Server.start({ doors: ["http"], name: "transfer" });
  fs.writeFileSync(file("plant.lp"), lines(20_000));
  await cli(server, ["import", file("plant.lp")]);
});
after(async () => server?.close());

describe("out and in again", () => {
  for (const [form, name] of [["csv", "a.csv"], ["jsonl", "a.jsonl.gz"]]) {
    test(`${form}: a second house exports the same bytes`, async () => {
      const first = await exported(server, name);
      const second = await Server.start({ doors: ["http"], name: `transfer-${form}` });
      try {
        await cli(second, ["import", file(name)]);
        const again = await exported(second, `again-${name}`);
        const plain = (bytes) => (name.endsWith(".gz") ? zlib.gunzipSync(bytes) : bytes);
        assert.ok(plain(first).equals(plain(again)));
        assert.equal(plain(first).toString().trimEnd().split("\n").length, 40_000 + 2 * 334 + (form === "csv" ? 1 : 0));
      } finally {
        await second.close();
      }
    });
  }

  test("a dry run says what would become which tag and asks nobody", async () => {
    await exported(server, "dry.csv");
    const result = await server.cli(["import", file("dry.csv"), "--dry-run", "--output", "json"]);
    const report = JSON.parse(result.stdout);
    assert.equal(report.format, "csv");
    assert.deepEqual(report.tags.map((tag) => [tag.tag, tag.type]).sort(), [
      ["Line1/Filler/count", "int"], ["Line1/Filler/level", "double"],
      ["Line1/Filler/note", "string"], ["Line1/Filler/running", "bool"],
    ]);
  });
});

test("DuckDB reads from Parquet what CSV says", async () => {
  await exported(server, "same.csv", "--receive-time");
  await exported(server, "same.parquet");
  const db = await (await DuckDBInstance.create(":memory:")).connect();
  const rows = async (sql) => (await db.runAndReadAll(sql)).getRowsJson();
  const csv = `read_csv('${file("same.csv")}', all_varchar=true, header=true, delim=',', quote='"', escape='"')`;
  assert.deepEqual(
    await rows(`SELECT count(*) FROM (
      SELECT time::TIMESTAMPTZ AS time, tag, type, coalesce(quality,''), coalesce(unit,''), device,
             CASE WHEN type IN ('double','int') THEN value::DOUBLE WHEN type = 'bool' THEN (value::BOOL)::INT::DOUBLE END,
             CASE WHEN type = 'string' THEN value END, receive_time::TIMESTAMPTZ FROM ${csv}
      EXCEPT ALL
      SELECT time, tag, type, quality, unit, device, value, value_text, receive_time FROM '${file("same.parquet")}')`),
    [["0"]],
  );
  assert.deepEqual(await rows(`SELECT count(*) FROM '${file("same.parquet")}'`), await rows(`SELECT count(*) FROM ${csv}`));
});

test("a streamed export is what the job made", async () => {
  const whole = await exported(server, "stream.csv");
  const { text } = await server.request("GET", "/api/v1/export?prefix=&format=csv");
  assert.equal(text, whole.toString());
});

test("a file comes in any parts, and a range behind its end is refused", async () => {
  const made = await server.api("POST", "/api/v1/exports", { prefix: "", format: "csv", name: "parts" });
  const job = await until("the job", async () => {
    const now = await server.api("GET", `/api/v1/exports/${made.id}`);
    return now.state === "done" && now;
  });
  const url = `/api/v1/exports/${job.id}/file`;
  const whole = (await server.request("GET", url)).bytes;
  assert.equal(whole.length, job.files[0].bytes);
  const part = await server.request("GET", url, undefined, { headers: { Range: "bytes=10-29" } });
  assert.equal(part.status, 206);
  assert.ok(part.bytes.equals(whole.subarray(10, 30)));
  const behind = await server.request("GET", url, undefined, { headers: { Range: `bytes=${whole.length}-` } });
  assert.equal(behind.status, 416);
});

test("killed in the middle of an export, it goes on and every row is there once", async () => {
  const expected = (await exported(server, "unkilled.csv")).toString();
  const made = await server.api("POST", "/api/v1/exports", { prefix: "", format: "csv", name: "killed" });
  await server.kill();
  await server.restart();
  const job = await until("the job", async () => {
    const now = await server.api("GET", `/api/v1/exports/${made.id}`);
    return now.state === "done" && now;
  }, 60_000);
  assert.equal(job.rows, expected.trimEnd().split("\n").length - 1);
  assert.equal((await server.request("GET", `/api/v1/exports/${job.id}/file`)).text, expected);
});

test("killed in the middle of an import, it goes on and is exact by count", async () => {
  const second = await Server.start({ doors: ["http"], name: "transfer-kill" });
  try {
    const count = 200_000;
    const text = lines(count, "Line2/Capper");
    const made = await second.api("POST", "/api/v1/imports", { name: "big.lp", bytes: Buffer.byteLength(text) });
    const sent = await second.request("PUT", `/api/v1/imports/${made.id}/file?offset=0`, text);
    assert.equal(sent.status, 200);
    await second.api("POST", `/api/v1/imports/${made.id}:start`, {});
    await until("some points", async () => (await second.api("GET", `/api/v1/imports/${made.id}`)).points > 1000, 60_000);
    await second.kill();
    await second.restart();
    const done = await until("the import", async () => {
      const now = await second.api("GET", `/api/v1/imports/${made.id}`);
      return ["done", "failed"].includes(now.state) && now;
    }, 120_000);
    const values = 2 * count + 2 * Math.ceil(count / 60);
    assert.deepEqual([done.state, done.points, done.refused], ["done", values, 0]);
    const rows = (await second.request("GET", "/api/v1/export?prefix=&format=csv")).text;
    assert.equal(rows.trimEnd().split("\n").length - 1, values);
  } finally {
    await second.close();
  }
});

test("who may not read may not export, who may not import is told", async () => {
  assert.equal((await fetch(`${server.url}/api/v1/export?prefix=`)).status, 401);
});
