// The MQTT broker, as mqtt.js sees it: 3.1.1 and 5.0, over TCP, TLS and WebSocket; and what becomes of a publish.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import fs from "node:fs";
import path from "node:path";
import mqtt from "mqtt";
import { Server, until } from "./support.mjs";

let server;
const clients = [];

before(async () => {
  server = await Server.start({ doors: ["http", "https", "mqtt", "mqtts"], name: "mqtt" });
});

after(async () => {
  await Promise.all(clients.map((client) => client.endAsync(true).catch(() => {})));
  await server?.close();
});

async function connect(options = {}) {
  const { url = `mqtt://127.0.0.1:${server.ports.mqtt}`, ...rest } = options;
  const client = await mqtt.connectAsync(url, { connectTimeout: 8000, reconnectPeriod: 0, ...rest });
  client.received = [];
  client.on("message", (topic, payload, packet) => client.received.push({ topic, payload: payload.toString(), packet }));
  client.on("error", () => {});
  clients.push(client);
  return client;
}

const receive = (client, topic, count = 1) =>
  until(`${count} message(s) on ${topic}`, () => {
    const found = client.received.filter((message) => message.topic === topic);
    return found.length >= count ? found : undefined;
  });

const transports = {
  tcp: () => ({ url: `mqtt://127.0.0.1:${server.ports.mqtt}` }),
  tls: () => ({ url: `mqtts://127.0.0.1:${server.ports.mqtts}`, ca: authority(), username: "test", password: server.token }),
  websocket: () => ({ url: `ws://127.0.0.1:${server.ports.http}/mqtt` }),
  "websocket over tls": () => ({
    url: `wss://127.0.0.1:${server.ports.https}/mqtt`, username: "test", password: server.token,
    wsOptions: { ca: authority() },
  }),
};

/// The certificate of the local authority, which clients are told to trust.
function authority() {
  const folder = path.join(server.data, "pki");
  const found = fs.readdirSync(folder).filter((name) => /\.(pem|crt)$/.test(name) && /ca|authority/.test(name));
  assert.ok(found.length > 0, `a certificate of the authority in ${folder}: ${fs.readdirSync(folder)}`);
  return fs.readFileSync(path.join(folder, found[0]));
}

for (const protocolVersion of [4, 5]) {
  describe(`MQTT ${protocolVersion === 4 ? "3.1.1" : "5.0"}`, () => {
    const prefix = `e2e/v${protocolVersion}`;
    const versioned = (options = {}) => connect({ protocolVersion, ...options });

    for (const qos of [0, 1, 2]) {
      test(`QoS ${qos} arrives once, with its payload`, async () => {
        const [publisher, subscriber] = [await versioned(), await versioned()];
        const granted = await subscriber.subscribeAsync(`${prefix}/qos${qos}`, { qos });
        assert.equal(granted[0].qos, qos);
        for (let i = 0; i < 50; i++) await publisher.publishAsync(`${prefix}/qos${qos}`, String(i), { qos });
        const messages = await receive(subscriber, `${prefix}/qos${qos}`, 50);
        assert.deepEqual(messages.map((message) => message.payload), Array.from({ length: 50 }, (_, i) => String(i)));
        assert.ok(messages.every((message) => message.packet.qos === qos));
      });
    }

    test("the quality of service is the lower of both sides", async () => {
      const [publisher, subscriber] = [await versioned(), await versioned()];
      await subscriber.subscribeAsync(`${prefix}/lower`, { qos: 0 });
      await publisher.publishAsync(`${prefix}/lower`, "1", { qos: 2 });
      assert.equal((await receive(subscriber, `${prefix}/lower`))[0].packet.qos, 0);
    });

    test("a retained message waits for those who come later, and an empty one removes it", async () => {
      const publisher = await versioned();
      await publisher.publishAsync(`${prefix}/retained`, "kept", { qos: 1, retain: true });
      const late = await versioned();
      await late.subscribeAsync(`${prefix}/retained`);
      const [message] = await receive(late, `${prefix}/retained`);
      assert.equal(message.payload, "kept");
      assert.equal(message.packet.retain, true);

      await publisher.publishAsync(`${prefix}/retained`, "", { qos: 1, retain: true });
      const later = await versioned();
      await later.subscribeAsync(`${prefix}/#`);
      await publisher.publishAsync(`${prefix}/after`, "x", { qos: 1 });
      await receive(later, `${prefix}/after`);
      assert.equal(later.received.filter((one) => one.topic === `${prefix}/retained`).length, 0);
    });

    test("a will is sent when the connection is cut, and not after a goodbye", async () => {
      const watcher = await versioned();
      await watcher.subscribeAsync(`${prefix}/will/#`, { qos: 1 });
      const will = (name) => ({ will: { topic: `${prefix}/will/${name}`, payload: Buffer.from("gone"), qos: 1, retain: false } });
      const polite = await versioned(will("polite"));
      await polite.endAsync();
      const cut = await versioned(will("cut"));
      cut.stream.destroy();
      assert.equal((await receive(watcher, `${prefix}/will/cut`))[0].payload, "gone");
      assert.equal(watcher.received.filter((one) => one.topic === `${prefix}/will/polite`).length, 0);
    });

    test("wildcards: + is one level, # is the rest and its parent, $ topics are not matched by #", async () => {
      const [publisher, subscriber] = [await versioned(), await versioned()];
      await subscriber.subscribeAsync([`${prefix}/wild/+/temperature`, `${prefix}/wild/tree/#`]);
      for (const topic of ["wild/a/temperature", "wild/a/b/temperature", "wild/a/pressure", "wild/tree", "wild/tree/x/y"]) {
        await publisher.publishAsync(`${prefix}/${topic}`, "1", { qos: 1 });
      }
      await publisher.publishAsync(`${prefix}/wild/end/temperature`, "1", { qos: 1 });
      await receive(subscriber, `${prefix}/wild/end/temperature`);
      assert.deepEqual(subscriber.received.map((one) => one.topic.slice(prefix.length + 1)).sort(),
        ["wild/a/temperature", "wild/end/temperature", "wild/tree", "wild/tree/x/y"].sort());

      const all = await versioned();
      await all.subscribeAsync("#");
      await publisher.publishAsync(`${prefix}/wild/last`, "1", { qos: 1 });
      await receive(all, `${prefix}/wild/last`);
      assert.equal(all.received.filter((one) => one.topic.startsWith("$")).length, 0);
    });

    test("a session that was kept gets what came meanwhile, in order, also over a restart of the server", async () => {
      const keep = protocolVersion === 4 ? { clean: false } : { clean: false, properties: { sessionExpiryInterval: 3600 } };
      const clientId = `keeper-${protocolVersion}`;
      const first = await versioned({ clientId, ...keep });
      await first.subscribeAsync(`${prefix}/session/#`, { qos: 1 });
      await first.endAsync();

      const publisher = await versioned();
      for (let i = 0; i < 20; i++) await publisher.publishAsync(`${prefix}/session/${i}`, String(i), { qos: 1 });
      await server.restart();

      // mqtt.js hands over messages that come right after CONNACK, so the listener must be there before.
      const again = mqtt.connect(`mqtt://127.0.0.1:${server.ports.mqtt}`, { protocolVersion, clientId, ...keep, reconnectPeriod: 0 });
      clients.push(again);
      const got = [];
      let sessionPresent;
      again.on("message", (topic, payload) => got.push(payload.toString()));
      again.on("connect", (packet) => (sessionPresent = packet.sessionPresent));
      await until("20 kept messages", () => got.length >= 20);
      assert.equal(sessionPresent, true);
      assert.deepEqual(got, Array.from({ length: 20 }, (_, i) => String(i)));
    });

    test("a second client of the same id takes over, the first is cut", async () => {
      const first = await versioned({ clientId: `twin-${protocolVersion}` });
      let closed = false;
      first.on("close", () => (closed = true));
      await versioned({ clientId: `twin-${protocolVersion}` });
      await until("the first is cut", () => closed);
    });

    for (const [transport, options] of Object.entries(transports)) {
      test(`publish and subscribe over ${transport}`, async () => {
        const client = await versioned(options());
        const topic = `${prefix}/transport/${transport.replaceAll(" ", "-")}`;
        await client.subscribeAsync(topic, { qos: 1 });
        const big = "x".repeat(100_000);
        await client.publishAsync(topic, big, { qos: 1 });
        assert.equal((await receive(client, topic))[0].payload, big);
      });
    }
  });
}

describe("MQTT 5.0 properties", () => {
  test("user properties, content type, response topic and correlation data reach the subscriber", async () => {
    const client = await connect({ protocolVersion: 5 });
    await client.subscribeAsync("e2e/properties", { qos: 1 });
    await client.publishAsync("e2e/properties", "1", {
      qos: 1,
      properties: { userProperties: { line: "7" }, contentType: "text/plain", responseTopic: "e2e/answer",
        correlationData: Buffer.from("abc"), messageExpiryInterval: 60 },
    });
    const [{ packet }] = await receive(client, "e2e/properties");
    assert.equal(packet.properties.userProperties.line, "7");
    assert.equal(packet.properties.contentType, "text/plain");
    assert.equal(packet.properties.responseTopic, "e2e/answer");
    assert.equal(packet.properties.correlationData.toString(), "abc");
  });

  test("a topic alias stands for its topic", async () => {
    const client = await connect({ protocolVersion: 5, autoUseTopicAlias: true, properties: { topicAliasMaximum: 10 } });
    const watcher = await connect({ protocolVersion: 5 });
    await watcher.subscribeAsync("e2e/alias", { qos: 1 });
    for (let i = 0; i < 5; i++) await client.publishAsync("e2e/alias", String(i), { qos: 1 });
    assert.deepEqual((await receive(watcher, "e2e/alias", 5)).map((one) => one.payload), ["0", "1", "2", "3", "4"]);
  });

  test("no local: a client does not hear itself", async () => {
    const client = await connect({ protocolVersion: 5 });
    const other = await connect({ protocolVersion: 5 });
    await client.subscribeAsync("e2e/nolocal", { qos: 1, nl: true });
    await other.subscribeAsync("e2e/nolocal", { qos: 1 });
    await client.publishAsync("e2e/nolocal", "own", { qos: 1 });
    await other.publishAsync("e2e/nolocal", "other", { qos: 1 });
    await receive(other, "e2e/nolocal", 2);
    await receive(client, "e2e/nolocal");
    assert.deepEqual(client.received.map((one) => one.payload), ["other"]);
  });

  test("the answer to CONNECT tells what the broker can", async () => {
    const client = mqtt.connect(`mqtt://127.0.0.1:${server.ports.mqtt}`, { protocolVersion: 5, clientId: "", reconnectPeriod: 0 });
    clients.push(client);
    const connack = await new Promise((resolve, reject) => {
      client.once("connect", resolve);
      client.once("error", reject);
    });
    assert.equal(connack.reasonCode, 0);
    assert.ok(connack.properties?.assignedClientIdentifier, "an empty client id is given one");
  });
});

describe("a publish becomes readings", () => {
  let client;
  before(async () => (client = await connect()));
  const publish = (topic, payload) => client.publishAsync(topic, typeof payload === "string" ? payload : JSON.stringify(payload), { qos: 1 });

  test("a bare number, boolean and string", async () => {
    await publish("Plant/Mixer/speed", "1450.5");
    await publish("Plant/Mixer/running", "true");
    await publish("Plant/Mixer/recipe", "Lemonade 7");
    assert.equal((await server.valueBecomes("Plant/Mixer/speed", 1450.5)).device, "Plant/Mixer");
    await server.valueBecomes("Plant/Mixer/running", true);
    await server.valueBecomes("Plant/Mixer/recipe", "Lemonade 7");
  });

  test("a topic of one level is a device with the tag 'value'", async () => {
    await publish("thermometer", "21.5");
    assert.equal((await server.valueBecomes("thermometer/value", 21.5)).device, "thermometer");
  });

  test("a JSON object: nested names become a path", async () => {
    await publish("Plant/Press", { motor: { current: 3.2, temperature: 61 }, state: "EXECUTE" });
    await server.valueBecomes("Plant/Press/motor/current", 3.2);
    await server.valueBecomes("Plant/Press/motor/temperature", 61);
    await server.valueBecomes("Plant/Press/state", "EXECUTE");
  });

  test("a value with its own time, quality and unit", async () => {
    const at = Date.now() - 60_000;
    await publish("Plant/Press/force", { value: 12.5, timestamp: at, quality: "Uncertain", unit: "kN" });
    const item = await server.valueBecomes("Plant/Press/force", 12.5);
    assert.equal(new Date(item.time).getTime(), at);
    assert.match(item.quality, /^Uncertain/);
    assert.equal(item.unit, "kN");
  });

  test("ThingsBoard's form, and an array of it", async () => {
    const at = Date.now() - 120_000;
    await publish("Plant/Oven", { ts: at, values: { zone1: 180, zone2: 190 } });
    await publish("Plant/Oven", [{ ts: at + 1000, values: { zone1: 181 } }, { ts: at + 2000, values: { zone1: 182 } }]);
    await server.valueBecomes("Plant/Oven/zone1", 182);
    await server.valueBecomes("Plant/Oven/zone2", 190);
    const { times, values } = await server.history("Plant/Oven/zone1", new Date(at).toISOString(), new Date(at + 3000).toISOString());
    assert.deepEqual(times.map((time) => time - at), [0, 1000, 2000]);
    assert.deepEqual(values, [180, 181, 182]);
  });

  test("ThingsBoard's topic: the device is the client", async () => {
    const device = await connect({ clientId: "gauge-17" });
    await device.publishAsync("v1/devices/me/telemetry", JSON.stringify({ level: 77 }), { qos: 1 });
    await server.valueBecomes("gauge-17/level", 77);
  });

  test("what was unknown lands in the inbox, recorded from its first sample, and is accepted by one call", async () => {
    await publish("Plant/Newcomer/flow", "1.5");
    await publish("Plant/Newcomer/flow", "2.5");
    await server.valueBecomes("Plant/Newcomer/flow", 2.5);
    const found = await until("the device in the inbox", async () => {
      const { items } = await server.api("GET", "/api/v1/devices?state=discovered&q=Newcomer");
      return items.find((item) => item.name === "Plant/Newcomer");
    });
    assert.equal(found.protocol.toLowerCase(), "mqtt");
    await server.api("POST", `/api/v1/devices/${found.id}:accept`, {});
    assert.equal((await server.api("GET", `/api/v1/devices/${found.id}`)).state, "accepted");
    const { values } = await server.history("Plant/Newcomer/flow", "now-1h", "now");
    assert.ok(values.includes(1.5), "the sample from before it was accepted");
  });

  test("a broken payload is counted and hurts nobody", async () => {
    await publish("Plant/Broken", '{"a": 1,');
    await publish("Plant/Press", { motor: { current: 3.3 } });
    await server.valueBecomes("Plant/Press/motor/current", 3.3);
  });
});
