// The command line: what it says, how it ends, and that every error has a way out.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import zlib from "node:zlib";
import { Server, freePorts, run, temporaryFolder, until } from "./support.mjs";

let server;
let folder;

before(async () => {
  server = await Server.start({ doors: ["http", "mqtt"], name: "cli" });
  folder = temporaryFolder("cli");
});
after(async () => {
  await server?.close();
  fs.rmSync(folder, { recursive: true, force: true });
});

const file = (name, content) => {
  const at = path.join(folder, name);
  fs.writeFileSync(at, content);
  return at;
};

/// An error as look and feel ask for it: a code, and something to try.
function assertHelpful(result, code) {
  assert.match(result.stderr, /error\[LS-\d{4}\]/, result.stderr);
  assert.match(result.stderr, /\btry\b/, result.stderr);
  if (code !== undefined) assert.equal(result.code, code, result.stderr);
  else assert.notEqual(result.code, 0);
}

describe("help", () => {
  test("without a command, and with --help, it says what there is", async () => {
    const help = await run(["--help"]);
    assert.equal(help.code, 0);
    for (const command of ["run", "demo", "sim", "doctor", "status", "import", "query", "tag", "alarm", "device", "user", "token", "config", "version"]) {
      assert.match(help.stdout, new RegExp(`\\b${command}\\b`), command);
    }
  });

  for (const command of ["run", "demo", "doctor", "status", "import", "query", "tag", "alarm", "device", "user", "token", "config", "version"]) {
    test(`${command} --help`, async () => {
      const help = await run([command, "--help"]);
      assert.equal(help.code, 0, help.stderr);
      assert.ok(help.stdout.length > 80, help.stdout);
    });
  }

  test("an error code is explained", async () => {
    const help = await run(["help", "LS-2004"]);
    assert.equal(help.code, 0, help.stderr);
    assert.match(help.stdout, /data directory/i);
  });

  test("version, for people and for programs", async () => {
    assert.match((await run(["version"])).stdout, /\d+\.\d+\.\d+/);
    assert.match(JSON.parse((await run(["version", "--output", "json"])).stdout).version, /^\d+\.\d+\.\d+/);
  });

  for (const shell of ["bash", "zsh", "fish"]) {
    test(`completion for ${shell}`, async () => {
      const script = await run(["completion", shell]);
      assert.equal(script.code, 0, script.stderr);
      assert.match(script.stdout, /lineshaft/);
    });
  }
});

describe("wrong use ends with 2 and the nearest right one", () => {
  test("an unknown command", async () => {
    const result = await run(["staus"]);
    assertHelpful(result, 2);
    assert.match(result.stderr, /status/);
  });
  test("an unknown option", async () => assertHelpful(await run(["run", "--dta", folder]), 2));
  test("a missing argument", async () => assertHelpful(await run(["import"]), 2));
  test("an address that is none", async () => assertHelpful(await run(["run", "--data", folder, "--http", "nonsense"]), 2));
  test("a number that is none", async () => assertHelpful(await run(["run", "--data", folder, "--shards", "many"]), 2));
});

describe("exit codes", () => {
  test("3: there is no such tag, and the nearest is named", async () => {
    await server.api("POST", "/api/v1/telemetry", { device: "Mixer", values: { speed: 1 } });
    await server.valueBecomes("Mixer/speed", 1);
    const result = await server.cli(["tag", "read", "Mixer/sped"]);
    assertHelpful(result, 3);
    assert.match(result.stderr, /Mixer\/speed/);
  });
  test("4: a wrong token", async () => assertHelpful(await server.cli(["tag", "list"], { env: { LINESHAFT_TOKEN: "ls_wrong" } }), 4));
  test("5: the user exists already", async () => {
    const add = () => server.cli(["user", "add", "otto", "--role", "operator", "--password-stdin"], { input: "correct horse battery\n" });
    const first = await add();
    assert.equal(first.code, 0, first.stderr);
    assertHelpful(await add(), 5);
  });
  test("6: nobody answers", async () => {
    const [dead] = await freePorts(1);
    assertHelpful(await server.cli(["status"], { env: { LINESHAFT_SERVER: `http://127.0.0.1:${dead}` } }), 6);
  });
});

describe("looking", () => {
  test("status", async () => {
    const result = await server.cli(["status"]);
    assert.equal(result.code, 0, result.stderr);
    assert.match(result.stdout, /sample/i);
    const json = JSON.parse((await server.cli(["status", "--output", "json"])).stdout);
    assert.equal(json.store.state, "ok");
  });

  test("doctor checks and says what is good", async () => {
    const result = await run(["doctor", "--data", server.data]);
    assert.equal(result.code, 0, result.stdout + result.stderr);
    assert.match(result.stdout, /disk/i);
  });

  test("doctor net: a port that answers and one that does not", async () => {
    assert.equal((await run(["doctor", "net", `127.0.0.1:${server.ports.http}`])).code, 0);
    const [dead] = await freePorts(1);
    const bad = await run(["doctor", "net", `127.0.0.1:${dead}`]);
    assert.notEqual(bad.code, 0);
    assert.match(bad.stdout + bad.stderr, /refused/i);
  });

  test("tags: list, read; data on stdout, nothing else", async () => {
    await server.api("POST", "/api/v1/telemetry", { device: "Saw", values: { speed: 2800, running: true } });
    await server.valueBecomes("Saw/speed", 2800);
    const list = await server.cli(["tag", "list", "--prefix", "Saw", "--output", "json"]);
    assert.deepEqual(JSON.parse(list.stdout).map((tag) => tag.path).sort(), ["Saw/running", "Saw/speed"]);
    const csv = await server.cli(["tag", "list", "--prefix", "Saw", "--output", "csv"]);
    assert.match(csv.stdout.split("\n")[0], /path/);
    const read = JSON.parse((await server.cli(["tag", "read", "Saw/speed", "--output", "json"])).stdout);
    assert.equal(read[0].value, 2800);
    const table = await server.cli(["tag", "read", "Saw/speed", "--output", "table"]);
    assert.match(table.stdout, /2800/);
  });

  test("a tag is given a unit", async () => {
    const set = await server.cli(["tag", "set", "Saw/speed", "--unit", "1/min"]);
    assert.equal(set.code, 0, set.stderr);
    await until("the unit", async () => (await server.tag("Saw/speed")).unit === "1/min");
  });

  test("query: raw as CSV and JSON, reduced, and from a pipe", async () => {
    const base = Math.floor(Date.now() / 60000) * 60000 - 600_000;
    await server.api("POST", "/api/v1/telemetry", Array.from({ length: 120 }, (_, i) => ({ device: "Lathe", ts: base + i * 1000, values: { load: i } })));
    await server.known("Lathe/load");
    const range = ["--from", new Date(base).toISOString(), "--to", new Date(base + 120_000).toISOString()];
    const csv = (await server.cli(["query", "Lathe/load", ...range, "--resolution", "raw", "--output", "csv"])).stdout.trim().split(/\r?\n/);
    assert.equal(csv[0], "time,tag,value,quality");
    assert.equal(csv.length, 121);
    const json = JSON.parse((await server.cli(["query", "Lathe/load", ...range, "--resolution", "raw", "--output", "json"])).stdout);
    assert.equal(json.series[0].values.length, 120);
    const reduced = (await server.cli(["query", "Lathe/load", ...range, "--resolution", "1m", "--output", "csv"])).stdout.trim().split(/\r?\n/);
    assert.equal(reduced[0], "time,tag,min,max,first,last,mean,count");
    assert.equal(reduced.length, 3);
    assert.match(reduced[1], /,0,59,0,59,29\.5,60$/);
    const table = (await server.cli(["query", "Lathe/load", ...range, "--limit", "5", "--resolution", "raw", "--output", "table"])).stdout;
    assert.match(table, /Lathe\/load/);
    const piped = (await server.cli(["query", "Lathe/load", ...range, "--resolution", "raw"])).stdout;
    assert.match(piped, /^time,tag,value,quality/, "CSV when it is not a terminal");
  });
});

describe("changing", () => {
  test("devices: discovered, accepted, shown", async () => {
    await server.api("POST", "/api/v1/telemetry", { device: "Stray", values: { x: 1 } });
    await until("the device", async () => (await server.cli(["device", "list", "--state", "discovered", "--output", "json"])).stdout.includes("Stray"));
    const accepted = await server.cli(["device", "accept", "Stray"]);
    assert.equal(accepted.code, 0, accepted.stderr);
    const shown = JSON.parse((await server.cli(["device", "show", "Stray", "--output", "json"])).stdout);
    assert.equal(shown.state, "accepted");
  });

  test("a Modbus device from a file, and a file that is wrong", async () => {
    const settings = { address: "127.0.0.1:1", unit: 1, registers: [{ name: "a", table: "holding", address: 0, type: "uint16" }] };
    const added = await server.cli(["device", "add", "plc", "--protocol", "modbus", "--settings", file("plc.json", JSON.stringify(settings))]);
    assert.equal(added.code, 0, added.stderr);
    settings.registers[0].type = "int8";
    assertHelpful(await server.cli(["device", "add", "plc2", "--protocol", "modbus", "--settings", file("wrong.json", JSON.stringify(settings))]));
    assertHelpful(await server.cli(["device", "add", "plc3", "--protocol", "modbus", "--settings", path.join(folder, "no-such-file")]));
  });

  test("an alarm rule, the alarm, its acknowledgement", async () => {
    await server.api("POST", "/api/v1/telemetry", { device: "Kiln", values: { temperature: 20 } });
    await server.valueBecomes("Kiln/temperature", 20);
    const made = await server.cli(["alarm", "rule", "add", "Kiln/temperature", "--limit", "H=80,deadband=2,on-delay=0s,priority=2", "--name", "Kiln hot"]);
    assert.equal(made.code, 0, made.stderr);
    await server.api("POST", "/api/v1/telemetry", { device: "Kiln", values: { temperature: 90 } });
    const alarm = await until("the alarm", async () => JSON.parse((await server.cli(["alarm", "list", "--output", "json"])).stdout).find((one) => one.name === "Kiln hot"));
    const acknowledged = await server.cli(["alarm", "ack", alarm.id, "--comment", "seen"]);
    assert.equal(acknowledged.code, 0, acknowledged.stderr);
    assert.match((await server.cli(["alarm", "list", "--output", "csv"])).stdout, /,C,|acknowledged|seen/);
  });

  test("tokens: made, listed without their secret, removed and then useless", async () => {
    const made = await server.cli(["token", "create", "--name", "collector", "--role", "viewer"]);
    assert.equal(made.code, 0, made.stderr);
    const secret = made.stdout.trim();
    assert.match(secret, /^ls_\S{20,}$/);
    assert.equal((await server.request("GET", "/api/v1/tags", undefined, { token: secret })).status, 200);
    const listed = (await server.cli(["token", "list", "--output", "json"])).stdout;
    assert.ok(!listed.includes(secret));
    const { id } = JSON.parse(listed).find((one) => one.name === "collector");
    assert.equal((await server.cli(["token", "remove", id])).code, 0);
    await until("the token is refused", async () => (await server.request("GET", "/api/v1/tags", undefined, { token: secret })).status === 401);
  });

  test("a token can be made while nothing runs", async () => {
    await server.stop();
    const made = await run(["token", "create", "--data", server.data, "--role", "viewer", "--name", "offline"]);
    assert.equal(made.code, 0, made.stderr);
    await server.launch();
    assert.equal((await server.request("GET", "/api/v1/tags", undefined, { token: made.stdout.trim() })).status, 200);
  });

  test("users: added, listed, removed", async () => {
    assert.equal((await server.cli(["user", "add", "emma", "--role", "engineer", "--password-stdin"], { input: "a long enough password\n" })).code, 0);
    assert.match((await server.cli(["user", "list", "--output", "csv"])).stdout, /emma/);
    assert.equal((await server.cli(["user", "remove", "emma", "--yes"])).code, 0);
    assert.doesNotMatch((await server.cli(["user", "list", "--output", "csv"])).stdout, /emma/);
  });
});

describe("import", () => {
  const rows = (n, wrong = {}) => ["time,speed,mode", ...Array.from({ length: n }, (_, i) => wrong[i + 2] ??
    `2024-05-01T10:00:${String(i % 60).padStart(2, "0")}.${String(Math.floor(i / 60)).padStart(3, "0")}Z,${i},AUTO`)].join("\n") + "\n";

  test("a dry run stores nothing; the import stores all", async () => {
    const csv = file("good.csv", rows(1000));
    const dry = await server.cli(["import", csv, "--device", "Imported", "--dry-run", "--output", "json"]);
    assert.equal(dry.code, 0, dry.stderr);
    assert.deepEqual([JSON.parse(dry.stdout).rows, JSON.parse(dry.stdout).refused], [1000, 0]);
    assert.equal(await server.device("Imported"), undefined);
    const done = await server.cli(["import", csv, "--device", "Imported", "--output", "json"]);
    assert.equal(done.code, 0, done.stderr);
    assert.equal(JSON.parse(done.stdout).values, 2000);
    const { values } = await server.history("Imported/speed", "2024-05-01T10:00:00Z", "2024-05-01T10:01:00Z");
    assert.equal(values.length, 1000);
  });

  test("the same file twice is the same data once", async () => {
    assert.equal((await server.cli(["import", path.join(folder, "good.csv"), "--device", "Imported"])).code, 0);
    const { values } = await server.history("Imported/speed", "2024-05-01T10:00:00Z", "2024-05-01T10:01:00Z");
    assert.equal(values.length, 1000);
  });

  test("refused rows are told with their line and reason; the rest is in; the exit code says 'in part'", async () => {
    const csv = file("partly.csv", rows(50, { 10: "not a time,5,AUTO", 20: "2024-05-01T11:00:00Z,1,AUTO,too,many" }));
    const rejected = path.join(folder, "rejected.csv");
    const result = await server.cli(["import", csv, "--device", "Partly", "--rejected", rejected, "--output", "json"]);
    assert.equal(result.code, 7, result.stderr);
    assert.equal(JSON.parse(result.stdout).refused, 2);
    assert.match(result.stderr, /\b10\b/);
    assert.match(result.stderr, /\b20\b/);
    assert.match(fs.readFileSync(rejected, "utf8"), /not a time/);
    const { values } = await server.history("Partly/speed", "2024-05-01T10:00:00Z", "2024-05-01T12:00:00Z");
    assert.equal(values.length, 48);
  });

  test("gzip is unpacked", async () => {
    const packed = file("packed.csv.gz", zlib.gzipSync(rows(100)));
    assert.equal((await server.cli(["import", packed, "--device", "Packed"])).code, 0);
    assert.equal((await server.history("Packed/speed", "2024-05-01T10:00:00Z", "2024-05-01T10:01:00Z")).values.length, 100);
  });

  for (const [what, name, content] of [["no such file", "", ""], ["an empty file", "empty.csv", ""],
    ["a file that is no table", "binary.csv", Buffer.from(Array.from({ length: 2000 }, (_, i) => (i * 37) % 256))],
    ["a gzip that ends early", "cut.csv.gz", zlib.gzipSync(rows(1000)).subarray(0, 500)],
    ["no time and no --start", "timeless.csv", "a,b\n1,2\n3,4\n"]]) {
    test(`${what} is told and nothing breaks`, async () => {
      const result = await server.cli(["import", name ? file(name, content) : path.join(folder, "no-such-file.csv"), "--device", "Wrong"]);
      assertHelpful(result);
      assert.equal((await server.request("GET", "/health")).status, 200);
    });
  }
});

describe("configuration", () => {
  test("an empty file is a valid configuration", async () => {
    assert.equal((await run(["config", "check", file("empty.yaml", "")])).code, 0);
  });

  test("an unknown key is named with its line and the nearest right one", async () => {
    const result = await run(["config", "check", file("typo.yaml", "data: ./x\nhtpp:\n  listen: 127.0.0.1:8080\n")]);
    assertHelpful(result);
    assert.match(result.stderr, /LS-3001/);
    assert.match(result.stderr, /htpp/);
    assert.match(result.stderr, /http/);
    assert.match(result.stderr, /\b2\b/);
  });

  test("YAML that is none", async () => assertHelpful(await run(["config", "check", file("broken.yaml", "a: [1, 2\nb: }")])));

  test("show tells every value and where it comes from; schema is JSON", async () => {
    const shown = await run(["config", "show"], { env: { LINESHAFT_DATA: folder } });
    assert.equal(shown.code, 0, shown.stderr);
    assert.match(shown.stdout, /default/);
    const schema = await run(["config", "schema"]);
    assert.equal(schema.code, 0, schema.stderr);
    assert.equal(typeof JSON.parse(schema.stdout), "object");
  });
});
