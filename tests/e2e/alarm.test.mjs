// Alarms: a rule, what it does live and what it would have done, acknowledging, the journal.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Live, Server, until } from "./support.mjs";

let server;
let tag;
let rule;
let live;

const say = (value, ts = Date.now()) => server.api("POST", "/api/v1/telemetry", { device: "Boiler", ts, values: { temperature: value } });
// Everything on the board: an alarm that came and went before anybody saw it is there too.
const onBoard = async () => (await server.api("GET", "/api/v1/alarms?state=all")).items.filter((one) => one.tag_path === "Boiler/temperature" && one.state !== "A");
const becomes = (state) => until(`an alarm in state ${state}`, async () => (await onBoard()).find((one) => one.state === state));

before(async () => {
  server = await Server.start({ doors: ["http", "mqtt"], name: "alarm" });
  // An hour of history at one sample a minute: warm for ten minutes, twice.
  const now = Date.now();
  const history = Array.from({ length: 60 }, (_, i) => ({ device: "Boiler", ts: now - (60 - i) * 60000,
    values: { temperature: (i >= 10 && i < 20) || (i >= 40 && i < 50) ? 95 : 60 } }));
  await server.api("POST", "/api/v1/telemetry", history);
  tag = await until("the tag", () => server.tag("Boiler/temperature"));
  live = await Live.open(server);
  live.send({ op: "alarms" });
});
after(async () => {
  live?.close();
  await server?.close();
});

const limits = [
  { kind: "HH", threshold: 100, deadband: 2, on_delay_s: 0, off_delay_s: 0, priority: 1 },
  { kind: "H", threshold: 80, deadband: 2, on_delay_s: 0, off_delay_s: 0, priority: 2 },
];

test("before a rule is saved, history tells how often it would have fired", async () => {
  const preview = await server.api("POST", "/api/v1/alarm-rules:preview",
    { tag: tag.id, limits: [limits[1]], from: new Date(Date.now() - 2 * 3600_000).toISOString(), to: new Date().toISOString() });
  assert.equal(preview.fired, 2);
  assert.equal(preview.episodes.length, 2);
  assert.equal(preview.samples, 60);
  const minutes = (new Date(preview.episodes[0].end) - new Date(preview.episodes[0].start)) / 60000;
  assert.equal(minutes, 10);
  assert.ok(preview.active_share > 0 && preview.active_share < 1);
});

test("a rule is made, and a rule that makes no sense is not", async () => {
  rule = await server.api("POST", "/api/v1/alarm-rules",
    { tag: tag.id, name: "Boiler hot", enabled: true, consequence: "The safety valve opens", action: "Close the burner", limits });
  assert.equal(rule.tag_path, "Boiler/temperature");
  const wrong = await server.request("POST", "/api/v1/alarm-rules", { tag: tag.id, name: "x", limits: [{ kind: "HHH", threshold: 1 }] });
  assert.ok(wrong.status === 400 || wrong.status === 422, wrong.text);
  assert.ok(wrong.json.remedy);
});

test("it is raised once, with what the operator needs to know", async () => {
  await say(85);
  const alarm = await becomes("B");
  assert.deepEqual([alarm.limit, alarm.priority, alarm.value, alarm.threshold, alarm.active, alarm.acknowledged], ["H", 2, 85, 80, true, false]);
  assert.equal(alarm.consequence, "The safety valve opens");
  assert.equal(alarm.action, "Close the burner");
  for (const value of [84, 86, 85.5]) await say(value);
  assert.equal((await onBoard()).length, 1);
  await until("the alarm on the live connection", () => live.alarms?.items.some((one) => one.tag_path === "Boiler/temperature"));
  assert.equal((await server.value("Boiler/temperature")).alarm, 2);
});

test("inside the dead band it stays", async () => {
  await say(79);
  await say(78.5);
  assert.equal((await onBoard())[0].active, true);
});

test("acknowledged with a comment, by a name", async () => {
  const [alarm] = await onBoard();
  await server.api("POST", `/api/v1/alarms/${alarm.id}:ack`, { comment: "Burner is being closed" });
  const acknowledged = await becomes("C");
  assert.equal(acknowledged.comment, "Burner is being closed");
  assert.ok(acknowledged.acknowledged_by.length > 0);
  assert.ok(acknowledged.acknowledged_at);
});

test("an acknowledged alarm that ends is normal", async () => {
  await say(60);
  await until("no alarm", async () => (await onBoard()).length === 0);
});

test("an alarm that ends before it was seen waits to be acknowledged", async () => {
  await say(85);
  await becomes("B");
  await say(60);
  const returned = await becomes("D");
  assert.equal(returned.active, false);
  assert.ok(returned.cleared);
});

test("it outlives a restart, and so does its rule", async () => {
  await server.restart();
  const [alarm] = await onBoard();
  assert.equal(alarm.state, "D");
  await server.api("POST", "/api/v1/alarms:ack", { ids: [alarm.id], comment: "seen after the restart" });
  await until("no alarm", async () => (await onBoard()).length === 0);
  await say(101);
  await until("both limits", async () => {
    const kinds = (await onBoard()).map((one) => one.limit).sort();
    return kinds.includes("HH");
  });
});

test("kill -9 forgets no alarm that was shown", async () => {
  const before = (await onBoard()).map((one) => [one.limit, one.state]).sort();
  await server.kill();
  await server.launch();
  assert.deepEqual((await onBoard()).map((one) => [one.limit, one.state]).sort(), before);
});

test("an on-delay swallows a short peak", async () => {
  await server.api("POST", "/api/v1/telemetry", { device: "Pump", values: { pressure: 1 } });
  const pressure = await until("the tag", () => server.tag("Pump/pressure"));
  await server.api("POST", "/api/v1/alarm-rules", { tag: pressure.id, name: "Pressure", enabled: true,
    limits: [{ kind: "H", threshold: 5, deadband: 0, on_delay_s: 3600, off_delay_s: 0, priority: 3 }] });
  await server.api("POST", "/api/v1/telemetry", { device: "Pump", values: { pressure: 9 } });
  await server.api("POST", "/api/v1/telemetry", { device: "Pump", values: { pressure: 1 } });
  await server.valueBecomes("Pump/pressure", 1);
  const all = (await server.api("GET", "/api/v1/alarms?state=all")).items;
  assert.equal(all.filter((one) => one.tag_path === "Pump/pressure").length, 0);
});

test("the journal has every step in order, with names and comments", async () => {
  const { items } = await server.api("GET", `/api/v1/alarm-journal?tag=Boiler/temperature&limit=1000`);
  const inOrder = items.toSorted((a, b) => new Date(a.time) - new Date(b.time)).filter((one) => one.limit === "H").map((one) => one.event);
  assert.deepEqual(inOrder.slice(0, 5), ["raised", "acknowledged", "cleared", "raised", "cleared"]);
  assert.ok(items.some((one) => one.comment === "Burner is being closed" && one.by.length > 0));
});

test("a viewer sees alarms and may not acknowledge them; an operator may", async () => {
  const [alarm] = (await onBoard()).filter((one) => !one.acknowledged);
  const viewer = await server.createToken(["--role", "viewer"]);
  assert.equal((await server.request("GET", "/api/v1/alarms?state=active", undefined, { token: viewer })).status, 200);
  assert.equal((await server.request("POST", `/api/v1/alarms/${alarm.id}:ack`, { comment: "no" }, { token: viewer })).status, 403);
  const operator = await server.createToken(["--role", "operator"]);
  assert.ok((await server.request("POST", `/api/v1/alarms/${alarm.id}:ack`, { comment: "yes" }, { token: operator })).status < 300);
});

test("a rule that is switched off or removed alarms no more", async () => {
  await server.api("PATCH", `/api/v1/alarm-rules/${rule.id}`, { enabled: false });
  await say(60);
  // One that was acknowledged before may end at any moment and leave the board.
  for (const one of await onBoard()) await server.request("POST", `/api/v1/alarms/${one.id}:ack`, { comment: "" });
  await until("no alarm", async () => (await onBoard()).length === 0);
  await say(120);
  await server.valueBecomes("Boiler/temperature", 120);
  assert.equal((await onBoard()).length, 0);
  await server.api("DELETE", `/api/v1/alarm-rules/${rule.id}`);
  const { items } = await server.api("GET", `/api/v1/alarm-rules?tag=${tag.id}`);
  assert.deepEqual(items, []);
});
