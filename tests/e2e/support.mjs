// What the end-to-end tests share: a server on free ports with a data directory of its own, and clients for it.
//
// The program under test is $LINESHAFT_BINARY (default: build/release/lineshaft). A test that fails leaves the server's
// log in build/e2e-logs. Nothing here waits for a fixed time: until() asks again until the answer is right.
import { spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import WebSocket from "ws";

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
export const binary = process.env.LINESHAFT_BINARY ?? path.join(root, "build/release/lineshaft");
const logs = path.join(root, "build/e2e-logs");

/// Thrown inside until(): waiting longer will not help.
class Hopeless extends Error {}

/// Calls `ask` until it gives something true; what it throws counts as "not yet".
export async function until(what, ask, timeoutMs = 15000) {
  const deadline = Date.now() + timeoutMs;
  let last;
  for (;;) {
    try {
      const answer = await ask();
      if (answer) return answer;
      last = answer;
    } catch (error) {
      if (error instanceof Hopeless) throw error;
      last = error;
    }
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs} ms for ${what}; last: ${describe(last)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function describe(value) {
  if (value instanceof Error) return value.message;
  try {
    return JSON.stringify(value);
  } catch {
    return String(value);
  }
}

/// `count` ports that nobody uses now. They are held together, so they differ.
export async function freePorts(count) {
  const held = [];
  for (let i = 0; i < count; i++) {
    const server = net.createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    held.push(server);
  }
  const ports = held.map((server) => server.address().port);
  await Promise.all(held.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

export function temporaryFolder(name = "data") {
  return fs.mkdtempSync(path.join(os.tmpdir(), `lineshaft-${name}-`));
}

/// Runs the program to its end: {code, signal, stdout, stderr}. `input` goes to its stdin.
export async function run(args, { env = {}, input = "", timeoutMs = 60000, cwd = root } = {}) {
  const child = spawn(binary, args, { env: cleanEnvironment(env), cwd, stdio: ["pipe", "pipe", "pipe"] });
  const out = [];
  const err = [];
  child.stdout.on("data", (piece) => out.push(piece));
  child.stderr.on("data", (piece) => err.push(piece));
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  const timer = setTimeout(() => child.kill("SIGKILL"), timeoutMs);
  const [code, signal] = await once(child, "close");
  clearTimeout(timer);
  return { code, signal, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() };
}

function cleanEnvironment(extra) {
  const env = { ...process.env, NO_COLOR: "1", ...extra };
  for (const name of Object.keys(env)) {
    if (name.startsWith("LINESHAFT_") && !(name in extra)) delete env[name];
  }
  return env;
}

/// A process of the program that keeps running; its lines are kept.
export class Running {
  constructor(args, { env = {}, name = "process" } = {}) {
    this.args = args;
    this.lines = [];
    fs.mkdirSync(logs, { recursive: true });
    this.logFile = path.join(logs, `${name}-${process.pid}-${Running.count++}.log`);
    const log = fs.createWriteStream(this.logFile);
    this.child = spawn(binary, args, { env: cleanEnvironment(env), cwd: root, stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      let rest = "";
      stream.setEncoding("utf8");
      stream.on("data", (piece) => {
        log.write(piece);
        rest += piece;
        const parts = rest.split("\n");
        rest = parts.pop();
        this.lines.push(...parts);
      });
    }
    this.ended = once(this.child, "exit").then(([code, signal]) => ({ code, signal }));
    this.ended.then((how) => (this.how = how), (error) => (this.how = { error }));
    live.add(this);
    this.ended.then(() => live.delete(this), () => live.delete(this));
  }

  /// The first line that begins with `word`; fails when the process ends before it.
  async line(word, timeoutMs = 20000) {
    return until(
      `a line '${word} …' of ${this.args.join(" ")} (log: ${path.relative(root, this.logFile)})`,
      () => {
        const found = this.lines.find((line) => line === word || line.startsWith(`${word} `) || line.startsWith(`${word}:`));
        if (!found && this.how) throw new Hopeless(`${this.args.slice(0, 2).join(" ")} ended: ${describe(this.how)}\n${this.lines.slice(-20).join("\n")}`);
        return found;
      },
      timeoutMs,
    );
  }

  /// Asks it to stop, as systemd does, and gives its exit code.
  async stop(timeoutMs = 20000) {
    if (!this.how) this.child.kill("SIGTERM");
    const timer = setTimeout(() => this.child.kill("SIGKILL"), timeoutMs);
    const how = await this.ended;
    clearTimeout(timer);
    return how;
  }

  /// As a power cut to the process: nothing is flushed, nothing is said.
  async kill() {
    this.child.kill("SIGKILL");
    return this.ended;
  }
}
Running.count = 0;

const live = new Set();
process.on("exit", () => {
  for (const one of live) one.child.kill("SIGKILL");
});

/// A Lineshaft server and everything a test asks of it.
export class Server {
  /// `doors`: which listen, of http, https, mqtt, mqtts. `args`: further options of `lineshaft run`.
  static async start({ data, doors = ["http", "mqtt"], args = [], env = {}, name = "server", token = true } = {}) {
    const server = new Server();
    server.ownsData = data === undefined;
    server.data = data ?? temporaryFolder();
    server.doors = doors;
    server.extraArgs = args;
    server.env = env;
    server.name = name;
    const ports = await freePorts(4);
    server.ports = { http: ports[0], https: ports[1], mqtt: ports[2], mqtts: ports[3] };
    await server.launch();
    if (token) server.token = await server.createToken();
    return server;
  }

  get url() {
    return `http://127.0.0.1:${this.ports.http}`;
  }

  get runArgs() {
    const at = (door) => (this.doors.includes(door) ? `127.0.0.1:${this.ports[door]}` : "off");
    return ["run", "--data", this.data, "--http", at("http"), "--https", at("https"), "--mqtt", at("mqtt"), "--mqtts",
      at("mqtts"), ...this.extraArgs];
  }

  async launch() {
    this.process = new Running(this.runArgs, { env: this.env, name: this.name });
    this.readyLine = await this.process.line("ready");
  }

  async createToken(options = ["--role", "administrator"]) {
    const made = await run(["token", "create", "--data", this.data, "--name", `test-${++this.tokens}`, ...options]);
    if (made.code !== 0) throw new Error(`token create ended with ${made.code}: ${made.stderr}`);
    return made.stdout.trim().split("\n").at(-1).trim();
  }

  async stop() {
    const how = await this.process.stop();
    return how;
  }

  async kill() {
    return this.process.kill();
  }

  async restart() {
    await this.stop();
    await this.launch();
  }

  /// Stops it and removes its data; for `after`.
  async close() {
    if (!this.process.how) await this.stop();
    if (this.ownsData) fs.rmSync(this.data, { recursive: true, force: true });
  }

  /// Runs a command against this server, as its administrator.
  cli(args, options = {}) {
    return run(args, { ...options, env: { LINESHAFT_SERVER: this.url, LINESHAFT_TOKEN: this.token, ...options.env } });
  }

  /// One request. `body`: an object is sent as JSON, a string or Buffer as it is. token: null sends none.
  async request(method, target, body, { token = this.token, headers = {}, base = this.url, redirect = "manual" } = {}) {
    const sent = { ...headers };
    let payload = body;
    if (body !== undefined && typeof body !== "string" && !Buffer.isBuffer(body)) {
      payload = JSON.stringify(body);
      sent["content-type"] ??= "application/json";
    }
    if (token) sent.authorization ??= `Bearer ${token}`;
    const response = await fetch(base + target, { method, headers: sent, body: payload, redirect });
    const bytes = Buffer.from(await response.arrayBuffer());
    const text = bytes.toString();
    let json;
    if ((response.headers.get("content-type") ?? "").includes("json") && text) json = JSON.parse(text);
    return { status: response.status, headers: response.headers, bytes, text, json };
  }

  /// One request that must succeed; its JSON.
  async api(method, target, body, options) {
    const answer = await this.request(method, target, body, options);
    if (answer.status >= 300) throw new Error(`${method} ${target}: ${answer.status} ${answer.text}`);
    return answer.json;
  }

  /// The last value of a tag, or undefined while there is none: {path, value, quality, time, …}.
  async value(tag) {
    const answer = await this.request("GET", `/api/v1/values?tags=${encodeURIComponent(tag)}`);
    if (answer.status !== 200 && answer.status !== 404) throw new Error(`values: ${answer.status} ${answer.text}`);
    return answer.json.items?.find((item) => item.path === tag);
  }

  /// Waits until the last value of a tag is `expected` (deep equality by JSON), and gives the item.
  async valueBecomes(tag, expected, timeoutMs) {
    return until(`${tag} = ${JSON.stringify(expected)}`, async () => {
      const item = await this.value(tag);
      if (!item || JSON.stringify(item.value) !== JSON.stringify(expected)) throw new Error(`it is ${JSON.stringify(item)}`);
      return item;
    }, timeoutMs);
  }

  /// Waits until the names of new tags are known to the API, which is a moment after their first sample is on disk.
  async known(...tags) {
    for (const tag of tags) await until(`the tag ${tag} is known`, () => this.value(tag));
  }

  /// Raw samples of one tag in [from, to): {times (ms), values, qualities, …}. Waits for a name that is new.
  async history(tag, from, to, more = "") {
    const target = `/api/v1/history?tags=${encodeURIComponent(tag)}&from=${from}&to=${to}&resolution=raw&limit=1000000${more}`;
    await until(`the tag ${tag} is known`, async () => (await this.request("GET", target)).status !== 404);
    const answer = await this.api("GET", target);
    return answer.series.find((one) => one.path === tag) ?? { times: [], values: [], qualities: [] };
  }

  async tag(tagPath) {
    const { items } = await this.api("GET", `/api/v1/tags?prefix=${encodeURIComponent(tagPath)}&limit=1000`);
    return items.find((item) => item.path === tagPath);
  }

  async device(name) {
    const { items } = await this.api("GET", `/api/v1/devices?q=${encodeURIComponent(name)}&limit=1000`);
    return items.find((item) => item.name === name);
  }
}
Server.prototype.tokens = 0;

/// GET /api/v1/live: remembers values by path and the newest list of alarms.
export class Live {
  static async open(server, { token = server.token } = {}) {
    const live = new Live();
    live.socket = new WebSocket(`${server.url.replace("http", "ws")}/api/v1/live?token=${encodeURIComponent(token)}`);
    live.socket.binaryType = "nodebuffer";
    live.paths = new Map();
    live.values = new Map();
    live.frames = 0;
    live.errors = [];
    live.socket.on("message", (data, isBinary) => (isBinary ? live.onBinary(data) : live.onText(JSON.parse(data))));
    await once(live.socket, "open");
    return live;
  }

  onText(message) {
    if (message.op === "tags") for (const tag of message.tags) this.paths.set(tag.index, tag.path);
    if (message.op === "alarms") this.alarms = message;
    if (message.op === "strings") for (const one of message.items) this.values.set(this.paths.get(one.index), one.value);
    if (message.op === "error") this.errors.push(message);
  }

  onBinary(frame) {
    if (frame.toString("latin1", 0, 4) !== "LSV1") throw new Error("a binary frame without its magic");
    const count = frame.readUInt32LE(4);
    if (frame.length !== 8 + count * 24) throw new Error(`a frame of ${count} values has ${frame.length} bytes`);
    this.frames++;
    for (let at = 8; at < frame.length; at += 24) {
      const tag = this.paths.get(frame.readUInt32LE(at));
      if (tag === undefined) throw new Error("a value came before its tag was named");
      this.values.set(tag, frame.readDoubleLE(at + 16));
    }
  }

  send(message) {
    this.socket.send(JSON.stringify(message));
  }

  close() {
    this.socket.terminate();
  }
}

/// Reads application/vnd.lineshaft.columns (docs/formats/columns.md).
export function readColumns(bytes) {
  if (bytes.toString("latin1", 0, 4) !== "LSC1") throw new Error("no LSC1 magic");
  let at = 8;
  const pad = () => (at = (at + 7) & ~7);
  const doubles = (n) => Array.from({ length: n }, () => [bytes.readDoubleLE(at), (at += 8)][0]);
  const integers = (n) => {
    const read = Array.from({ length: n }, () => [bytes.readUInt32LE(at), (at += 4)][0]);
    pad();
    return read;
  };
  return Array.from({ length: bytes.readUInt32LE(4) }, () => {
    const length = bytes.readUInt32LE(at);
    const one = { path: bytes.toString("utf8", at + 4, at + 4 + length) };
    at += 4 + length;
    one.kind = bytes[at] === 1 ? "raw" : "reduced";
    one.type = bytes[at + 1];
    const n = bytes.readUInt32LE(at + 4);
    one.resolutionNs = bytes.readBigInt64LE(at + 8);
    at += 16;
    pad();
    one.times = doubles(n);
    if (one.kind === "raw") {
      one.values = doubles(n);
      one.qualities = integers(n);
    } else {
      for (const name of ["min", "max", "first", "last", "mean"]) one[name] = doubles(n);
      one.count = integers(n);
      one.good = integers(n);
    }
    return one;
  });
}

/// The simulated bottling line, publishing to `server`.
export async function startPlant(server, args = []) {
  const [filler, capper] = await freePorts(2);
  const plant = new Running(["sim", "plant", "--broker", `127.0.0.1:${server.ports.mqtt}`, "--filler-port", String(filler),
    "--capper-port", String(capper), ...args], { name: "plant" });
  await plant.line("sim ready");
  return { plant, filler, capper };
}

/// Debian's Chromium, without any request of its own to the outside.
export async function launchBrowser() {
  const { chromium } = await import("playwright-core");
  const executablePath = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((one) => fs.existsSync(one));
  if (!executablePath) return undefined;
  return chromium.launch({
    executablePath,
    headless: true,
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"],
  });
}

/// Where the real data sets lie beside the checkout; undefined where they do not.
export function dataset(name) {
  const folder = path.resolve(root, "../shared/data", name);
  return fs.existsSync(folder) ? folder : undefined;
}

/// n numbers from a seed, the same on every run.
export function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
