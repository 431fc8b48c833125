// Real recordings: imported, queried and replayed as live devices. The files lie beside the checkout; where they do not,
// the tests are skipped and say so.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import zlib from "node:zlib";
import mqtt from "mqtt";
import { Running, Server, dataset, startPlant, until } from "./support.mjs";

let server;

before(async () => {
  server = await Server.start({ doors: ["http", "mqtt"], name: "import" });
});
after(async () => server?.close());

const needs = (name) => (dataset(name) ? {} : { skip: `the data set ${name} is not there (../shared/data/${name} beside the checkout)` });
const lines = (file) => zlib.gunzipSync(fs.readFileSync(file)).toString().split(/\r?\n/).filter((line) => line.trim() !== "");

async function imported(args) {
  const result = await server.cli(["import", ...args, "--output", "json"], { timeoutMs: 120_000 });
  assert.equal(result.code, 0, result.stderr);
  return JSON.parse(result.stdout);
}

describe("skab-pump-loop", needs("skab-pump-loop"), () => {
  const file = () => path.join(dataset("skab-pump-loop"), "anomaly-free.csv.gz");

  test("semicolons, CRLF and local times are understood without a word; a dry run tells so first", async () => {
    const dry = await imported([file(), "--device", "Pump loop", "--dry-run"]);
    assert.deepEqual([dry.rows, dry.values, dry.refused, dry.dry_run], [9405, 9405 * 8, 0, true]);
    assert.equal(await server.device("Pump loop"), undefined);
  });

  test("every value is there, bit for bit", async () => {
    const done = await imported([file(), "--device", "Pump loop"]);
    assert.deepEqual([done.rows, done.values, done.refused], [9405, 9405 * 8, 0]);
    const [head, ...rows] = lines(file()).map((line) => line.split(";"));
    for (const column of ["Pressure", "Volume Flow RateRMS"]) {
      const { times, values, qualities } = await server.history(`Pump loop/${column}`, "2020-02-08T00:00:00Z", "2020-02-09T00:00:00Z");
      const expected = new Map(rows.map((row) => [Date.parse(`${row[0].replace(" ", "T")}Z`), Number(row[head.indexOf(column)])]));
      assert.deepEqual(times, [...expected.keys()]);
      assert.deepEqual(values, [...expected.values()]);
      assert.ok(qualities.every((quality) => quality === 0));
    }
  });

  test("an experiment of its own becomes a device of its own", async () => {
    const experiment = path.join(dataset("skab-pump-loop"), "valve1/00.csv.gz");
    const done = await imported([experiment, "--device", "Pump loop/valve1-00", "--skip-column", "changepoint"]);
    assert.equal(done.rows, lines(experiment).length - 1);
    assert.equal(await server.tag("Pump loop/valve1-00/changepoint"), undefined);
    assert.ok(await until("the tag", () => server.tag("Pump loop/valve1-00/anomaly")));
  });

  test("reduced to a screen's width, the extremes are kept", async () => {
    const [head, ...rows] = lines(file()).map((line) => line.split(";"));
    const all = rows.map((row) => Number(row[head.indexOf("Pressure")]));
    const answer = await server.api("GET", "/api/v1/history?tags=Pump%20loop/Pressure&from=2020-02-08T13:00:00Z&to=2020-02-08T17:00:00Z&resolution=auto&width=200");
    const [one] = answer.series;
    assert.equal(Math.min(...(one.min ?? one.values).filter((value) => value !== null)), Math.min(...all));
    assert.equal(Math.max(...(one.max ?? one.values).filter((value) => value !== null)), Math.max(...all));
  });
});

describe("steel-energy", needs("steel-energy"), () => {
  const file = () => path.join(dataset("steel-energy"), "steel_2018_jan_sep.csv.gz");

  test("the energy of nine months is the published total", async () => {
    const done = await imported([file(), "--device", "Steel/meter", "--date-order", "dmy"]);
    assert.deepEqual([done.rows, done.refused], [26208, 0]);
    const { values } = await server.history("Steel/meter/Usage_kWh", "2018-01-01T00:00:00Z", "2018-10-02T00:00:00Z");
    assert.equal(values.length, 26208);
    assert.ok(Math.abs(values.reduce((sum, value) => sum + value, 0) - 729316.67) < 0.01);
  });

  test("with times counted from a start, the highest quarter of an hour is where it really was", async () => {
    await imported([file(), "--device", "Steel/corrected", "--time-column", "none", "--start", "2018-01-01T00:15:00Z", "--period", "15m"]);
    const { times, values } = await server.history("Steel/corrected/Usage_kWh", "2018-01-01T00:00:00Z", "2018-10-02T00:00:00Z");
    assert.equal(values.length, 26208);
    const highest = values.indexOf(Math.max(...values));
    assert.equal(values[highest], 153.14);
    assert.equal(new Date(times[highest]).toISOString(), "2018-01-15T13:45:00.000Z");
  });

  test("text columns are kept as text", async () => {
    const { values } = await server.history("Steel/corrected/Load_Type", "2018-01-01T00:00:00Z", "2018-01-02T00:00:00Z");
    assert.ok(values.includes("Light_Load"));
  });
});

describe("tennessee-eastman", needs("tennessee-eastman"), () => {
  const file = (name) => path.join(dataset("tennessee-eastman"), name);
  const time = ["--start", "2024-01-01T00:00:00Z", "--period", "3m"];

  test("numbers between blanks, without header and time", async () => {
    const done = await imported([file("d01.dat.gz"), "--device", "TE/d01", ...time]);
    assert.deepEqual([done.rows, done.values, done.refused], [480, 480 * 52, 0]);
    const rows = lines(file("d01.dat.gz")).map((line) => line.trim().split(/\s+/).map(Number));
    const { values, times } = await server.history("TE/d01/V9", "2024-01-01T00:00:00Z", "2024-01-03T00:00:00Z");
    assert.deepEqual(values, rows.map((row) => row[8]));
    assert.equal(times[1] - times[0], 180_000);
  });

  test("a file whose rows are tags", async () => {
    const done = await imported([file("d00.dat.gz"), "--device", "TE/d00", "--shape", "transposed", ...time]);
    assert.deepEqual([done.values, done.refused], [500 * 52, 0]);
    const rows = lines(file("d00.dat.gz")).map((line) => line.trim().split(/\s+/).map(Number));
    const { values } = await server.history("TE/d00/V1", "2024-01-01T00:00:00Z", "2024-01-03T00:00:00Z");
    assert.deepEqual(values, rows[0]);
  });
});

describe("hydraulic-rig", needs("hydraulic-rig"), () => {
  test("a matrix of cycles becomes one tag at the rate it was sampled", async () => {
    const file = path.join(dataset("hydraulic-rig"), "TS1.txt.gz");
    const done = await imported([file, "--device", "Rig", "--shape", "cycles", "--start", "2024-01-01T00:00:00Z", "--period", "60s"]);
    assert.deepEqual([done.values, done.refused], [1544 * 60, 0]);
    const { values, times } = await server.history("Rig/TS1", "2024-01-01T00:00:00Z", "2024-01-03T00:00:00Z");
    assert.equal(values.length, 1544 * 60);
    assert.deepEqual(values.slice(0, 60), lines(file)[0].trim().split(/\s+/).map(Number));
    assert.equal(times[1] - times[0], 1000);
  });
});

describe("after all imports", needs("skab-pump-loop"), () => {
  test("what was imported survives kill -9", async () => {
    const before = await server.history("Pump loop/Pressure", "2020-02-08T00:00:00Z", "2020-02-09T00:00:00Z");
    await server.kill();
    await server.launch();
    assert.deepEqual(await server.history("Pump loop/Pressure", "2020-02-08T00:00:00Z", "2020-02-09T00:00:00Z"), before);
  });
});

describe("replay", needs("skab-pump-loop"), () => {
  test("a recording plays as a live device over MQTT; what it says it sent is what other clients hear and history has", async () => {
    const listener = await mqtt.connectAsync(`mqtt://127.0.0.1:${server.ports.mqtt}`, { reconnectPeriod: 0 });
    let heard = 0;
    listener.on("message", () => heard++);
    await listener.subscribeAsync("Replay/#", { qos: 1 });
    const replay = new Running(["sim", "replay", path.join(dataset("skab-pump-loop"), "anomaly-free.csv.gz"), "--broker",
      `127.0.0.1:${server.ports.mqtt}`, "--device", "Replay/pump", "--speed", "0", "--rows", "500", "--original-time"], { name: "replay" });
    const done = await replay.line("sim done", 60_000);
    assert.equal((await replay.ended).code, 0);
    const [, rows, values, refused] = done.match(/rows=(\d+) values=(\d+) refused=(\d+)/).map(Number);
    assert.deepEqual([rows, values, refused], [500, 4000, 0]);
    await until("the messages", () => heard >= 500);
    listener.end(true);
    const { values: pressures } = await server.history("Replay/pump/Pressure", "2020-02-08T00:00:00Z", "2020-02-09T00:00:00Z");
    assert.equal(pressures.length, 500);
    assert.equal(pressures[0], 0.382638);
  });

  test("at a chosen speed it moves", async () => {
    const replay = new Running(["sim", "replay", path.join(dataset("skab-pump-loop"), "valve1/00.csv.gz"), "--broker",
      `127.0.0.1:${server.ports.mqtt}`, "--device", "Replay/valve", "--speed", "20"], { name: "replay" });
    const first = await until("a value", () => server.value("Replay/valve/Temperature"));
    await until("another value", async () => (await server.value("Replay/valve/Temperature")).time !== first.time);
    assert.ok(Math.abs(Date.parse((await server.value("Replay/valve/Temperature")).time) - Date.now()) < 60_000, "shifted to now");
    assert.equal((await replay.stop()).code, 0);
  });
});

describe("the simulated bottling line", () => {
  test("is live within seconds: two PLCs over Modbus, sensors over MQTT", async () => {
    const { plant, filler } = await startPlant(server);
    await until("sensors", async () => (await server.api("GET", "/api/v1/values?prefix=Acme")).items.length >= 5, 20_000);
    const answer = await server.api("POST", "/api/v1/modbus:test", { address: `127.0.0.1:${filler}`, unit: 1 });
    assert.equal(answer.ok, true, answer.detail);
    assert.equal((await plant.stop()).code, 0);
  });
});
