// An engineer and the store, in a browser: what is wrong with the data and where, what it takes of the disk, files out and
// in, questions over all tags, the trend with gaps, as known then, corrected and erased. What is shown is what the API says.
// Pictures go to build/screenshots.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { Server, launchBrowser, root, temporaryFolder, until } from "./support.mjs";

const pictures = path.join(root, "build/screenshots");
fs.mkdirSync(pictures, { recursive: true });
const browser = await launchBrowser();
const password = "correct horse battery staple";
const folder = temporaryFolder("browser-data");

// Two hours of two pumps at one sample a second, whole seconds; pump 1 was silent for ten minutes.
const startMs = Math.floor(Date.now() / 1000) * 1000 - 7_200_000;
const silent = { from: startMs + 3_000_000, to: startMs + 3_600_000 };
const level = (i) => Math.round((50 + 40 * Math.sin(i / 300)) * 100) / 100;

let server;
let page;
const complaints = [];
const foreign = [];

/// Line protocol is what carries much of the past at once.
function plantLines() {
  const lines = [];
  for (let i = 0; i < 7200; i++) {
    const ms = startMs + i * 1000;
    const isSilent = ms >= silent.from && ms < silent.to;
    if (!isSilent) lines.push(`Hall/Pump1 level=${level(i)},running=${i % 1200 < 900} ${ms}000000`);
    lines.push(`Hall/Pump2 level=${level(i + 700)} ${ms}000000`);
  }
  return lines;
}

function watch(made) {
  made.setDefaultTimeout(15_000);
  made.on("request", (request) => {
    if (!request.url().startsWith(server.url) && !/^(data|blob):/.test(request.url())) foreign.push(request.url());
  });
  made.on("pageerror", (error) => complaints.push(error.message));
  made.on("console", (message) => {
    if (message.type() === "error" && !/401|Failed to load resource|WebSocket/.test(message.text())) complaints.push(message.text());
  });
  return made;
}

async function signedIn(name, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, colorScheme: "light", acceptDownloads: true, ...options });
  const made = watch(await context.newPage());
  await made.goto(server.url);
  await made.locator('[data-testid="signin-name"]').fill(name);
  await made.locator('[data-testid="signin-password"]').fill(password);
  await made.locator('[data-testid="signin-submit"]').click();
  await made.locator('[data-testid="alarm-strip"]').waitFor();
  return made;
}

before(async () => {
  if (!browser) return;
  server = await Server.start({ doors: ["http", "mqtt"], name: "browser-data",
    env: { LINESHAFT_BACKUP__PATH: path.join(folder, "backups"), LINESHAFT_BACKUP__UNENCRYPTED: "true", LINESHAFT_BACKUP__SCHEDULE: "02:30" } });
  const lines = plantLines();
  for (let at = 0; at < lines.length; at += 5000) {
    const answer = await server.request("POST", "/write", lines.slice(at, at + 5000).join("\n"));
    assert.equal(answer.status, 204, answer.text);
  }
  await server.known("Hall/Pump1/level", "Hall/Pump1/running", "Hall/Pump2/level");
  for (const [name, role] of [["anna", "administrator"], ["erik", "engineer"], ["otto", "operator"], ["vera", "viewer"]])
    await server.api("POST", "/api/v1/users", { name, role, password });
  // A start finds the memory of before in files: days to be shown.
  await server.restart();
  page = await signedIn("anna");
});

after(async () => {
  await browser?.close();
  await server?.close();
  fs.rmSync(folder, { recursive: true, force: true });
});

const picture = (name, of = page) => of.screenshot({ path: path.join(pictures, `${name}.png`) });
const byId = (id, of = page) => of.locator(`[data-testid="${id}"]`);
const go = (target, of = page) => of.goto(server.url + target);
const whole = (n) => n.toLocaleString("en-US");
const local = (ms) => new Date(ms - new Date(ms).getTimezoneOffset() * 60_000).toISOString().slice(0, 19);

describe("the store in a browser", { skip: browser ? false : "there is no Chromium (apt-get install chromium)" }, () => {
  test("data quality: worst first, down to the tag, and to the stretch in the trend", async () => {
    await go("/quality?range=8h");
    await byId("quality-row").first().waitFor();
    const { total, items } = await server.api("GET", "/api/v1/data-quality?from=now-8h");
    assert.equal(await byId("quality-total-tags").innerText(), whole(total.tags));
    assert.equal(await byId("quality-total-samples").innerText(), whole(total.samples));
    assert.equal(await byId("quality-row").count(), items.length);
    await picture("quality");
    await byId("quality-row").filter({ hasText: "Hall" }).click();
    await byId("quality-row").filter({ hasText: "Pump1" }).first().click();
    assert.equal(new URL(page.url()).searchParams.get("prefix"), "Hall/Pump1");
    assert.match(await byId("quality-crumbs").innerText(), /Hall\s*Pump1/);
    const below = await server.api("GET", "/api/v1/data-quality?from=now-8h&prefix=Hall/Pump1");
    await until("the tags of the pump", async () => (await byId("quality-row").count()) === below.items.length);
    const shown = await byId("quality-row").evaluateAll((rows) => rows.map((row) => row.getAttribute("data-row-id")));
    assert.deepEqual(shown, below.items.map((item) => item.path), "in the order of the API");
    await picture("quality-tags");
    await byId("quality-row").filter({ hasText: "level" }).click();
    await byId("trend").waitFor();
    const [from, to] = new URL(page.url()).searchParams.get("range").split("~").map(Date.parse);
    assert.ok(from <= silent.from && to >= silent.to, "the silent stretch is in sight");
    assert.ok(to - from < 7_200_000, "and not all of the time");
  });

  test("the trend shows what is missing and why, and draws no line over it", async () => {
    await go(`/trend?tag=Hall/Pump1/level&range=${new Date(startMs).toISOString()}~${new Date(startMs + 7_200_000).toISOString()}`);
    const piece = byId("strip-piece").first();
    await piece.waitFor();
    const { series } = await server.api("GET", `/api/v1/history?tag=Hall/Pump1/level&from=${startMs}&to=${startMs + 7_200_000}&width=1`);
    const gaps = series[0].completeness.missing;
    assert.equal(await byId("strip-piece").count(), gaps.length);
    assert.equal(await piece.getAttribute("data-reason"), gaps[0].reason);
    const strip = await byId("trend-strip").locator(".ls-strip-row").boundingBox();
    const box = await piece.boundingBox();
    const share = (box.x - strip.x) / strip.width;
    assert.ok(Math.abs(share - 3000 / 7200) < 0.01, `it begins at ${share} of the range`);
    await picture("trend-missing");
  });

  test("panning asks only for tiles that are not here", async () => {
    const asked = [];
    const listen = (request) => {
      const url = new URL(request.url());
      if (url.pathname === "/api/v1/history" && request.headers().accept?.includes("columns")) asked.push(url.searchParams);
    };
    page.on("request", listen);
    await go(`/trend?tag=Hall/Pump1/level&tag=Hall/Pump2/level&range=${new Date(startMs + 1_800_000).toISOString()}~${new Date(startMs + 3_600_000).toISOString()}`);
    await until("the first answer", async () => /Resolution/.test(await byId("trend-resolution").innerText()) && asked.length > 0);
    const first = asked.length;
    await byId("trend-chart").focus();
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowLeft");
    await until("the range is in the address", async () => new URL(page.url()).searchParams.get("range") !== null);
    await page.waitForLoadState("networkidle");
    const spans = asked.map((it) => `${it.get("from")} ${it.get("to")} ${it.get("resolution")} ${it.get("width")}`);
    assert.equal(new Set(spans).size, spans.length, `nothing is asked twice: ${spans.join("; ")}`);
    assert.ok(asked.length <= first + 2, `${asked.length} requests`);
    page.off("request", listen);
  });

  test("ten years in one view, and aggregates for each pen", async () => {
    await go("/trend?tag=Hall/Pump1/level&tag=Hall/Pump2/level&range=8h");
    await byId("trend-readout").waitFor();
    await byId("pen-Hall/Pump2/level").selectOption("std");
    await until("the address", async () => new URL(page.url()).searchParams.get("agg") === "std:Hall/Pump2/level");
    const answered = page.waitForResponse((response) => response.url().includes("aggregates=std"));
    await page.reload();
    assert.equal((await answered).status(), 200);
    await byId("trend-strip").waitFor();
    await picture("trend-aggregates");
    await byId("trend-range").getByText("10 y").click();
    await until("the resolution of years", async () => /d/.test((await byId("trend-resolution").innerText()).replace("Resolution", "")));
    await picture("trend-ten-years");
    await byId("states-Hall/Pump1/level").waitFor();
  });

  test("how long it was in which state", async () => {
    await go(`/trend?tag=Hall/Pump1/running&range=${new Date(startMs).toISOString()}~${new Date(startMs + 3_000_000).toISOString()}`);
    await byId("states-Hall/Pump1/running").click();
    const rows = byId("states-table").locator("tbody tr");
    await until("two states", async () => (await rows.count()) === 2);
    const texts = await rows.evaluateAll((all) => all.map((row) => [...row.cells].map((cell) => cell.innerText)));
    assert.deepEqual(texts.map(([state, time, , , entered]) => [state, time, entered]), [["on", "40 min 0 s", "3"], ["off", "10 min 0 s", "2"]]);
    await picture("trend-states");
    await page.keyboard.press("Escape");
  });

  test("leaves the trend as a file in two clicks", async () => {
    await go(`/trend?tag=Hall/Pump1/level&range=${new Date(startMs).toISOString()}~${new Date(startMs + 60_000).toISOString()}`);
    await byId("trend-readout").waitFor();
    for (const [item, check] of [
      ["export-raw", (bytes) => assert.equal(bytes.toString().trim().split(/\r?\n/).length, 61)],
      ["export-raw-jsonl", (bytes) => assert.equal(bytes.toString().trim().split("\n").length, 60)],
      ["export-raw-parquet", (bytes) => assert.equal(bytes.toString("latin1", 0, 4), "PAR1")],
    ]) {
      await byId("trend-export").click();
      const [download] = await Promise.all([page.waitForEvent("download"), byId(item).click()]);
      check(fs.readFileSync(await download.path()));
    }
  });

  test("corrects a sample, shows the past as it was known, then erases a stretch", async () => {
    const [from, to] = [startMs + 60_000, startMs + 70_000];
    const range = `${new Date(from - 60_000).toISOString()}~${new Date(to + 60_000).toISOString()}`;
    await go(`/trend?tag=Hall/Pump2/level&range=${range}`);
    await byId("trend-change").click();
    await byId("change-kind").getByText("Correct").click();
    await byId("change-from").fill(local(from));
    await byId("change-to").fill(local(to));
    await byId("change-samples").waitFor();
    assert.equal(await byId("change-samples").locator("tbody tr").count(), 10);
    await byId("change-all").fill("12.5");
    await byId("change-set-all").click();
    await byId("change-reason").fill("The probe hung in the air");
    assert.equal(await byId("change-apply").isDisabled(), true, "not before it is typed");
    await byId("change-typed").fill("correct");
    await picture("trend-correct");
    const beforeCorrection = new Date().toISOString();
    await byId("change-apply").click();
    await byId("change-form").waitFor({ state: "detached" });
    const now = await server.history("Hall/Pump2/level", from, to);
    assert.deepEqual(now.values, Array(10).fill(12.5));
    assert.equal(now.times[0], from);

    await go(`/trend?tag=Hall/Pump2/level&range=${range}&known=${beforeCorrection}`);
    await byId("known-mark").waitFor();
    const then = await server.history("Hall/Pump2/level", from, to, `&known_at=${encodeURIComponent(beforeCorrection)}`);
    assert.equal(then.values[0], level(60 + 700));
    await until("the lowest value of then", async () => !(await byId("trend-readout").innerText()).includes("12.50"));
    await picture("trend-known-then");
    await byId("known-now").click();
    await byId("known-mark").waitFor({ state: "detached" });
    await until("the lowest value of now", async () => (await byId("trend-readout").innerText()).includes("12.50"));

    await byId("trend-change").click();
    await byId("change-from").fill(local(from));
    await byId("change-to").fill(local(to));
    await until("how many", async () => /10 samples/.test(await byId("change-count").innerText()));
    await byId("change-reason").fill("Nobody believes it");
    await byId("change-typed").fill("erase");
    await picture("trend-erase");
    await byId("change-apply").click();
    await byId("change-form").waitFor({ state: "detached" });
    assert.deepEqual((await server.history("Hall/Pump2/level", from, to)).values, []);
    await until("it is gone from the chart", async () => !(await byId("trend-readout").innerText()).includes("12.50"));
    const { items } = await server.api("GET", "/api/v1/audit?limit=20");
    assert.ok(items.some((entry) => entry.action === "history.erase" && JSON.stringify(entry.detail).includes("Nobody believes it")));
  });

  test("the ledger says whether everything up to n is stored", async () => {
    await go("/quality?tab=ledger");
    await byId("ledger-row").first().click();
    const { items } = await server.api("GET", "/api/v1/ledger/sources?limit=500");
    assert.equal(await byId("ledger-row").count(), items.length);
    const name = await byId("ledger-row").first().getAttribute("data-row-id");
    const source = items.find((item) => item.source === name);
    const stream = source.streams[0];
    assert.equal(await byId("ledger-complete-to").first().innerText(), whole(stream.complete_to));
    await byId("ledger-up-to").fill(String(stream.complete_to));
    assert.match(await byId("ledger-verdict").locator(".ls-state").first().innerText(), /Yes/);
    await byId("ledger-up-to").fill(String(stream.assigned_to + 1_000_000));
    assert.match(await byId("ledger-verdict").locator(".ls-state").first().innerText(), /No/);
    await picture("ledger");
  });

  test("storage: figures, days, and no damage", async () => {
    await go("/storage");
    await byId("storage-series").waitFor();
    const report = await server.api("GET", "/api/v1/storage");
    assert.equal(await byId("storage-series").innerText(), whole(report.series));
    assert.equal(await byId("storage-samples").innerText(), whole(report.samples));
    assert.equal(await byId("storage-day").count(), report.days.length);
    assert.ok(report.days.length > 0, "days were written when the house closed");
    assert.equal(await byId("damage-row").count(), 0);
    await picture("storage");
  });

  test("a retention rule shows what it would free before it is saved", async () => {
    await go("/storage?tab=retention");
    await byId("retention-add").click();
    await byId("retention-match").fill("Hall/**");
    await byId("retention-name").fill("Pumps");
    await byId("retention-raw").fill("3");
    await until("the preview", async () => /free/.test(await byId("retention-preview").innerText()));
    await picture("retention-rule");
    await byId("retention-save").click();
    await byId("retention-row").first().waitFor();
    const { items } = await server.api("GET", "/api/v1/retention-rules");
    assert.deepEqual(items.map(({ name, match, raw_age_s, tiers }) => ({ name, match, raw_age_s, tiers })),
      [{ name: "Pumps", match: "Hall/**", raw_age_s: 3 * 365 * 86_400, tiers: [{ resolution_s: 60, age_s: null }] }]);
    assert.match(await byId("retention-row").innerText(), /raw 3 years, 1 min for ever/);
    await byId("retention-edit").click();
    await byId("retention-raw").fill("4");
    await byId("retention-save").click();
    await until("the change", async () => (await server.api("GET", "/api/v1/retention-rules")).items[0].raw_age_s === 4 * 365 * 86_400);
    await picture("retention");
    await byId("retention-delete").click();
    await page.getByLabel("Type Pumps to confirm").fill("Pumps");
    await page.getByRole("dialog").getByRole("button", { name: "Delete rule" }).click();
    await until("it is gone", async () => (await server.api("GET", "/api/v1/retention-rules")).items.length === 0);
  });

  test("takes a backup", async () => {
    await go("/storage?tab=backups");
    await byId("backup-run").click();
    await byId("backup-row").first().waitFor();
    const report = await server.api("GET", "/api/v1/backups");
    assert.equal(report.items.length, 1);
    assert.match(await byId("backup-row").innerText(), new RegExp(report.items[0].id));
    assert.equal(await byId("backup-job").getAttribute("data-state"), "done");
    await until("the last success", async () => /ago/.test(await byId("backup-last").innerText()));
    await picture("backups");
  });

  test("exports a branch as a file", async () => {
    await go("/transfer");
    await byId("export-prefix").fill("Hall/Pump1");
    await byId("export-start").click();
    const job = await until("the job is done", async () => (await server.api("GET", "/api/v1/exports")).items.find((one) => one.state === "done"));
    await until("the rows are shown", async () => (await byId("export-rows").first().innerText()) === whole(job.rows));
    await picture("export");
    const [download] = await Promise.all([page.waitForEvent("download"), byId("export-download").first().click()]);
    const text = fs.readFileSync(await download.path(), "utf8");
    assert.equal(text.trim().split(/\r?\n/).length, job.rows + 1);
    assert.equal(job.rows, 2 * 6600);
  });

  test("imports a file after showing what would become which tag", async () => {
    await go("/transfer?tab=import");
    const file = path.join(folder, "old-plant.csv");
    const rows = Array.from({ length: 300 }, (_, i) => `2025-03-01T10:${String(Math.floor(i / 60)).padStart(2, "0")}:${String(i % 60).padStart(2, "0")}Z,Old/Mixer/speed,${100 + i}`);
    fs.writeFileSync(file, ["time,tag,value", ...rows, "yesterday,Old/Mixer/speed,1"].join("\n"));
    await byId("import-file").setInputFiles(file);
    await until("what it would do", async () => /300 points would become 1 tag/.test(await byId("import-summary").innerText()));
    assert.match(await byId("import-tags").innerText(), /Old\/Mixer[^]*speed[^]*300/);
    assert.match(await byId("import-detail").innerText(), /Line 302/);
    await picture("import");
    const [download] = await Promise.all([page.waitForEvent("download"), byId("import-refused").click()]);
    assert.match(fs.readFileSync(await download.path(), "utf8"), /302/);
    assert.equal(await server.tag("Old/Mixer/speed"), undefined, "nothing is stored yet");
    await byId("import-start").click();
    await until("it is stored", async () => /300 points of 1 tag are stored/.test(await byId("import-summary").innerText()));
    const stored = await server.history("Old/Mixer/speed", Date.parse("2025-03-01T10:00:00Z"), Date.parse("2025-03-01T11:00:00Z"));
    assert.deepEqual([stored.values.length, stored.values[0], stored.values[299]], [300, 100, 399]);
  });

  test("asks a question over all pumps, as a form and as JSON", async () => {
    await go("/questions");
    await byId("ask-tags").fill("{hall}/{pump}/level");
    await byId("ask-name").fill("level");
    await byId("ask-from").fill("now-8h");
    await page.getByLabel("Order by").fill("-level");
    await byId("question-run").click();
    await byId("question-row").first().waitFor();
    const question = JSON.parse(new URL(page.url()).searchParams.get("ask"));
    const answer = await server.api("POST", "/api/v1/fleet-query", question);
    assert.deepEqual(answer.columns, ["hall", "pump", "level"]);
    assert.equal(await byId("question-row").count(), answer.rows.length);
    assert.match(await byId("question-row").first().innerText(), new RegExp(answer.rows[0][1]));
    await picture("questions");
    const [download] = await Promise.all([page.waitForEvent("download"), byId("question-csv").click()]);
    assert.equal(fs.readFileSync(await download.path(), "utf8").trim().split(/\r?\n/).length, answer.rows.length + 1);
    await byId("question-mode").getByText("JSON").click();
    await byId("question-json").fill('{"select": [{"name": "x", "tags": "{a/level"}], "values": "last"}');
    await byId("question-run").click();
    await byId("question-problem").waitFor();
    assert.match(await byId("question-problem").innerText(), /LS-\d{4}/);
    await picture("questions-problem");
  });

  test("each role sees what it may do", async () => {
    const seen = {};
    for (const name of ["vera", "otto", "erik"]) {
      const theirs = await signedIn(name);
      await go("/storage?tab=retention", theirs);
      await byId("offer", theirs).waitFor();
      const add = await byId("retention-add", theirs).count();
      const backups = await byId("tab-backups", theirs).count();
      await go("/transfer", theirs);
      await byId("export-start", theirs).waitFor();
      const imports = await byId("tab-import", theirs).count();
      await go("/trend?tag=Hall/Pump1/level&range=8h", theirs);
      await byId("trend-readout", theirs).waitFor();
      const change = await byId("trend-change", theirs).count();
      seen[name] = { add, backups, imports, change };
      await theirs.context().close();
    }
    assert.deepEqual(seen, {
      vera: { add: 0, backups: 0, imports: 0, change: 0 },
      otto: { add: 0, backups: 0, imports: 0, change: 0 },
      erik: { add: 1, backups: 0, imports: 1, change: 1 },
    });
  });

  test("keys lead there", async () => {
    await go("/");
    await byId("overview").waitFor();
    for (const [key, target] of [["q", "/quality"], ["f", "/questions"], ["e", "/transfer"], ["h", "/storage"]]) {
      await page.keyboard.press("g");
      await page.keyboard.press(key);
      await until(target, async () => new URL(page.url()).pathname === target);
    }
  });

  test("in the dark and on a phone", async () => {
    await go("/");
    await byId("theme-switch").click();
    for (const [name, target] of [["quality", "/quality"], ["ledger", "/quality?tab=ledger"], ["storage", "/storage"],
      ["trend-missing", `/trend?tag=Hall/Pump1/level&range=8h`], ["questions", "/questions"]]) {
      await go(target);
      await page.waitForLoadState("networkidle");
      await picture(`${name}-dark`);
    }
    await byId("theme-switch").click();
    await page.setViewportSize({ width: 390, height: 844 });
    for (const [name, target] of [["quality", "/quality"], ["storage", "/storage"], ["transfer", "/transfer"], ["questions", "/questions"],
      ["trend", "/trend?tag=Hall/Pump1/level&range=8h"]]) {
      await go(target);
      await page.waitForLoadState("networkidle");
      await picture(`${name}-phone`);
      const wider = await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
      assert.equal(wider, false, `${target} is not cut off sideways`);
    }
    await page.setViewportSize({ width: 1280, height: 800 });
  });

  test("and in all that time the page asked no foreign host and complained of nothing", () => {
    assert.deepEqual(foreign, []);
    assert.deepEqual(complaints, []);
  });
});
