// A newcomer in a browser: takes the house by its link, sees the line move, opens a trend, meets the alarm, acknowledges
// it, accepts what was discovered. Pictures go to build/screenshots.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import mqtt from "mqtt";
import { Server, launchBrowser, root, until } from "./support.mjs";

const pictures = path.join(root, "build/screenshots");
fs.mkdirSync(pictures, { recursive: true });
const browser = await launchBrowser();

let server;
let page;
let device;
let beat;
let temperature = 60;
const complaints = [];
const foreign = [];

before(async () => {
  if (!browser) return;
  server = await Server.start({ doors: ["http", "mqtt"], name: "browser" });
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, colorScheme: "light" });
  page = await context.newPage();
  page.setDefaultTimeout(15_000);
  page.on("request", (request) => {
    if (!request.url().startsWith(server.url) && !/^(data|blob):/.test(request.url())) foreign.push(request.url());
  });
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error" && !/401|Failed to load resource/.test(message.text())) complaints.push(message.text());
  });
  // A filler that speaks MQTT, five times a second.
  device = await mqtt.connectAsync(`mqtt://127.0.0.1:${server.ports.mqtt}`, { clientId: "filler" });
  let count = 0;
  beat = setInterval(() => {
    count++;
    device.publish("Lyon/Line1/Filler", JSON.stringify({ speed: 400 + Math.round(20 * Math.sin(count / 5)), temperature, bottles: count }), { qos: 1 });
  }, 200);
});

after(async () => {
  clearInterval(beat);
  await device?.endAsync(true).catch(() => {});
  await browser?.close();
  await server?.close();
});

const picture = (name) => page.screenshot({ path: path.join(pictures, `${name}.png`) });
const byId = (id) => page.locator(`[data-testid="${id}"]`);

describe("a newcomer", { skip: browser ? false : "there is no Chromium (apt-get install chromium)" }, () => {
  test("takes the house by the link that the program printed", async () => {
    const link = await until("the claim link", () => server.process.lines.map((line) => line.match(/https?:\/\/\S+\/claim#token=\S+/)?.[0]).find(Boolean));
    await page.goto(link);
    await byId("claim-name").fill("anna");
    await byId("claim-password").fill("correct horse battery staple");
    await byId("claim-password2").fill("correct horse battery staple");
    await picture("claim");
    await byId("claim-submit").click();
    await byId("alarm-strip").waitFor();
    const { claimed } = await server.api("GET", "/api/v1/session");
    assert.equal(claimed, true);
  });

  test("sees values that move", async () => {
    await page.goto(`${server.url}/`);
    const value = byId("value-Lyon/Line1/Filler/speed").first();
    await value.waitFor();
    const seen = new Set();
    await until("three different numbers", async () => seen.add(await value.innerText()).size > 3, 20_000);
    await picture("overview");
  });

  test("opens a trend, which follows the present", async () => {
    await page.goto(`${server.url}/trend?tag=Lyon/Line1/Filler/speed&tag=Lyon/Line1/Filler/temperature&range=15m`);
    await page.locator('[data-testid="trend-chart"] canvas').first().waitFor();
    const readout = byId("trend-readout");
    await readout.waitFor();
    const first = await readout.innerText();
    await until("the readout moves", async () => (await readout.innerText()) !== first);
    const painted = await page.locator('[data-testid="trend-chart"] canvas').first().evaluate((canvas) => {
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      let count = 0;
      for (let at = 3; at < data.length; at += 4) if (data[at] > 0) count++;
      return count;
    });
    assert.ok(painted > 1000, `${painted} painted pixels`);
    await picture("trend");
  });

  test("meets the alarm on every page, with what to do", async () => {
    const tag = await until("the tag", () => server.tag("Lyon/Line1/Filler/temperature"));
    await server.api("POST", "/api/v1/alarm-rules", { tag: tag.id, name: "Filler hot", enabled: true, consequence: "Foam", action: "Open the cooling valve",
      limits: [{ kind: "H", threshold: 80, deadband: 2, on_delay_s: 0, off_delay_s: 0, priority: 2 }] });
    temperature = 95;
    await until("the alarm in the strip", async () => (await byId("strip-alarm").innerText()).includes("Filler hot"), 20_000);
    await byId("nav-alarms").click();
    await byId("alarm-row").first().waitFor();
    await picture("alarms");
  });

  test("acknowledges it with a comment", async () => {
    await byId("strip-ack").click();
    await byId("ack-comment").fill("Cooling valve is open");
    await picture("acknowledge");
    await byId("ack-submit").click();
    const alarm = await until("the acknowledgement", async () => {
      const { items } = await server.api("GET", "/api/v1/alarms?state=active");
      return items.find((one) => one.name === "Filler hot" && one.acknowledged);
    });
    assert.equal(alarm.comment, "Cooling valve is open");
    assert.equal(alarm.acknowledged_by, "anna");
    temperature = 60;
    await until("it leaves the strip", async () => !(await byId("strip-alarm").innerText()).includes("Filler hot"), 20_000);
  });

  test("accepts what was discovered", async () => {
    await page.goto(`${server.url}/devices?tab=discovered`);
    const row = byId("discovered-row").filter({ hasText: "Filler" }).first();
    await row.waitFor();
    await picture("discovered");
    await row.locator('[data-testid="device-accept"]').click();
    await until("the device is accepted", async () => (await server.device("Lyon/Line1/Filler")).state === "accepted");
  });

  for (const [name, target] of [["devices", "/devices"], ["journal", "/alarms?tab=journal"], ["rules", "/alarms?tab=rules"], ["users", "/users"],
    ["audit", "/audit"], ["system", "/system"], ["api", "/docs/api"], ["errors", "/docs/errors"]]) {
    test(`the page ${target} shows itself without a complaint`, async () => {
      const before = complaints.length;
      await page.goto(server.url + target);
      await page.locator("h1, h2").first().waitFor();
      await picture(name);
      assert.deepEqual(complaints.slice(before), []);
    });
  }

  test("in the dark, and on a wall", async () => {
    await page.emulateMedia({ colorScheme: "dark" });
    await page.goto(`${server.url}/`);
    await byId("value-Lyon/Line1/Filler/speed").first().waitFor();
    await picture("overview-dark");
    await page.setViewportSize({ width: 3840, height: 2160 });
    await picture("overview-4k");
    const wider = await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
    assert.equal(wider, false, "nothing is cut off sideways");
    await page.setViewportSize({ width: 1280, height: 800 });
  });

  test("signs out and in again", async () => {
    await page.goto(`${server.url}/`);
    await byId("account-menu").click();
    await byId("sign-out").click();
    await byId("signin-name").fill("anna");
    await byId("signin-password").fill("wrong password");
    await byId("signin-submit").click();
    await byId("signin-problem").waitFor();
    await byId("signin-password").fill("correct horse battery staple");
    await byId("signin-submit").click();
    await byId("alarm-strip").waitFor();
  });

  test("and in all that time the page asked no foreign host and complained of nothing", () => {
    assert.deepEqual(foreign, []);
    assert.deepEqual(complaints, []);
  });
});
