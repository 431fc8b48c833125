// What a newcomer sees: `lineshaft demo` shows a living bottling line, its PLCs and sensors, and an alarm before long.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Server, until } from "./support.mjs";

let server;
after(async () => server?.close());

test("the demo plant is there within seconds: assets, PLCs over Modbus, sensors over MQTT, rules", async () => {
  server = await Server.start({ name: "demo", token: false });
  await server.stop();
  const args = server.runArgs;
  args[0] = "demo";
  Object.defineProperty(server, "runArgs", { get: () => args });
  await server.launch();
  server.token = await server.createToken();
  const line = "Acme/Lyon/Packing/Line1";
  await until("the PLCs", async () => {
    const { items } = await server.api("GET", "/api/v1/devices?q=PLC");
    return items.length === 2 && items.every((one) => one.connection?.state === "connected" && one.good_share === 1);
  }, 60_000);
  await until("the rules", async () => (await server.api("GET", "/api/v1/alarm-rules")).items.length >= 4, 60_000);
  await until("the sensors are accepted", async () => {
    const { items } = await server.api("GET", "/api/v1/devices?state=accepted");
    return items.some((one) => one.name === `${line}/Conveyor`) && items.length >= 6;
  }, 60_000);
  const { items } = await server.api("GET", "/api/v1/devices?state=discovered");
  assert.deepEqual(items.map((one) => one.name), [`${line}/Environment`], "one waits in the inbox for the newcomer");
  assert.ok((await server.api("GET", "/api/v1/assets")).items.some((one) => one.path === line && one.level === "line"));
  const before = await server.value(`${line}/Filler/PLC/produced`);
  await until("bottles", async () => (await server.value(`${line}/Filler/PLC/produced`)).value > before.value);
});

test("tokens made beside the running house are known to it, one after the other", async () => {
  for (let i = 0; i < 3; i++) {
    const token = await server.createToken();
    const { status } = await server.request("GET", "/api/v1/tags", undefined, { token });
    assert.equal(status, 200, `token ${i + 1}`);
  }
});

test("a setpoint is written to the PLC and read back", async () => {
  const tag = await server.tag("Acme/Lyon/Packing/Line1/Filler/PLC/speed_setpoint");
  const answer = await server.api("POST", `/api/v1/tags/${tag.id}:write`, { value: 90 });
  assert.equal(answer.outcome, "written", answer.detail);
  await server.valueBecomes("Acme/Lyon/Packing/Line1/Filler/PLC/speed_setpoint", 90);
});

test("an alarm comes within two minutes", async () => {
  const alarm = await until("an alarm", async () => (await server.api("GET", "/api/v1/alarms")).items[0], 150_000);
  assert.ok(alarm.name && alarm.action && alarm.consequence);
});

test("Ctrl-C ends the house and its plant", async () => {
  assert.equal((await server.process.stop()).code, 0);
});
