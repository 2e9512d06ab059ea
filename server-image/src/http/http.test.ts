import { request as httpsRequest, type RequestOptions } from "node:https";
import type { ConnectionOptions, TLSSocket } from "node:tls";
import type { RecordMetadata } from "@atrium/protocol";
import { one } from "@atrium/runtime/tls-files.vectors.ts";
import { describe, expect, test } from "@jest/globals";
import { dial, listen, read, readAll } from "../testing/listener.ts";

type At = Awaited<ReturnType<typeof listen>>;

const metadata: RecordMetadata = {
  createdBy: "@alice",
  updatedBy: "@alice",
  createdAt: Date.UTC(2026, 0),
  updatedAt: Date.UTC(2026, 0),
  status: "active",
  version: 0,
  isBinary: false,
  isEncrypted: false,
};

async function put({ store }: At, key: string, value: string | undefined, more: Partial<RecordMetadata> = {}) {
  await store.write((tx) => tx.put({ key, value, metadata: { ...metadata, ...more } }, "*"));
}

interface Response {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

function get(at: At, path: string, options: RequestOptions = {}): Promise<Response> {
  return new Promise((resolve, reject) => {
    const tls: ConnectionOptions = {
      ca: one.certificate,
      servername: "one.test",
      checkServerIdentity: () => undefined,
      ALPNProtocols: ["http/1.1"],
    };
    const to = { ...at.server.address, path, agent: false };
    const request = httpsRequest({ ...(tls as RequestOptions), ...to, ...options }, async (response) => {
      const body = Buffer.concat(await response.toArray());
      resolve({ status: response.statusCode ?? 0, headers: response.headers, body });
    });
    request.on("error", reject);
    request.end();
  });
}

function dialHttp(at: At): TLSSocket {
  return dial(at.server, { ALPNProtocols: ["http/1.1"] });
}

/** @returns all that comes until the connection ends */
async function exchange(at: At, bytes: string): Promise<string> {
  const socket = dialHttp(at);
  socket.write(bytes);
  return await readAll(socket);
}

describe("the application protocol", () => {
  test.each([["h2"], ["http/1.0"], ["atprotocol/1.0"]])("%s alone is refused in the handshake", async (protocol) => {
    await using at = await listen();
    const socket = dial(at.server, { ALPNProtocols: [protocol] });
    const [error] = await new Promise<[Error & { code?: string }]>((resolve) => {
      socket.once("error", (...args) => resolve(args as [Error]));
    });
    expect(error.code).toBe("ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL");
    while (at.counts.handshakesFailed === 0) await new Promise(setImmediate);
    expect(at.server.connections).toBe(0);
  });

  test("HTTP gets no greeting", async () => {
    await using at = await listen();
    const socket = dialHttp(at);
    socket.write("GET /x HTTP/1.1\r\nHost: one.test\r\n\r\n");
    expect(await read(socket)).toMatch(/^HTTP\/1\.1 404 Not Found\r\n/);
    expect(socket.alpnProtocol).toBe("http/1.1");
    socket.destroy();
  });
});

describe("a public record", () => {
  test("is what GET answers with, and can do nothing in a browser", async () => {
    await using at = await listen();
    await put(at, "public:index.html.demo@alice", "<script>alert(1)</script>ü");
    const { status, headers, body } = await get(at, "/demo/index.html");
    expect(status).toBe(200);
    expect(body.toString()).toBe("<script>alert(1)</script>ü");
    expect(headers).toMatchObject({
      "content-type": "text/html; charset=utf-8",
      "content-length": "27",
      "content-security-policy": "sandbox",
      "x-content-type-options": "nosniff",
      "access-control-allow-origin": "*",
      "cross-origin-resource-policy": "cross-origin",
      "cache-control": "no-cache",
    });
    expect(headers).not.toHaveProperty("x-powered-by");
    expect(headers).not.toHaveProperty("access-control-allow-credentials");
  });

  test("comes as metadata, whole, or as what the client takes it for", async () => {
    await using at = await listen();
    await put(at, "public:phone.wavi@alice", "1234");
    const json = { "content-type": "application/json; charset=utf-8" };
    const meta = await get(at, "/phone.wavi?at_rt=meta");
    expect(meta.headers).toMatchObject(json);
    expect(JSON.parse(meta.body.toString())).toMatchObject({ createdBy: "@alice", version: 0, isBinary: false });
    const all = await get(at, "/wavi/phone?at_rt=all&at_ct=text/html");
    expect(all.headers).toMatchObject(json);
    expect(JSON.parse(all.body.toString())).toMatchObject({ key: "public:phone.wavi@alice", data: "1234" });
    const asked = await get(at, "/@alice/wavi/phone?at_ct=text%2Fhtml");
    expect(asked.headers).toMatchObject({
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": "sandbox",
    });
    const plain = await get(at, "/phone.wavi");
    expect(plain.headers).toMatchObject({ "content-type": "text/plain; charset=utf-8" });
    expect(plain.body.toString()).toBe("1234");
  });

  test("gives its bytes when it is binary, whatever they are written in", async () => {
    await using at = await listen();
    await put(at, "public:a.wavi@alice", "嗺둽嬖蟝巍媖疌켉溁닽壪", { isBinary: true });
    await put(at, "public:b.wavi@alice", "aGk=", { isBinary: true });
    const bytes = await get(at, "/wavi/a");
    expect(bytes.body.toString()).toBe("Base2e15 is awesome!");
    expect(bytes.headers).toMatchObject({ "content-type": "application/octet-stream", "content-length": "20" });
    expect((await get(at, "/wavi/b")).body.toString()).toBe("aGk=");
    const { data } = JSON.parse((await get(at, "/wavi/a?at_rt=all")).body.toString());
    expect(data).toBe("嗺둽嬖蟝巍媖疌켉溁닽壪");
  });

  test("is not there when it has expired, is not born, is not public, or has another owner", async () => {
    await using at = await listen();
    const now = at.clock.nowMs;
    await put(at, "public:expired.wavi@alice", "x", { ttl: 1, expiresAt: now });
    await put(at, "public:unborn.wavi@alice", "x", { ttb: 1, availableAt: now + 1 });
    await put(at, "self.wavi@alice", "x");
    await put(at, "@bob:shared.wavi@alice", "x");
    await put(at, "cached:public:theirs.wavi@bob", "x");
    await put(at, "private:closed.wavi@alice", "x");
    for (const path of [
      "/",
      "/expired.wavi",
      "/unborn.wavi",
      "/self.wavi",
      "/@bob:shared.wavi@alice",
      "/cached:public:theirs.wavi@bob",
      "/private:closed.wavi@alice",
      "/%0a",
      "/..%2f..%2fetc%2fpasswd",
      "/%00",
    ]) {
      const { status, headers, body } = await get(at, path);
      expect([path, status, body.toString()]).toEqual([path, 404, "404 Not Found"]);
      expect(headers).toMatchObject({ "content-type": "text/plain; charset=utf-8" });
    }
  });

  test("may refer to another one", async () => {
    await using at = await listen();
    await put(at, "public:a.wavi@alice", "atsign://b.wavi@alice");
    await put(at, "public:b.wavi@alice", "found");
    await put(at, "public:c.wavi@alice", undefined);
    expect((await get(at, "/a.wavi")).body.toString()).toBe("found");
    expect(await get(at, "/c.wavi")).toMatchObject({ status: 200, body: Buffer.alloc(0) });
  });

  test("of many megabytes comes whole, also as bytes", async () => {
    await using at = await listen();
    const text = "😀é".repeat(700_000);
    await put(at, "public:text.wavi@alice", text);
    await put(at, "public:bytes.wavi@alice", "嗺둽嬖蟝巍媖疌켉".repeat(100_000), { isBinary: true });
    expect((await get(at, "/text.wavi")).body.toString() === text).toBe(true);
    const { body, headers } = await get(at, "/bytes.wavi");
    expect(body.length).toBe(1_500_000);
    expect(headers).toMatchObject({ "content-length": "1500000" });
    expect(body.subarray(-15).toString()).toBe("Base2e15 is awe");
    while (at.server.connections > 0) await new Promise(setImmediate);
    expect(at.parts.outputBudgets.others.takenBytes).toBe(0);
  });
});

describe("a request", () => {
  test("by HEAD is answered as by GET, without the body", async () => {
    await using at = await listen();
    await put(at, "public:a.wavi@alice", "1234");
    const head = await get(at, "/a.wavi", { method: "HEAD" });
    expect(head).toMatchObject({ status: 200, body: Buffer.alloc(0) });
    expect(head.headers).toMatchObject({ "content-length": "4", "content-type": "text/plain; charset=utf-8" });
    expect((await get(at, "/b.wavi", { method: "HEAD" })).status).toBe(404);
  });

  test.each(["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"])("by %s is refused", async (method) => {
    await using at = await listen();
    const { status, headers } = await get(at, "/a.wavi", { method });
    expect([status, headers.allow]).toEqual([405, "GET, HEAD"]);
  });

  test("that is too long, or no text, is refused", async () => {
    await using at = await listen();
    expect((await get(at, `/${"a".repeat(999)}`)).status).toBe(404);
    expect((await get(at, `/${"a".repeat(1_000)}`)).status).toBe(400);
    expect((await get(at, `/a?at_ct=${"a".repeat(1_000)}`)).status).toBe(400);
    expect((await get(at, "/%ff")).status).toBe(400);
  });

  test("may name the whole URL", async () => {
    await using at = await listen();
    await put(at, "public:a.wavi@alice", "1234");
    expect((await get(at, "https://one.test/wavi/a")).body.toString()).toBe("1234");
    expect((await get(at, "https://one.test?x")).status).toBe(404);
  });

  test("with a body is answered at once, and the connection closed", async () => {
    await using at = await listen();
    const reply = await exchange(at, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nx");
    expect(reply).toMatch(/^HTTP\/1\.1 405 Method Not Allowed\r\n/);
    expect(reply).toMatch(/\r\nConnection: close\r\n/);
    const expecting = "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n";
    expect(await exchange(at, expecting)).toMatch(/^HTTP\/1\.1 405 /);
  });

  test.each([
    ["GET / HTTP/1.1\r\n\r\n", 400],
    ["GET / HTTP/1.1\r\nHost: a\r\nHost : b\r\n\r\n", 400],
    ["GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400],
    ["GET / HTTP/9.9\r\nHost: a\r\n\r\n", 400],
    ["from:@alice\n", 400],
    ["\x16\x03\x01\x00\x05hello\r\n\r\n", 400],
    [`GET / HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(20_000)}\r\n\r\n`, 431],
  ])("that is none: %#", async (bytes, status) => {
    await using at = await listen();
    expect(await exchange(at, bytes)).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    while (at.server.connections > 0) await new Promise(setImmediate);
  });

  test("follows others on its connection, each answered in order", async () => {
    await using at = await listen();
    const large = "x".repeat(300_000);
    await put(at, "public:large.wavi@alice", large);
    const socket = dialHttp(at);
    socket.write(
      "GET /large.wavi HTTP/1.1\r\nHost: a\r\n\r\nHEAD /large.wavi HTTP/1.1\r\nHost: a\r\n\r\n" +
        "GET /none HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    );
    const all = await readAll(socket);
    const [first = "", second = "", third = ""] = all.split("HTTP/1.1 ").slice(1);
    expect(first.slice(0, 3) + first.slice(-300_000)).toBe(`200${large}`);
    expect(second).toMatch(/^200 OK\r\n.*\r\n\r\n$/s);
    expect(third).toMatch(/^404 Not Found\r\n.*404 Not Found$/s);
    expect(at.counts.httpRequests).toBe(3);
  });

  test("is one of few that may wait for a slow reader", async () => {
    await using at = await listen();
    await put(at, "public:large.wavi@alice", "x".repeat(3_000_000));
    const socket = dialHttp(at);
    socket.pause();
    socket.write("GET /large.wavi HTTP/1.1\r\nHost: a\r\n\r\n".repeat(30));
    while (at.counts.httpRequests === 0) await new Promise(setImmediate);
    while (at.server.connections > 0) await new Promise(setImmediate);
    expect(at.parts.outputBudgets.others.takenBytes).toBe(0);
    socket.destroy();
  });
});

describe("a connection of HTTP", () => {
  test("that sends no whole request is closed after 15 s, whatever comes meanwhile", async () => {
    await using at = await listen();
    const silent = dialHttp(at);
    const slow = dialHttp(at);
    const closed = Promise.all([readAll(silent), readAll(slow)]);
    slow.write("GET / HTTP/1.1\r\nHo");
    while (at.server.connections < 2) await new Promise(setImmediate);
    at.clock.advance(14_000);
    slow.write("st: a\r\n");
    const plain = dial(at.server);
    expect(await read(plain)).toBe("@");
    expect(at.server.connections).toBe(3);
    at.clock.advance(1_000);
    const another = dial(at.server);
    expect(await read(another)).toBe("@");
    expect(await closed).toEqual(["", ""]);
    plain.destroy();
    another.destroy();
  });

  test("that reads nothing is cut off", async () => {
    await using at = await listen({ limits: { unreadMs: 50 } });
    await put(at, "public:large.wavi@alice", "x".repeat(10_000_000));
    const socket = dialHttp(at);
    socket.pause();
    socket.write("GET /large.wavi HTTP/1.1\r\nHost: a\r\n\r\n");
    while (at.parts.outputBudgets.others.takenBytes === 0) await new Promise(setImmediate);
    expect(at.parts.outputBudgets.others.takenBytes).toBe(10_000_000);
    while (at.server.connections > 0) await new Promise(setImmediate);
    expect(at.parts.outputBudgets.others.takenBytes).toBe(0);
    socket.destroy();
  });

  test("waits for its turn when others hold the memory, and is told when it does not come", async () => {
    await using at = await listen({ heldBytes: 10_000_000, limits: { turnMs: 100 } });
    await put(at, "public:large.wavi@alice", "x".repeat(6_000_000));
    const slow = dialHttp(at);
    slow.pause();
    slow.write("GET /large.wavi HTTP/1.1\r\nHost: a\r\n\r\n");
    while (at.parts.outputBudgets.others.takenBytes === 0) await new Promise(setImmediate);
    const refused = await get(at, "/large.wavi");
    expect([refused.status, refused.headers["retry-after"]]).toEqual([503, "1"]);
    const waiting = get(at, "/large.wavi");
    await new Promise((resolve) => setTimeout(resolve, 20));
    slow.destroy();
    expect((await waiting).body.length).toBe(6_000_000);
  });

  test("that is gone gives back what it held", async () => {
    await using at = await listen();
    await put(at, "public:large.wavi@alice", "x".repeat(10_000_000));
    const socket = dialHttp(at);
    socket.write("GET /large.wavi HTTP/1.1\r\nHost: a\r\n\r\n");
    await read(socket);
    socket.destroy();
    while (at.server.connections > 0) await new Promise(setImmediate);
    await new Promise(setImmediate);
    expect(at.parts.outputBudgets.others.takenBytes).toBe(0);
  });

  test("takes a place like any other, and is told when there is none", async () => {
    await using at = await listen({ maxConnections: 4 });
    const plain = Array.from({ length: 2 }, () => dial(at.server));
    await Promise.all(plain.map(read));
    const reserved = [dialHttp(at), dialHttp(at)];
    while (at.server.connections < 4) await new Promise(setImmediate);
    expect(await exchange(at, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")).toMatch(/^HTTP\/1\.1 503 Service Unavailable\r\n/);
    expect(await readAll(dial(at.server))).toBe("error:AT0012-Inbound connection limit exceeded\n");
    const closed = Promise.all(reserved.map(readAll));
    at.clock.advance(10_000);
    plain[0]?.destroy();
    while (at.server.connections > 3) await new Promise(setImmediate);
    const another = dial(at.server);
    expect(await read(another)).toBe("@");
    await closed;
    for (const socket of [...plain, another]) socket.destroy();
  });

  test("ends when the server does, its response first", async () => {
    const at = await listen();
    const large = "x".repeat(8_000_000);
    await put(at, "public:large.wavi@alice", large);
    const idle = dialHttp(at);
    const busy = dialHttp(at);
    const ends = readAll(idle);
    busy.write("GET /large.wavi HTTP/1.1\r\nHost: a\r\n\r\n");
    const beginning = await read(busy);
    const rest = readAll(busy);
    await at.server[Symbol.asyncDispose]();
    expect((beginning + (await rest)).endsWith(large)).toBe(true);
    expect(await ends).toBe("");
  });

  test("is never in the way of a plain client", async () => {
    await using at = await listen();
    await put(at, "public:large.wavi@alice", "x".repeat(1_000_000));
    const plain = dial(at.server);
    await read(plain);
    let going = true;
    const others = Array.from({ length: 50 }, async (_, i) => {
      while (going) {
        if (i % 5 === 0) await exchange(at, "nonsense\r\n\r\n");
        else expect((await get(at, i % 5 === 1 ? "/large.wavi" : "/none")).status).toBe(i % 5 === 1 ? 200 : 404);
      }
    });
    const slowest = { ms: 0 };
    for (let i = 0; i < 40; i++) {
      const began = performance.now();
      plain.write("noop:0\n");
      expect(await read(plain)).toBe("data:ok\n@");
      slowest.ms = Math.max(slowest.ms, performance.now() - began);
    }
    going = false;
    await Promise.all(others);
    plain.destroy();
    expect(slowest.ms).toBeLessThan(1_000);
  });
});
