// Backups of the real program: taken under load, killed in the middle, resumed, verified, restored and started elsewhere.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { Running, Server, run, temporaryFolder, until } from "./support.mjs";

const base = Date.parse("2026-01-01T00:00:00Z");
const from = new Date(base).toISOString();
const to = new Date(base + 3_600_000).toISOString();

const folder = temporaryFolder("backup");
const secret = path.join(folder, "passphrase");
fs.writeFileSync(secret, "correct horse battery staple\n");
after(() => fs.rmSync(folder, { recursive: true, force: true }));

const withSecret = (...args) => [...args, "--passphrase-file", secret];

/// Files below a directory, as paths relative to it.
function filesOf(directory) {
  return fs.readdirSync(directory, { recursive: true, withFileTypes: true }).filter((one) => one.isFile())
    .map((one) => path.relative(directory, path.join(one.parentPath ?? one.path, one.name))).sort();
}

/// Values that no codec can shrink.
async function fill(server, device, rows, tags = 20) {
  for (let row = 0; row < rows; row += 500) {
    const body = [];
    for (let i = row; i < Math.min(rows, row + 500); i++) {
      const values = {};
      for (let tag = 0; tag < tags; tag++) values[`t${tag}`] = Math.random();
      body.push({ device, ts: base + i, values });
    }
    await server.api("POST", "/api/v1/telemetry", body);
  }
}

function flip(file, at = Math.floor(fs.statSync(file).size / 2)) {
  const bytes = fs.readFileSync(file);
  bytes[at] ^= 0x20;
  fs.writeFileSync(file, bytes);
}

describe("a house under load", () => {
  let server;
  const backups = path.join(folder, "repository");
  const restored = path.join(folder, "restored");

  before(async () => {
    server = await Server.start({ name: "backup", env: { LINESHAFT_BACKUP__BYTES_PER_SECOND: "1MB" } });
    await server.api("POST", "/api/v1/users", { name: "anna", password: "correct horse 12", role: "operator" });
    await fill(server, "plant", 30_000);
    await server.known("plant/t0");
  });
  after(() => server?.close());

  test("killed in the middle it leaves no snapshot, and the next one goes on from there", async () => {
    const begun = await server.request("POST", "/api/v1/backups", { path: backups, passphrase_file: secret });
    assert.equal(begun.status, 202, begun.text);
    assert.equal(begun.json.job.state, "running");
    const again = await server.request("POST", "/api/v1/backups", { path: backups, passphrase_file: secret });
    assert.equal(again.status, 409, "one at a time");
    await until("the middle of the backup", async () => {
      const { job } = await server.api("GET", "/api/v1/backups");
      assert.notEqual(job.state, "done");
      return job.stored_bytes > 100_000;
    });
    await server.kill();
    const list = await run(withSecret("backup", "list", "--from", backups, "--output", "json"));
    assert.equal(list.code, 0, list.stderr);
    assert.deepEqual(JSON.parse(list.stdout), []);
    const verified = await run(withSecret("verify", backups));
    assert.equal(verified.code, 0, verified.stdout + verified.stderr);
    await server.launch();
    const made = await server.cli(withSecret("backup", "create", "--to", backups, "--output", "json"));
    assert.equal(made.code, 0, made.stderr);
    const snapshot = JSON.parse(made.stdout);
    assert.ok(snapshot.added_bytes < snapshot.bytes - 100_000, made.stdout);
  });

  test("while data comes in, none of it waits, and what was there before is in it", async () => {
    let sent = 0;
    let stop = false;
    const load = (async () => {
      for (; !stop; sent++) await server.api("POST", "/api/v1/telemetry", { device: "live", ts: base + sent, values: { n: sent } });
    })();
    await until("some values", () => sent > 50);
    const before = sent;
    const made = await server.cli(withSecret("backup", "create", "--to", backups));
    const during = sent;
    stop = true;
    await load;
    assert.equal(made.code, 0, made.stderr);
    assert.ok(during > before, "values came in meanwhile");
    const done = await run(withSecret("restore", "--from", backups, "--to", restored));
    assert.equal(done.code, 0, done.stderr);
    const other = await Server.start({ data: restored, name: "restored" });
    const { values } = await other.history("live/n", from, to);
    assert.ok(values.length >= before, `${values.length} of ${before} are there`);
    assert.deepEqual(values, Array.from(values, (_, i) => i), "without a gap");
    for (const tag of ["plant/t0", "plant/t19"]) {
      assert.deepEqual((await other.history(tag, from, to)).values, (await server.history(tag, from, to)).values);
    }
    const signedIn = await other.request("POST", "/api/v1/session", { name: "anna", password: "correct horse 12" }, { token: null });
    assert.equal(signedIn.status, 201, signedIn.text);
    const tags = async (one) => (await one.api("GET", "/api/v1/tags")).items.map((tag) => [tag.id, tag.path]).sort();
    assert.deepEqual(await tags(other), await tags(server));
    assert.equal((await other.api("GET", "/api/v1/audit:verify")).ok, true);
    await other.api("POST", "/api/v1/telemetry", { device: "live", ts: base + 3_000_000, values: { n: -1 } });
    await other.restart();
    assert.equal((await other.history("live/n", from, to)).values.length, values.length + 1);
    await other.stop();
  });

  test("only what is new is copied", async () => {
    const more = async () => JSON.parse((await server.cli(withSecret("backup", "create", "--to", backups, "--output", "json"))).stdout);
    const first = await more();
    const second = await more();
    assert.ok(second.added_bytes < first.bytes / 4, JSON.stringify(second));
    assert.ok(second.bytes > 1_000_000);
  });

  test("every file of the data directory is in the backup, or left out for a reason", async () => {
    const reasons = [
      [/^(lock|run\.json|history\/[^/]+\/LOCK)$/, "says which process runs"],
      [/^command-line\.token$/, "a secret that is made anew"],
      [/^registry\.db-(wal|shm)$/, "in the copy of registry.db"],
      [/^history\/[^/]+\/[^/]*\.(wal|log)$/, "the log: all of it is in segments"],
      [/^history\/[^/]+\/[^/]*\.seg$/, "compared by number of samples above"],
      [/\.new$/, "not finished"],
    ];
    const target = path.join(folder, "walk");
    const made = await server.cli(withSecret("backup", "create", "--to", backups));
    assert.equal(made.code, 0, made.stderr);
    assert.equal((await run(withSecret("restore", "--from", backups, "--to", target))).code, 0);
    const kept = new Set(filesOf(target));
    const forgotten = filesOf(server.data).filter((file) => !kept.has(file) && !reasons.some(([pattern]) => pattern.test(file)));
    assert.deepEqual(forgotten, []);
    for (const file of ["house.json", "registry.db", "configuration.yaml"]) assert.ok(kept.has(file), file);
    assert.ok([...kept].some((file) => /^history\/[^/]+\/MANIFEST$/.test(file)), "a manifest");
    fs.rmSync(target, { recursive: true });
  });

  test("a restore never writes over anything", async () => {
    const again = await run(withSecret("restore", "--from", backups, "--to", restored));
    assert.equal(again.code, 5, again.stderr);
    assert.match(again.stderr, /LS-1004/);
    assert.match(again.stderr, /not empty/);
  });

  test("a restore that was killed goes on, and no house starts before its end", async () => {
    const target = path.join(folder, "unfinished");
    const child = new Running(withSecret("restore", "--from", backups, "--to", target), { name: "restore" });
    await until("the restore has begun, or ended", () => child.how ?? fs.existsSync(path.join(target, "RESTORE-UNFINISHED")));
    await child.kill();
    if (fs.existsSync(path.join(target, "RESTORE-UNFINISHED"))) {
      const refused = await run(["run", "--data", target, "--http", "127.0.0.1:0", "--https", "off", "--mqtt", "off", "--mqtts", "off"]);
      assert.equal(refused.code, 5, refused.stderr);
      assert.match(refused.stderr, /lineshaft restore/);
      fs.rmSync(path.join(target, "lock"), { force: true });
      const done = await run(withSecret("restore", "--from", backups, "--to", target));
      assert.equal(done.code, 0, done.stderr);
    }
    assert.equal((await run(["verify", "--data", target])).code, 0);
    fs.rmSync(target, { recursive: true });
  });

  test("a wrong passphrase is called that", async () => {
    const wrong = path.join(folder, "wrong");
    fs.writeFileSync(wrong, "incorrect horse\n");
    for (const args of [["backup", "list", "--from", backups], ["verify", backups], ["restore", "--from", backups, "--to", path.join(folder, "no")]]) {
      for (const more of [["--passphrase-file", wrong], []]) {
        const refused = await run([...args, ...more]);
        assert.equal(refused.code, 1, refused.stdout);
        assert.match(refused.stderr, /LS-2006/);
        assert.match(refused.stderr, /--passphrase-file/, "the remedy");
      }
    }
  });

  test("a flipped byte in any file of the backup is named", async () => {
    const all = filesOf(backups).filter((file) => file !== "lock");
    const some = all.filter((file) => !file.startsWith("pieces/")).concat(all.filter((file) => file.startsWith("pieces/")).slice(0, 3));
    for (const file of some) {
      const whole = path.join(backups, file);
      flip(whole, Math.floor(Math.random() * fs.statSync(whole).size));
    }
    const bad = await run(withSecret("verify", backups));
    assert.equal(bad.code, 1);
    // With both heads damaged nothing else can be read: that is said of the first.
    assert.match(bad.stdout, /REPOSITORY/);
  });

  test("verify reads the data directory of a running house, and names a damaged segment", async () => {
    const good = await run(["verify", "--data", server.data]);
    assert.equal(good.code, 0, good.stdout + good.stderr);
    await server.stop();
    const segment = filesOf(server.data).filter((file) => file.endsWith(".seg"))
      .sort((a, b) => fs.statSync(path.join(server.data, b)).size - fs.statSync(path.join(server.data, a)).size)[0];
    flip(path.join(server.data, segment));
    const bad = await run(["verify", "--data", server.data]);
    assert.equal(bad.code, 1, bad.stdout);
    assert.ok(bad.stdout.includes(segment), bad.stdout);
    flip(path.join(server.data, segment));
    await server.launch();
  });

  test("only the house's administrators see and take backups; it is in the audit log", async () => {
    const viewer = await server.createToken(["--role", "engineer"]);
    for (const method of ["GET", "POST"]) assert.equal((await server.request(method, "/api/v1/backups", method === "POST" ? {} : undefined, { token: viewer })).status, 403);
    const { items } = await server.api("GET", "/api/v1/audit?action=backup.");
    assert.ok(items.some((item) => item.action === "backup.create" && item.outcome === "done"), JSON.stringify(items));
    const none = await server.request("POST", "/api/v1/backups", {});
    assert.equal(none.status, 422, "no directory is configured");
  });

  test("a backup that fails says why, in the job and among the warnings", async () => {
    const file = path.join(folder, "a-file");
    fs.writeFileSync(file, "");
    const failed = await server.cli(withSecret("backup", "create", "--to", path.join(file, "below")));
    assert.equal(failed.code, 1);
    assert.match(failed.stderr, /LS-2001/);
    const { warnings } = await server.api("GET", "/api/v1/status");
    assert.ok(warnings.some((warning) => warning.code === "backup-failed"), JSON.stringify(warnings));
  });
});

describe("a house with a plan", () => {
  test("the configured backup is taken, listed, and verified one by one; pieces are named when damaged", async () => {
    const backups = path.join(folder, "planned");
    const server = await Server.start({ name: "planned", env: { LINESHAFT_BACKUP__PATH: backups, LINESHAFT_BACKUP__UNENCRYPTED: "true",
      LINESHAFT_BACKUP__KEEP: "last=2", LINESHAFT_BACKUP__SCHEDULE: "02:30" } });
    try {
      for (let i = 0; i < 3; i++) {
        const made = await server.cli(["backup", "create", "--output", "json"]);
        assert.equal(made.code, 0, made.stderr);
      }
      const report = await server.api("GET", "/api/v1/backups");
      assert.equal(report.items.length, 2, "the third is gone by the rule");
      assert.equal(report.encrypted, false);
      assert.equal(report.schedule, "02:30");
      assert.equal(report.path, backups);
      assert.equal(report.overdue, false);
      assert.ok(report.next_run > report.last_success);
      assert.equal(report.items[0].time, report.last_success);
      const metrics = (await server.request("GET", "/metrics")).text;
      assert.match(metrics, /lineshaft_backups_total 3/);
      assert.equal((await run(["verify", backups])).code, 0);
      for (const file of filesOf(backups)) {
        if (file === "lock") continue;
        flip(path.join(backups, file));
        const bad = await run(["verify", backups]);
        assert.equal(bad.code, 1, file);
        assert.ok(bad.stdout.includes(file), `${file}: ${bad.stdout}`);
        flip(path.join(backups, file));
      }
      const pruned = await run(["backup", "prune", "--from", backups, "--keep", "last=1", "--yes"]);
      assert.equal(pruned.code, 0, pruned.stderr);
      assert.equal((await run(["verify", backups])).code, 0);
    } finally {
      await server.close();
    }
  });

  test("a house that does not run is backed up by the command itself", async () => {
    const backups = path.join(folder, "offline");
    const server = await Server.start({ name: "offline" });
    await fill(server, "plant", 100, 1);
    await server.kill();
    const refused = await run(["backup", "create", "--data", server.data, "--to", backups]);
    assert.equal(refused.code, 1, "unencrypted only when asked for");
    assert.ok(!fs.existsSync(path.join(backups, "REPOSITORY")));
    const made = await run(withSecret("backup", "create", "--data", server.data, "--to", backups));
    assert.equal(made.code, 0, made.stderr);
    const target = path.join(folder, "from-offline");
    assert.equal((await run(withSecret("restore", "--from", backups, "--to", target))).code, 0);
    const other = await Server.start({ data: target, name: "from-offline" });
    assert.equal((await other.history("plant/t0", from, to)).values.length, 100, "also what was in the log only");
    await other.stop();
    await server.close();
  });
});

