// Who reaches what: TLS ports that wait for an owner, tokens that end, tokens of devices.
import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { after, describe, test } from "node:test";
import mqtt from "mqtt";
import { Server, until } from "./support.mjs";

const servers = [];
const start = async (options) => {
  const server = await Server.start(options);
  servers.push(server);
  return server;
};
after(async () => {
  for (const server of servers) await server.close();
});

async function reaches(host, port) {
  const socket = net.connect(port, host);
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

test("TLS ports for all addresses listen on loopback alone until somebody owns the house", async () => {
  const server = await start({ doors: ["http"], name: "exposure", token: false,
    args: [] });
  await server.stop();
  // Another loopback address stands for another machine: 127.0.0.1 alone does not answer there.
  const args = ["run", "--data", server.data, "--http", `127.0.0.1:${server.ports.http}`, "--https", `0.0.0.0:${server.ports.https}`,
    "--mqtt", "off", "--mqtts", `0.0.0.0:${server.ports.mqtts}`];
  Object.defineProperty(server, "runArgs", { get: () => args });
  await server.launch();
  for (const port of [server.ports.https, server.ports.mqtts]) {
    assert.equal(await reaches("127.0.0.1", port), true);
    assert.equal(await reaches("127.0.0.2", port), false, "not before there is an administrator");
  }
  const link = await until("the claim link", () => server.process.lines.find((line) => line.includes("/claim#token=")));
  const token = link.match(/#token=(\S+)/)[1];
  const claimed = await server.request("POST", "/api/v1/claim", { token, name: "anna", password: "a long enough password" }, { token: null });
  assert.equal(claimed.status, 201, claimed.text);
  for (const port of [server.ports.https, server.ports.mqtts]) {
    await until(`port ${port} for everybody`, () => reaches("127.0.0.2", port));
    assert.equal(await reaches("127.0.0.1", port), true);
  }
  await server.restart();
  assert.equal(await reaches("127.0.0.2", server.ports.https), true, "at once after a restart");
});

describe("tokens", () => {
  let server;
  test("a revoked token loses its MQTT connection", async () => {
    server = await start({ name: "tokens" });
    const made = await server.api("POST", "/api/v1/tokens", { name: "gauge", role: "engineer" });
    const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${server.ports.mqtt}`, { reconnectPeriod: 0, username: "x", password: made.token });
    await client.publishAsync("Gauge/pressure", "1", { qos: 1 });
    const closed = once(client, "close");
    await server.request("DELETE", `/api/v1/tokens/${made.id}`);
    await closed;
    await assert.rejects(mqtt.connectAsync(`mqtt://127.0.0.1:${server.ports.mqtt}`, { reconnectPeriod: 0, username: "x", password: made.token }));
  });

  test("a device's token writes for its device and for no other, over HTTP and MQTT", async () => {
    const made = await server.api("POST", "/api/v1/tokens", { name: "saw", device: "Hall/Saw" });
    const post = (body, target = "/api/v1/telemetry") => server.request("POST", target, body, { token: made.token });
    assert.equal((await post({ values: { speed: 1 } })).status, 204);
    assert.equal((await post({ device: "Hall/Saw/motor", values: { current: 1 } })).status, 204);
    assert.equal((await post({ device: "Hall/Other", values: { speed: 1 } })).status, 403);
    assert.equal((await post({ device: "Hall/Sawmill", values: { speed: 1 } })).status, 403);
    assert.equal((await post("other speed=1", "/write")).status, 403);
    await server.valueBecomes("Hall/Saw/speed", 1);
    assert.equal(await server.device("Hall/Other"), undefined);
    const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${server.ports.mqtt}`, { protocolVersion: 5, reconnectPeriod: 0, username: "x", password: made.token });
    await client.publishAsync("v1/devices/me/telemetry", '{"speed": 2}', { qos: 1 });
    await server.valueBecomes("Hall/Saw/speed", 2);
    await assert.rejects(client.publishAsync("Hall/Other/speed", "3", { qos: 1 }));
    client.end(true);
  });
});

test("a deleted device stays deleted over a restart", async () => {
  const server = await start({ name: "deleted" });
  await server.api("POST", "/api/v1/telemetry", { device: "Gone", values: { x: 1 } });
  await server.known("Gone/x");
  const device = await server.device("Gone");
  assert.equal((await server.request("DELETE", `/api/v1/devices/${device.id}`)).status, 204);
  await server.restart();
  assert.equal(await server.tag("Gone/x"), undefined);
  assert.ok(!server.process.lines.some((line) => /error/.test(line)), server.process.lines.join("\n"));
});
