// What a stranger tries: no token, a small role, a foreign page, a stolen link, a wrong password, a strange request.
import assert from "node:assert/strict";
import fs from "node:fs";
import http from "node:http";
import net from "node:net";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import mqtt from "mqtt";
import WebSocket from "ws";
import { Server, until } from "./support.mjs";

let server;
let claim;
const password = "correct horse battery staple";

before(async () => {
  server = await Server.start({ doors: ["http", "https", "mqtt", "mqtts"], name: "security", token: false });
  claim = await until("the claim link", () => server.process.lines.map((line) => line.match(/\/claim#token=(\S+)/)?.[1]).find(Boolean));
});
after(async () => server?.close());

const anonymous = { token: null };
const cookieOf = (answer) => answer.headers.getSetCookie().find((one) => one.startsWith("ls_session="));

async function signIn(name, secret = password) {
  const answer = await server.request("POST", "/api/v1/session", { name, password: secret }, anonymous);
  return { status: answer.status, answer, cookie: cookieOf(answer)?.split(";")[0], csrf: answer.json?.csrf };
}

describe("the first administrator", () => {
  test("before the house is claimed, everybody may learn that it is not, and nothing else", async () => {
    const session = await server.request("GET", "/api/v1/session", undefined, anonymous);
    assert.equal(session.status, 200);
    assert.equal(session.json.claimed, false);
    assert.equal(session.json.user, null);
    for (const target of ["/api/v1/tags", "/api/v1/users", "/api/v1/audit"]) {
      assert.equal((await server.request("GET", target, undefined, anonymous)).status, 401, target);
    }
  });

  test("a guessed link and a weak password do not claim it", async () => {
    const guessed = await server.request("POST", "/api/v1/claim", { token: "guess", name: "eve", password }, anonymous);
    assert.ok([401, 403, 404].includes(guessed.status), guessed.text);
    const weak = await server.request("POST", "/api/v1/claim", { token: claim, name: "anna", password: "123" }, anonymous);
    assert.ok([400, 422].includes(weak.status), weak.text);
  });

  test("the link claims it once", async () => {
    const done = await server.request("POST", "/api/v1/claim", { token: claim, name: "anna", password }, anonymous);
    assert.equal(done.status, 201, done.text);
    assert.equal(done.json.user.role, "administrator");
    const cookie = cookieOf(done);
    assert.match(cookie, /HttpOnly/i);
    assert.match(cookie, /SameSite=Strict/i);
    const again = await server.request("POST", "/api/v1/claim", { token: claim, name: "eve", password }, anonymous);
    assert.ok(again.status >= 400 && again.status < 500, again.text);
    assert.equal((await server.request("GET", "/api/v1/session", undefined, anonymous)).json.claimed, true);
    server.token = await server.createToken();
  });

  test("after a restart no new link is offered", async () => {
    await server.restart();
    assert.ok(!server.process.lines.some((line) => line.includes("claim#token=")));
  });
});

describe("who may do what", () => {
  test("every path of the API asks for a token", async () => {
    const { paths } = await server.api("GET", "/api/v1/openapi.json");
    const open = ["/session", "/claim", "/health", "/metrics", "/ping", "/openapi.json", "/openapi.yaml", "/docs"];
    for (const [name, operations] of Object.entries(paths)) {
      const target = name.replace(/\{[^}]+\}/g, "1");
      if (open.some((one) => target.includes(one))) continue;
      for (const method of ["get", "post", "put", "patch", "delete"].filter((one) => operations[one])) {
        if (method === "get" && target.endsWith("/live")) continue;
        const body = method === "get" || method === "delete" ? undefined : {};
        const answer = await server.request(method.toUpperCase(), target, body, anonymous);
        assert.equal(answer.status, 401, `${method} ${target}: ${answer.status} ${answer.text.slice(0, 200)}`);
      }
    }
  });

  test("each role may do what the ones below it may, and no more", async () => {
    const tokens = {};
    for (const role of ["viewer", "operator", "engineer", "administrator"]) tokens[role] = await server.createToken(["--role", role]);
    const order = ["viewer", "operator", "engineer", "administrator"];
    const probes = [
      ["viewer", "GET", "/api/v1/tags"], ["viewer", "GET", "/api/v1/values?prefix="], ["viewer", "GET", "/api/v1/devices"],
      ["viewer", "GET", "/api/v1/alarms"], ["operator", "POST", "/api/v1/alarms:ack", { ids: [], comment: "x" }],
      ["operator", "POST", "/api/v1/tags/999999:write", { value: 1 }], ["engineer", "POST", "/api/v1/assets", { level: "site" }],
      ["engineer", "POST", "/api/v1/devices", {}], ["engineer", "POST", "/api/v1/alarm-rules", {}], ["engineer", "PATCH", "/api/v1/tags/999999", {}],
      ["engineer", "POST", "/api/v1/modbus:test", {}], ["administrator", "GET", "/api/v1/users"], ["administrator", "POST", "/api/v1/users", {}],
      ["administrator", "GET", "/api/v1/tokens"], ["administrator", "POST", "/api/v1/tokens", {}], ["administrator", "GET", "/api/v1/audit"],
    ];
    for (const [needed, method, target, body] of probes) {
      for (const role of order) {
        const { status } = await server.request(method, target, body, { token: tokens[role] });
        const may = order.indexOf(role) >= order.indexOf(needed);
        if (may) assert.ok(![401, 403].includes(status), `${role} may ${method} ${target}, answered ${status}`);
        else assert.equal(status, 403, `${role} may not ${method} ${target}`);
      }
    }
  });

  test("the live connection asks too", async () => {
    for (const token of ["", "?token=ls_wrong"]) {
      const socket = new WebSocket(`${server.url.replace("http", "ws")}/api/v1/live${token}`);
      const code = await new Promise((resolve) => {
        socket.on("unexpected-response", (request, response) => resolve(response.statusCode));
        socket.on("open", () => resolve("open"));
        socket.on("error", () => {});
      });
      socket.terminate();
      assert.equal(code, 401);
    }
  });
});

describe("sessions", () => {
  test("a wrong password and an unknown name get the same answer", async () => {
    const [wrong, unknown] = [await signIn("anna", "wrong password"), await signIn("nobody", "wrong password")];
    assert.equal(wrong.status, 401);
    assert.equal(unknown.status, 401);
    assert.equal(wrong.answer.json.detail, unknown.answer.json.detail);
    assert.equal(wrong.answer.json.code, unknown.answer.json.code);
  });

  test("a change by cookie needs the token against forgery", async () => {
    const { cookie, csrf } = await signIn("anna");
    assert.ok(cookie && csrf);
    const change = (headers) => server.request("POST", "/api/v1/assets", { name: "Lyon", level: "site" }, { token: null, headers: { cookie, ...headers } });
    assert.equal((await server.request("GET", "/api/v1/users", undefined, { token: null, headers: { cookie } })).status, 200);
    assert.equal((await change({})).status, 403);
    assert.equal((await change({ "x-csrf-token": "guess" })).status, 403);
    assert.ok((await change({ "x-csrf-token": csrf })).status < 300);
  });

  test("a foreign page may neither read nor change anything", async () => {
    const { cookie } = await signIn("anna");
    const answer = await server.request("GET", "/api/v1/users", undefined, { token: null, headers: { cookie, origin: "https://evil.example" } });
    assert.equal(answer.headers.get("access-control-allow-origin"), null);
    const preflight = await server.request("OPTIONS", "/api/v1/users", undefined,
      { token: null, headers: { origin: "https://evil.example", "access-control-request-method": "POST" } });
    assert.equal(preflight.headers.get("access-control-allow-origin"), null);
    const socket = new WebSocket(`${server.url.replace("http", "ws")}/api/v1/live`, { headers: { cookie, origin: "https://evil.example" } });
    const opened = await new Promise((resolve) => {
      socket.on("unexpected-response", () => resolve(false));
      socket.on("error", () => resolve(false));
      socket.on("open", () => resolve(true));
    });
    socket.terminate();
    assert.equal(opened, false, "a WebSocket with the cookie but from a foreign page");
  });

  test("signed out is signed out", async () => {
    const { cookie, csrf } = await signIn("anna");
    assert.equal((await server.request("DELETE", "/api/v1/session", undefined, { token: null, headers: { cookie, "x-csrf-token": csrf } })).status, 204);
    assert.equal((await server.request("GET", "/api/v1/users", undefined, { token: null, headers: { cookie } })).status, 401);
  });

  test("a new password ends the old sessions", async () => {
    await server.api("POST", "/api/v1/users", { name: "bert", role: "viewer", password: "the first password" });
    const { cookie } = await signIn("bert", "the first password");
    assert.equal((await server.request("GET", "/api/v1/tags", undefined, { token: null, headers: { cookie } })).status, 200);
    const { items } = await server.api("GET", "/api/v1/users");
    await server.api("PATCH", `/api/v1/users/${items.find((one) => one.name === "bert").id}`, { password: "the second password" });
    await until("the old session is refused", async () =>
      (await server.request("GET", "/api/v1/tags", undefined, { token: null, headers: { cookie } })).status === 401);
  });

  test("guessing is slowed down after at most ten attempts", async () => {
    await server.api("POST", "/api/v1/users", { name: "carla", role: "viewer", password: "the right password" });
    let attempts = 0;
    let last;
    do {
      last = await signIn("carla", `guess ${attempts}`);
      attempts++;
    } while (last.status === 401 && attempts < 20);
    assert.equal(last.status, 429, `after ${attempts} attempts`);
    assert.ok(attempts <= 11);
    assert.ok(Number(last.answer.headers.get("retry-after")) > 0);
  });

  test("neither passwords nor tokens stand in the audit, in the log or in a list", async () => {
    const audit = (await server.request("GET", "/api/v1/audit?limit=1000")).text;
    const tokens = (await server.request("GET", "/api/v1/tokens")).text;
    const log = server.process.lines.join("\n");
    for (const secret of [password, "the first password", "the right password", server.token]) {
      for (const [where, text] of Object.entries({ audit, tokens, log })) assert.ok(!text.includes(secret), `a secret in the ${where}`);
    }
    const verified = await server.api("GET", "/api/v1/audit:verify");
    assert.equal(verified.ok, true);
    assert.ok(verified.entries > 0);
  });
});

describe("MQTT", () => {
  const refusal = (options) => new Promise((resolve) => {
    const client = mqtt.connect(options.url, { reconnectPeriod: 0, connectTimeout: 8000, ...options });
    client.once("connect", () => resolve("connected"));
    client.once("error", (error) => resolve(error.code ?? error.message));
    client.once("close", () => resolve("closed"));
  }).finally(() => {});
  const plain = () => `mqtt://127.0.0.1:${server.ports.mqtt}`;
  const secure = () => `mqtts://127.0.0.1:${server.ports.mqtts}`;

  for (const protocolVersion of [4, 5]) {
    test(`a wrong password is refused, also on this machine (version ${protocolVersion})`, async () => {
      const code = await refusal({ url: plain(), protocolVersion, username: "x", password: "ls_wrong" });
      assert.ok((protocolVersion === 4 ? [4, 5] : [0x86, 0x87]).includes(code), String(code));
    });
  }

  test("over TLS nobody is anonymous", async () => {
    assert.notEqual(await refusal({ url: secure(), rejectUnauthorized: false, protocolVersion: 5 }), "connected");
    assert.equal(await refusal({ url: secure(), rejectUnauthorized: false, protocolVersion: 5, username: "x", password: server.token }), "connected");
  });

  test("a device's token speaks for its device only", async () => {
    const token = await server.createToken(["--device", "pump-1"]);
    const client = await mqtt.connectAsync(plain(), { reconnectPeriod: 0, username: "pump-1", password: token, protocolVersion: 5 });
    await client.publishAsync("v1/devices/me/telemetry", JSON.stringify({ flow: 3 }), { qos: 1 });
    await server.valueBecomes("pump-1/flow", 3);
    const outcome = await client.publishAsync("pump-2", JSON.stringify({ flow: 4 }), { qos: 1 }).then(
      (packet) => packet?.reasonCode ?? 0, (error) => error.code);
    client.end(true);
    assert.equal(await server.value("pump-2/flow"), undefined, `the answer was ${outcome}`);
  });
});

describe("strange requests", () => {
  /// Sends bytes as they are and gives what comes back until the server closes or falls silent.
  const raw = (text) => new Promise((resolve) => {
    const socket = net.connect(server.ports.http, "127.0.0.1", () => socket.write(text));
    let got = "";
    socket.setTimeout(3000, () => socket.destroy());
    socket.on("data", (piece) => (got += piece));
    socket.on("error", () => {});
    socket.on("close", () => resolve(got));
  });

  test("paths that climb lead nowhere", async () => {
    for (const target of ["/../../../../etc/passwd", "/assets/../../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/..%2f..%2fetc%2fpasswd", "/assets/%00"]) {
      const got = await raw(`GET ${target} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n`);
      assert.doesNotMatch(got, /root:/, target);
      assert.match(got, /^HTTP\/1\.1 [2-4]\d\d/, target);
    }
  });

  test("a body that is announced twice, differently, is refused", async () => {
    const got = await raw("POST /write HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /health HTTP/1.1\r\nHost: x\r\n\r\n");
    assert.match(got, /^HTTP\/1\.1 400/);
    assert.equal(got.match(/HTTP\/1\.1/g).length, 1, "what follows is not a second request");
  });

  test("headers without end and nonsense are answered and cut", async () => {
    assert.match(await raw(`GET / HTTP/1.1\r\nHost: x\r\nX: ${"a".repeat(200_000)}\r\n\r\n`), /^HTTP\/1\.1 4(31|00|13)|^$/);
    assert.match(await raw("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"), /^HTTP\/1\.1 400|^$/);
    assert.equal((await server.request("GET", "/health")).status, 200);
  });

  test("a foreign Host header comes back nowhere", async () => {
    const got = await raw("GET /claim HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: evil.example\r\nConnection: close\r\n\r\n");
    assert.doesNotMatch(got, /evil\.example/);
  });

  test("an unknown path of the API is a problem, not the web page", async () => {
    const answer = await server.request("GET", "/api/v1/no-such-thing");
    assert.equal(answer.status, 404);
    assert.match(answer.headers.get("content-type"), /problem\+json/);
    const method = await server.request("PUT", "/api/v1/session", {});
    assert.equal(method.status, 405);
  });

  test("a connection that says nothing is closed", { timeout: 60000 }, async () => {
    const socket = net.connect(server.ports.http, "127.0.0.1");
    const began = Date.now();
    await new Promise((resolve) => {
      socket.on("close", resolve);
      socket.on("error", () => {});
      socket.resume();
    });
    assert.ok(Date.now() - began < 30_000);
  });

  test("a client that asks for much and reads nothing costs no memory without end", async () => {
    const sockets = Array.from({ length: 20 }, () => {
      const socket = net.connect(server.ports.http, "127.0.0.1");
      socket.on("error", () => {});
      socket.pause();
      for (let i = 0; i < 200; i++) socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
      return socket;
    });
    assert.equal((await server.request("GET", "/health")).status, 200);
    const resident = Number(fs.readFileSync(`/proc/${server.process.child.pid}/status`, "utf8").match(/VmRSS:\s+(\d+)/)[1]);
    for (const socket of sockets) socket.destroy();
    assert.ok(resident < 400_000, `${resident} kB`);
  });
});

describe("pages and files", () => {
  test("the page forbids foreign hosts, frames and guessing", async () => {
    const page = await server.request("GET", "/", undefined, anonymous);
    assert.equal(page.status, 200);
    const policy = page.headers.get("content-security-policy");
    assert.match(policy, /default-src 'self'/);
    assert.match(policy, /frame-ancestors 'none'/);
    assert.doesNotMatch(policy, /unsafe-eval/);
    assert.doesNotMatch(policy.match(/script-src[^;]*/)?.[0] ?? "", /unsafe-inline/);
    assert.equal(page.headers.get("x-content-type-options"), "nosniff");
    assert.ok(page.headers.get("referrer-policy"));
    assert.doesNotMatch(page.headers.get("server") ?? "", /\d/, "the version is not told to strangers");
    for (const [, url] of page.text.matchAll(/(?:src|href)="([^"]+)"/g)) assert.doesNotMatch(url, /^(https?:)?\/\//, url);
    for (const [, url] of page.text.matchAll(/(?:src|href)="(\/[^"]+\.(?:js|css))"/g)) {
      const asset = await server.request("GET", url, undefined, anonymous);
      assert.equal(asset.status, 200, url);
      assert.match(asset.headers.get("cache-control"), /immutable/, url);
      assert.doesNotMatch(asset.text, /fonts\.(googleapis|gstatic)|cdn\.|unpkg\.com|jsdelivr/, url);
    }
  });

  test("answers of the API are not kept by caches", async () => {
    const answer = await server.request("GET", "/api/v1/users");
    assert.match(answer.headers.get("cache-control") ?? "", /no-store/);
    assert.equal(answer.headers.get("x-content-type-options"), "nosniff");
  });

  test("what lies in the data directory is readable by its owner alone", async () => {
    assert.equal(fs.statSync(server.data).mode & 0o077, 0, "the folder");
    for (const one of fs.readdirSync(server.data, { recursive: true, withFileTypes: true })) {
      const at = path.join(one.parentPath ?? one.path, one.name);
      // The authority's certificate is made to be given away.
      if (/\.(crt|pem)$/.test(one.name) && !/key/.test(one.name)) continue;
      assert.equal(fs.statSync(at).mode & 0o077, 0, at);
    }
  });

  test("a request over plain HTTP and one over HTTPS meet the same house", async () => {
    const agent = await import("node:https");
    const body = await new Promise((resolve, reject) => {
      agent.get({ host: "127.0.0.1", port: server.ports.https, path: "/health", rejectUnauthorized: false }, (response) => {
        let text = "";
        response.on("data", (piece) => (text += piece));
        response.on("end", () => resolve(text));
      }).on("error", reject);
    });
    assert.equal(JSON.parse(body).status, "ok");
    const cleartext = await new Promise((resolve) => {
      http.get({ host: "127.0.0.1", port: server.ports.https, path: "/health" }, (response) => resolve(response.statusCode)).on("error", () => resolve("cut"));
    });
    assert.notEqual(cleartext, 200);
  });
});
