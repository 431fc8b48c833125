// A disk that is full: refused clearly, nothing acknowledged is lost, reads go on, writes resume when there is space.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { Server, temporaryFolder, until } from "./support.mjs";

let folder;
let mounted = false;
let server;
const base = Math.floor(Date.now() / 1000) * 1000 - 3600_000;

before(() => {
  folder = temporaryFolder("small-disk");
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=96m,mode=0700", "tmpfs", folder], { stdio: "pipe" });
    mounted = true;
  } catch (error) {
    console.log(`skipped: a small disk cannot be mounted here (${String(error.stderr ?? error).trim()})`);
  }
});
after(async () => {
  await server?.close();
  if (mounted) execFileSync("umount", ["-l", folder]);
  fs.rmSync(folder, { recursive: true, force: true });
});

test("full disk", { timeout: 180_000 }, async (t) => {
  if (!mounted) return t.skip("a small disk cannot be mounted here");
  server = await Server.start({ data: path.join(folder, "data"), doors: ["http"], name: "full-disk" });
  const acknowledged = [];
  let next = 0;
  const write = async () => {
    const first = next;
    next += 2000;
    const body = Array.from({ length: 2000 }, (_, i) => `disk,w=a n=${first + i},r=${Math.random()} ${base + first + i}`).join("\n");
    const answer = await server.request("POST", "/write?precision=ms", body);
    if (answer.status === 204) acknowledged.push(first);
    return answer;
  };
  assert.equal((await write()).status, 204);
  await server.known("disk/a/n");

  // All but a little is taken by somebody else.
  const ballast = path.join(folder, "ballast");
  const free = fs.statfsSync(folder);
  const fd = fs.openSync(ballast, "w");
  const block = Buffer.alloc(1024 * 1024);
  for (let left = free.bavail * free.bsize - 3 * block.length; left > block.length; left -= block.length) fs.writeSync(fd, block);
  fs.closeSync(fd);

  const refused = await until("a refusal", async () => {
    const answer = await write();
    return answer.status !== 204 && answer;
  }, 90_000);
  assert.ok([503, 507].includes(refused.status), `${refused.status} ${refused.text}`);
  assert.ok(refused.json.remedy);
  assert.equal((await server.request("GET", "/health")).status, 200);
  const status = await server.api("GET", "/api/v1/status");
  assert.notEqual(status.store.state, "ok", "the state is shown");
  assert.ok((await server.history("disk/a/n", new Date(base).toISOString(), new Date(base + 2000).toISOString())).values.length === 2000, "reads go on");

  fs.rmSync(ballast);
  await until("writing resumes by itself", async () => (await write()).status === 204, 60_000);
  await server.restart();
  const found = new Set((await server.history("disk/a/n", new Date(base).toISOString(), new Date(base + next).toISOString())).values);
  const lost = acknowledged.filter((first) => [0, 1, 999, 1999].some((i) => !found.has(first + i)));
  assert.deepEqual(lost, [], `${lost.length} of ${acknowledged.length} acknowledged requests are lost`);
});
