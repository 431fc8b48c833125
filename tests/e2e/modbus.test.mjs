// The Modbus client against a PLC that is modbus-serial: values, orders, exceptions, silence, ceilings and commands.
import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, describe, test } from "node:test";
import ModbusRTU from "modbus-serial";
import { Server, freePorts, until } from "./support.mjs";

/// A PLC with 1000 registers of each kind. Counts the requests that reach it.
class Plc {
  static async start(port) {
    const plc = new Plc();
    plc.port = port ?? (await freePorts(1))[0];
    plc.holding = new Uint16Array(1000);
    plc.input = new Uint16Array(1000);
    plc.coils = new Uint8Array(1000);
    plc.discrete = new Uint8Array(1000);
    plc.refused = new Set(); // Addresses that answer with "illegal data address".
    plc.silent = false;
    plc.requests = []; // {at, function, address, count}
    await plc.listen();
    return plc;
  }

  async listen() {
    const read = (table) => (address, unit, done) => {
      if (this.silent) return;
      if (address >= 1000 || this.refused.has(address)) done({ modbusErrorCode: 2, msg: "illegal data address" });
      else done(null, table[address]);
    };
    const write = (table) => (address, value, unit, done) => {
      table[address] = Number(value);
      done(null);
    };
    this.server = new ModbusRTU.ServerTCP({
      getHoldingRegister: read(this.holding), getInputRegister: read(this.input),
      getCoil: read(this.coils), getDiscreteInput: read(this.discrete),
      setRegister: write(this.holding), setCoil: write(this.coils),
    }, { host: "127.0.0.1", port: this.port, unitID: 1 });
    for (const event of ["serverError", "socketError", "error"]) this.server.on(event, () => {});
    this.server._server.on("connection", (socket) => {
      socket.on("data", (bytes) => {
        for (let at = 0; at + 12 <= bytes.length; at += 6 + bytes.readUInt16BE(at + 4)) {
          this.requests.push({ at: Date.now(), function: bytes[at + 7], address: bytes.readUInt16BE(at + 8), count: bytes.readUInt16BE(at + 10) });
        }
      });
    });
    await once(this.server, "initialized");
  }

  /// As if its cable was pulled: connections are reset, nobody listens.
  async unplug() {
    for (const socket of this.server.socks.keys()) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  write32(table, address, value, method, wordOrder = "big") {
    const bytes = Buffer.alloc(method.endsWith("64BE") || method === "writeDoubleBE" ? 8 : 4);
    bytes[method](value, 0);
    const words = Array.from({ length: bytes.length / 2 }, (_, i) => bytes.readUInt16BE(i * 2));
    if (wordOrder === "little") words.reverse();
    words.forEach((word, i) => (table[address + i] = word));
  }
}

let server;
let plc;

before(async () => {
  server = await Server.start({ doors: ["http"], name: "modbus" });
  plc = await Plc.start();
  plc.holding[0] = 0xff85; // -123
  plc.holding[1] = 65000;
  plc.write32(plc.holding, 2, -123456789, "writeInt32BE");
  plc.write32(plc.holding, 4, 4000000000, "writeUInt32BE", "little");
  plc.write32(plc.holding, 6, 12.5, "writeFloatBE");
  plc.write32(plc.holding, 8, -2.25, "writeFloatBE", "little");
  plc.write32(plc.holding, 10, 1234567.875, "writeDoubleBE");
  plc.write32(plc.holding, 14, -1234567890123n, "writeBigInt64BE");
  plc.holding[18] = 215;
  plc.holding[19] = ((0x1234 & 0xff) << 8) | (0x1234 >> 8);
  plc.input[0] = 7;
  plc.coils[3] = 1;
  plc.discrete[4] = 1;
});
after(async () => {
  await server?.close();
  await plc?.unplug().catch(() => {});
});

const settings = (registers, more = {}) => ({
  address: `127.0.0.1:${plc.port}`, unit: 1, poll_ms: 100, timeout_ms: 300, requests_per_second_max: 100, gap_max: 8, registers, ...more,
});
const add = (name, registers, more) =>
  server.api("POST", "/api/v1/devices", { name, protocol: "modbus", settings: settings(registers, more) });

test("every type and order, from all four tables", async () => {
  await add("plc/types", [
    { name: "int16", table: "holding", address: 0, type: "int16" },
    { name: "uint16", table: "holding", address: 1, type: "uint16" },
    { name: "int32", table: "holding", address: 2, type: "int32" },
    { name: "uint32", table: "holding", address: 4, type: "uint32", word_order: "little" },
    { name: "float32", table: "holding", address: 6, type: "float32" },
    { name: "float32-little", table: "holding", address: 8, type: "float32", word_order: "little" },
    { name: "float64", table: "holding", address: 10, type: "float64" },
    { name: "int64", table: "holding", address: 14, type: "int64" },
    { name: "scaled", table: "holding", address: 18, type: "uint16", scale: 0.1, offset: -1, unit: "Cel" },
    { name: "swapped", table: "holding", address: 19, type: "uint16", byte_order: "little" },
    { name: "input", table: "input", address: 0, type: "uint16" },
    { name: "coil", table: "coil", address: 3, type: "bool" },
    { name: "discrete", table: "discrete", address: 4, type: "bool" },
  ]);
  const expected = { int16: -123, uint16: 65000, int32: -123456789, uint32: 4000000000, float32: 12.5, "float32-little": -2.25,
    float64: 1234567.875, int64: -1234567890123, swapped: 0x1234, input: 7, coil: true, discrete: true };
  for (const [name, value] of Object.entries(expected)) await server.valueBecomes(`plc/types/${name}`, value);
  const scaled = await until("scaled", () => server.value("plc/types/scaled"));
  assert.ok(Math.abs(scaled.value - 20.5) < 1e-9, String(scaled.value));
  assert.equal(scaled.unit, "Cel");
  assert.equal(scaled.quality, "Good");
});

test("neighbours are read with as few requests as the protocol allows", async () => {
  const before = plc.requests.length;
  await add("plc/block", Array.from({ length: 100 }, (_, i) => ({ name: `r${i}`, table: "holding", address: 100 + i, type: "uint16" })));
  await until("all hundred", () => server.value("plc/block/r99"));
  const asked = plc.requests.slice(before).filter((one) => one.function === 3 && one.address >= 100 && one.address < 200);
  assert.ok(asked.every((one) => one.address === 100 && one.count === 100), JSON.stringify(asked.slice(0, 3)));
});

test("a value that changes at the PLC changes here", async () => {
  plc.holding[1] = 1;
  await server.valueBecomes("plc/types/uint16", 1);
  plc.holding[1] = 2;
  await server.valueBecomes("plc/types/uint16", 2);
});

test("the ceiling on requests per second holds, counted at the PLC", async () => {
  await add("plc/ceiling", Array.from({ length: 10 }, (_, i) => ({ name: `r${i}`, table: "input", address: i * 90, type: "uint16" })),
    { requests_per_second_max: 5, poll_ms: 100, gap_max: 0 });
  await until("first value", () => server.value("plc/ceiling/r1"));
  const isOurs = (one) => one.function === 4 && one.address >= 90;
  const start = Date.now();
  await until("four seconds of requests", () => Date.now() - start > 4000, 10000);
  const count = plc.requests.filter((one) => isOurs(one) && one.at >= start && one.at < start + 4000).length;
  assert.ok(count <= 5 * 4 + 5, `${count} requests in 4 s`);
  assert.ok(count >= 10, `${count} requests in 4 s`);
});

test("an address the PLC refuses is bad quality with a reason, and spoils no neighbour", async () => {
  plc.refused.add(305);
  await add("plc/refused", [
    { name: "good", table: "holding", address: 300, type: "uint16" },
    { name: "refused", table: "holding", address: 305, type: "uint16" },
    { name: "good-too", table: "holding", address: 310, type: "uint16" },
  ]);
  await until("good values", async () => (await server.value("plc/refused/good"))?.quality === "Good" &&
    (await server.value("plc/refused/good-too"))?.quality === "Good");
  const item = await until("a bad value", async () => {
    const value = await server.value("plc/refused/refused");
    return value?.quality.startsWith("Bad") && value;
  });
  assert.notEqual(item.quality_code, 0);
});

test("silence becomes bad quality, and what is heard again becomes good", async () => {
  const name = "plc/types/int16";
  assert.equal((await server.value(name)).quality, "Good");
  plc.silent = true;
  await until("bad quality", async () => (await server.value(name)).quality.startsWith("Bad"));
  const device = await server.device("plc/types");
  assert.match(device.connection.state, /failed|connecting/);
  assert.ok(device.connection.detail.length > 0);
  plc.silent = false;
  await until("good quality again", async () => (await server.value(name)).quality === "Good", 40000);
});

test("a pulled cable: it connects again by itself", async () => {
  const name = "plc/types/uint16";
  await plc.unplug();
  await until("bad quality", async () => (await server.value(name)).quality.startsWith("Bad"));
  plc.holding[1] = 4711;
  await plc.listen();
  await server.valueBecomes(name, 4711, 40000);
  assert.equal((await server.value(name)).quality, "Good");
  await until("connected", async () => (await server.device("plc/types")).connection.state === "connected");
});

describe("commands", () => {
  before(async () => {
    await add("plc/commands", [
      { name: "setpoint", table: "holding", address: 400, type: "float32", writable: true },
      { name: "scaled", table: "holding", address: 402, type: "int16", scale: 0.5, writable: true },
      { name: "start", table: "coil", address: 40, type: "bool", writable: true },
      { name: "locked", table: "holding", address: 404, type: "uint16" },
    ]);
    await until("tags", () => server.value("plc/commands/locked"));
  });
  const command = async (name, value, options) => {
    const tag = await server.tag(`plc/commands/${name}`);
    return server.request("POST", `/api/v1/tags/${tag.id}:write`, { value }, options);
  };

  test("a written value stands in the PLC's registers and is read back", async () => {
    const answer = await command("setpoint", 73.5);
    assert.equal(answer.json.outcome, "written", answer.text);
    const words = Buffer.alloc(4);
    words.writeUInt16BE(plc.holding[400], 0);
    words.writeUInt16BE(plc.holding[401], 2);
    assert.equal(words.readFloatBE(0), 73.5);
    await server.valueBecomes("plc/commands/setpoint", 73.5);
  });

  test("scaling works both ways", async () => {
    assert.equal((await command("scaled", -12.5)).json.outcome, "written");
    assert.equal(plc.holding[402], 65536 - 25);
  });

  test("a coil", async () => {
    assert.equal((await command("start", true)).json.outcome, "written");
    assert.equal(plc.coils[40], 1);
  });

  test("a tag that is not writable is not written, whoever asks", async () => {
    const answer = await command("locked", 1);
    assert.ok(answer.status === 403 || answer.json.outcome === "refused", answer.text);
    assert.equal(plc.holding[404], 0);
  });

  test("a viewer may not write", async () => {
    const token = await server.createToken(["--role", "viewer"]);
    assert.equal((await command("setpoint", 1, { token })).status, 403);
  });

  test("a value that does not fit is refused before anything is sent", async () => {
    const before = plc.requests.filter((one) => one.function >= 5).length;
    const answer = await command("scaled", 1e9);
    assert.ok(answer.status >= 400 || answer.json.outcome === "refused", answer.text);
    assert.equal(plc.requests.filter((one) => one.function >= 5).length, before);
  });

  test("every command is in the audit", async () => {
    const { items } = await server.api("GET", "/api/v1/audit?limit=200");
    assert.ok(items.some((item) => JSON.stringify(item).includes("plc/commands/setpoint")), JSON.stringify(items.slice(0, 3)));
  });
});

describe("setting up", () => {
  test("test-connection says how fast it is, or what was tried", async () => {
    const good = await server.api("POST", "/api/v1/modbus:test", { address: `127.0.0.1:${plc.port}`, unit: 1 });
    assert.equal(good.ok, true);
    assert.ok(good.latency_ms >= 0);
    const [dead] = await freePorts(1);
    const bad = await server.request("POST", "/api/v1/modbus:test", { address: `127.0.0.1:${dead}`, unit: 1 });
    assert.equal(bad.json.ok, false);
    assert.ok(bad.json.detail.length > 10);
    assert.ok(bad.json.tried.length > 0);
  });

  test("a live preview of rows before they are saved", async () => {
    const { items } = await server.api("POST", "/api/v1/modbus:read", {
      address: `127.0.0.1:${plc.port}`, unit: 1,
      registers: [{ name: "a", table: "holding", address: 6, type: "float32" }, { name: "b", table: "holding", address: 305, type: "uint16" }],
    });
    assert.equal(items[0].value, 12.5);
    assert.match(items[0].raw, /^0x/);
    assert.ok(items[1].error);
  });

  test("a register map goes in and out as CSV; a dry run tells the bad lines", async () => {
    const device = await server.device("plc/block");
    const csv = "name,table,address,type,word_order,byte_order,scale,offset,unit,writable\n" +
      "speed,holding,1,uint16,big,big,0.1,0,/min,false\ntemperature,input,0,int16,big,big,1,0,Cel,false\n";
    const headers = { "content-type": "text/csv" };
    const wrong = await server.request("PUT", `/api/v1/devices/${device.id}/registers.csv?dry_run=true`,
      csv + "x,nowhere,1,uint16,big,big,1,0,,false\ny,holding,99999,uint16,big,big,1,0,,false\n", { headers });
    assert.deepEqual(wrong.json.errors.map((error) => error.line), [4, 5], wrong.text);
    assert.ok(wrong.json.errors.every((error) => error.message.length > 5));
    assert.equal((await server.api("GET", `/api/v1/devices/${device.id}`)).settings.registers.length, 100, "a dry run changes nothing");

    const done = await server.request("PUT", `/api/v1/devices/${device.id}/registers.csv`, csv, { headers });
    assert.ok(done.status < 300, done.text);
    const back = await server.request("GET", `/api/v1/devices/${device.id}/registers.csv`);
    assert.match(back.text, /^name,table,address,type/);
    assert.match(back.text, /speed,holding,1,uint16/);
    await until("the new tag", () => server.value("plc/block/temperature"));
  });

  test("settings that cannot be right are refused with the place", async () => {
    const answer = await server.request("POST", "/api/v1/devices", { name: "plc/wrong", protocol: "modbus",
      settings: settings([{ name: "a", table: "holding", address: 0, type: "int8" }]) });
    assert.ok(answer.status === 422 || answer.status === 400, answer.text);
    assert.match(answer.json.detail, /type/);
  });
});
