// A hundred kills of the real process under load, at random moments of writing, flushing and merging. Proved by count.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Server } from "./support.mjs";

const kills = Number(process.env.LINESHAFT_TEST_KILLS ?? 100);
const base = Math.floor(Date.now() / 1000) * 1000 - 7200_000;
const tag = "kills/http/n";
let server;

before(async () => {
  // Little memory: flushes, merges and log files that leave happen all the time.
  server = await Server.start({ doors: ["http"], name: "kills", env: { LINESHAFT_STORE__MEMORY: "1MB" } });
});
after(async () => server?.close());

test(`kill -9, ${kills} times under load: every acknowledged sample is there, none is invented`, { timeout: 600_000 }, async (t) => {
  const acknowledged = new Set();
  let next = 0;
  for (let round = 0; round < kills; round++) {
    let stop = false;
    const writer = async () => {
      while (!stop) {
        const first = next;
        next += 200;
        // Every third request comes in reverse, every fifth twice: late and doubled samples are as safe as others.
        const numbers = Array.from({ length: 200 }, (_, i) => first + i);
        if (first % 3 === 0) numbers.reverse();
        const body = numbers.map((n) => `kills,w=http n=${n} ${base + n}`).join("\n");
        const answer = await server.request("POST", "/write?precision=ms", body).catch(() => undefined);
        if (answer === undefined) return;
        if (answer.status === 204) for (const n of numbers) acknowledged.add(n);
        if (first % 5 === 0) await server.request("POST", "/write?precision=ms", body).catch(() => undefined);
      }
    };
    const before = acknowledged.size;
    const writers = Promise.all([writer(), writer(), writer()]);
    await new Promise((resolve) => setTimeout(resolve, 10 + Math.random() * 250));
    await server.kill();
    stop = true;
    await writers;
    await server.launch();
    if (round % 20 === 19 || round === kills - 1) await compare(acknowledged, next, round);
    if (acknowledged.size === before) t.diagnostic(`round ${round}: killed before the first acknowledgement`);
  }
  assert.ok(acknowledged.size > kills * 100, `only ${acknowledged.size} samples were acknowledged`);
  t.diagnostic(`${kills} kills, ${acknowledged.size} acknowledged samples, ${next} offered, none lost`);
});

async function compare(acknowledged, offered, round) {
  const found = new Set();
  for (let at = 0; at < offered; at += 50_000) {
    const { times, values } = await server.history(tag, new Date(base + at).toISOString(), new Date(base + at + 50_000).toISOString());
    times.forEach((time, i) => {
      assert.equal(values[i], time - base, "a sample has the value it was sent with");
      assert.ok(!found.has(values[i]), "no sample is given twice");
      found.add(values[i]);
    });
  }
  const lost = [...acknowledged].filter((n) => !found.has(n));
  assert.deepEqual(lost.slice(0, 10), [], `round ${round}: ${lost.length} of ${acknowledged.size} acknowledged samples are lost`);
  const invented = [...found].filter((n) => n >= offered);
  assert.deepEqual(invented.slice(0, 10), []);
}
