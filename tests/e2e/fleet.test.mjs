// The promise: one question answers for a thousand machines, from whatever came, in whatever order.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Server, run, until } from "./support.mjs";

let server;
before(async () => {
  server = await Server.start({ doors: ["http"], name: "fleet" });
});
after(async () => server?.close());

const fleets = ["East", "North", "West"];
const start = Date.UTC(2026, 0, 1);
const trucks = Array.from({ length: 60 }, (_, i) => ({ name: `truck_${i}`, fleet: fleets[i % 3], driver: `d${i % 5}` }));
// Ten-minute stretches in which truck i drives: the first 2 * (i % 20).
const drives = (i, minute) => minute < 20 * (i % 20);

const lines = () => {
  const all = [];
  trucks.forEach((truck, i) => {
    for (let minute = 0; minute < 600; minute += 2)
      all.push(
        `readings,name=${truck.name},fleet=${truck.fleet},driver=${truck.driver} ` +
          `velocity=${drives(i, minute) ? 40 + (minute % 7) : 0},fuel=${(minute % 11) / 10} ${start + minute * 60_000}`,
      );
  });
  return all;
};

const ask = async (question) => (await server.request("POST", "/api/v1/fleet-query", question)).json;
const sessions = {
  select: [{ name: "v", tags: "readings/{driver}/{fleet}/{truck}/velocity" }],
  from: "2026-01-01T00:00:00Z",
  to: "2026-01-01T10:00:00Z",
  bucket: "10m",
  where: "v > 1",
  per: { values: [{ name: "n", aggregate: "count" }, { name: "longest", aggregate: "longest_run" }] },
};

test("late and shuffled samples give the answer that can be reckoned", async () => {
  const all = lines();
  // Every third line later.
  const order = [...all.filter((_, i) => i % 3), ...all.filter((_, i) => i % 3 === 0)];
  for (let at = 0; at < order.length; at += 5000) {
    const body = order.slice(at, at + 5000).join("\n");
    assert.equal((await server.request("POST", "/write?precision=ms", body)).status, 204);
  }
  await until("all tags to be known", async () => (await ask(sessions)).completeness?.series === 60);
  const answer = await ask(sessions);
  assert.deepEqual(answer.columns, ["driver", "fleet", "truck", "n", "longest"]);
  const found = new Map(answer.rows.map((row) => [row[2], row.slice(3)]));
  trucks.forEach((truck, i) => {
    const stretches = 2 * (i % 20);
    assert.deepEqual(found.get(truck.name), stretches ? [stretches, stretches] : undefined, truck.name);
  });
  assert.equal(answer.completeness.samples, 60 * 300);
  assert.equal(answer.completeness.good, 1);
});

test("groups, last values and a condition over single samples", async () => {
  const hours = await ask({
    ...sessions,
    group: { by: ["fleet"], values: [{ name: "trucks", aggregate: "count" }, { name: "hours", aggregate: "sum", of: "n / 6" }] },
  });
  for (const [fleet, count, sum] of hours.rows) {
    const own = trucks.map((truck, i) => ({ ...truck, n: 2 * (i % 20) })).filter((truck) => truck.fleet === fleet && truck.n);
    assert.equal(count, own.length);
    assert.ok(Math.abs(sum - own.reduce((total, truck) => total + truck.n, 0) / 6) < 1e-9);
  }
  const last = await ask({ select: [{ name: "f", tags: "readings/*/{fleet:East}/{truck}/fuel" }], values: "last" });
  assert.equal(last.rows.length, 20);
  assert.ok(last.rows.every((row) => row[3] === (598 % 11) / 10));
  const fuel = await ask({
    select: [
      { name: "v", tags: "readings/*/*/{truck:truck_39}/velocity" },
      { name: "f", tags: "readings/*/*/{truck:truck_39}/fuel", aggregate: "count", when: "v == 0" },
    ],
    from: "2026-01-01",
    to: "2026-01-02",
  });
  assert.equal(fuel.rows[0][2], 300 - 190);
});

test("the answer outlives kill -9", async () => {
  const before = await ask(sessions);
  await server.kill();
  await server.launch();
  const after = await ask(sessions);
  assert.deepEqual(after.rows, before.rows);
});

test("the shell asks the same", async () => {
  const csv = await run(["fleet", "-", "--data", server.data, "--output", "csv"], {
    input: JSON.stringify({ ...sessions, having: "n >= 38", order_by: ["truck"] }),
  });
  assert.equal(csv.code, 0, csv.stderr);
  assert.equal(csv.stdout, "driver,fleet,truck,n,longest\r\nd4,North,truck_19,38,38\r\nd4,East,truck_39,38,38\r\nd4,West,truck_59,38,38\r\n");
  const wrong = await run(["fleet", "-", "--data", server.data], { input: '{"select":[{"name":"v","tags":"a//b"}]}' });
  assert.match(wrong.stderr, /LS-1001/);
});
