import { createPublicKey, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import { type AddressInfo, connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { silent } from "@atrium/runtime/log.ts";
import { describe, expect, test } from "@jest/globals";
import { type TestCa, testCa } from "../../../test/kit/certificates.ts";
import { recordingLog } from "../testing/recording-log.ts";
import { KnownTrust } from "./known-trust.ts";
import { openServiceIdentity, type ServiceOptions } from "./service.ts";

const host = "alice.at.test";

interface Asked {
  readonly authorization: string | undefined;
  readonly body: { atSign: string; epoch: number; csr: string; activated: boolean };
}

type Reply = (asked: Asked, response: ServerResponse) => void;

/** As much of an identity service as it takes to ask one. */
async function fakeService({ ca = testCa(), names = ["operator.atrium.internal"], port = 0 } = {}) {
  const asked: Asked[] = [];
  const waiting: (() => void)[] = [];
  const sockets = new Set<Socket>();
  let reply: Reply = issue(ca);
  const { certificate, key } = ca.issue({ dns: names });
  const server = createServer({ cert: certificate, key }, async (request: IncomingMessage, response) => {
    const { authorization } = request.headers;
    const said = { authorization, body: JSON.parse(await text(request)) as Asked["body"] };
    asked.push(said);
    for (const wake of waiting.splice(0)) wake();
    reply(said, response);
  });
  server.on("secureConnection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  server.on("tlsClientError", () => undefined);
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return {
    ca,
    asked,
    url: new URL(`https://127.0.0.1:${(server.address() as AddressInfo).port}`),
    answerBy(next: Reply) {
      reply = next;
    },
    changeCertificate(of: TestCa) {
      const pair = of.issue({ dns: names });
      server.setSecureContext({ cert: pair.certificate, key: pair.key });
    },
    /** @returns once so many were asked */
    async untilAsked(count: number) {
      while (asked.length < count) await new Promise<void>((resolve) => waiting.push(resolve));
    },
    [Symbol.dispose]() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** An address from which nothing comes, as that of a pod that is gone. */
async function deadAddress() {
  const never = `const { createServer } = require("node:net");
    const server = createServer().listen({ host: "127.0.0.1", port: 0, backlog: 1 }, () => {
      require("node:worker_threads").parentPort.postMessage(server.address().port);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    });`;
  const worker = new Worker(never, { eval: true });
  const [port] = (await once(worker, "message")) as [number];
  // Those that the kernel takes in advance; what comes then is not answered.
  const first = Array.from({ length: 2 }, () => connect({ host: "127.0.0.1", port }));
  await Promise.all(first.map((socket) => once(socket, "connect")));
  for (const socket of first) socket.on("error", () => undefined);
  return {
    port,
    async [Symbol.asyncDispose]() {
      for (const socket of first) socket.destroy();
      await worker.terminate();
    },
  };
}

/** The key in a signing request as this atServer writes it: after the version and an empty subject. */
function keyOf(csr: string) {
  const bytes = Buffer.from(csr.replace(/-----.*-----/g, ""), "base64");
  const from = bytes.indexOf(Buffer.from("0201003000", "hex")) + 5;
  return createPublicKey({ key: bytes.subarray(from, from + 91), format: "der", type: "spki" });
}

interface Given {
  readonly lifeMs?: number;
  readonly trust?: string;
  readonly more?: object;
  readonly dns?: readonly string[];
}

function issue(ca: TestCa, { lifeMs = 3_600_000, trust = ca.pem, more = {}, dns = [host] }: Given = {}): Reply {
  return ({ body }, response) => {
    const until = new Date(Date.now() + lifeMs);
    const certificate = ca.certify(keyOf(body.csr), { dns, client: true, until });
    response.end(JSON.stringify({ certificate, trust, expiresAt: until.toISOString(), ...more }));
  };
}

function refuse(status: number, headers: Record<string, string> = {}): Reply {
  return (_asked, response) => {
    const document = JSON.stringify({ type: "about:blank", status, detail: "not you" });
    const length = { "content-length": document.length };
    response.writeHead(status, { "content-type": "application/problem+json", ...length, ...headers }).end(document);
  };
}

function scratch() {
  const path = mkdtempSync(join(tmpdir(), "identity-"));
  writeFileSync(join(path, "token"), "first\n");
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}

const soon = { minMs: 5, maxMs: 20 };

function open(
  { url, ca }: { url: URL; ca: TestCa },
  { path }: { path: string },
  { epoch = 1_000, ...options }: Partial<ServiceOptions> = {},
) {
  const log = options.log ?? silent;
  return openServiceIdentity({
    ...{ url, tokenFile: join(path, "token"), platformCa: () => ca.pem, atSign: "@alice", host, epoch, log },
    known: new KnownTrust({ directory: path, epoch, log }),
    signal: new AbortController().signal,
    pauses: { first: soon, renewal: soon, lookMs: 600_000 },
    ...options,
  });
}

describe("identity from a service", () => {
  test("is for a key made here, and asked for with the token", async () => {
    using service = await fakeService();
    using directory = scratch();
    service.answerBy(issue(service.ca, { more: { activation: { secret: "6b1f" } } }));
    await using identity = await open(service, directory);
    const { serving, client, trust, expiresAtMs } = identity.current;
    expect(serving).toBe(client);
    expect(new X509Certificate(client.certificate).subjectAltName).toBe(`DNS:${host}`);
    expect(trust).toBe(service.ca.pem);
    expect(expiresAtMs - Date.now()).toBeGreaterThan(3_500_000);
    expect(identity.activationSecret()).toBe("6b1f");
    expect(service.asked).toEqual([
      {
        authorization: "Bearer first",
        body: { atSign: "@alice", epoch: 1_000, csr: expect.stringContaining("CERTIFICATE REQUEST"), activated: false },
      },
    ]);
    for (const file of readdirSync(directory.path)) {
      expect(readFileSync(join(directory.path, file), "utf8")).not.toContain("PRIVATE");
    }
  });

  test("is renewed at two thirds of its life, with another key and the token of then", async () => {
    using service = await fakeService();
    using directory = scratch();
    const clock = { nowMs: Date.now() };
    const options = { now: () => clock.nowMs, pauses: { first: soon, renewal: soon, lookMs: 5 }, random: () => 1 };
    await using identity = await open(service, directory, options);
    const first = identity.current;
    const changed = new Promise((resolve) => identity.onChange(resolve));
    const lifeMs = first.expiresAtMs - clock.nowMs;
    clock.nowMs += lifeMs * 0.66;
    writeFileSync(join(directory.path, "token"), "second");
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(service.asked).toHaveLength(1);
    service.answerBy(issue(service.ca, { lifeMs: 2 * lifeMs }));
    clock.nowMs += lifeMs * 0.01;
    expect(await changed).toBe(identity.current);
    expect(service.asked.map(({ authorization }) => authorization)).toEqual(["Bearer first", "Bearer second"]);
    expect(identity.current.client.key).not.toBe(first.client.key);
  });

  test("renewals of many are spread", async () => {
    using service = await fakeService();
    using directory = scratch();
    const dueAt = async (random: number) => {
      const clock = { nowMs: Date.now() };
      const options = { now: () => clock.nowMs, pauses: { first: soon, renewal: soon, lookMs: 1 } };
      await using identity = await open(service, directory, { ...options, random: () => random });
      const lifeMs = identity.current.expiresAtMs - clock.nowMs;
      const before = service.asked.length;
      for (let share = 0.55; share < 0.7; share += 0.01) {
        clock.nowMs = identity.current.expiresAtMs - lifeMs * (1 - share);
        await new Promise((resolve) => setTimeout(resolve, 10));
        if (service.asked.length > before) return share;
      }
      return 1;
    };
    expect(await dueAt(0)).toBeCloseTo(0.6, 1);
    expect(await dueAt(1)).toBeCloseTo(0.67, 1);
    expect(await dueAt(0)).toBeLessThan(await dueAt(1));
  });

  test("is waited for while there is none", async () => {
    using service = await fakeService();
    using directory = scratch();
    const { log, lines } = recordingLog();
    service.answerBy(refuse(403));
    const opening = open(service, directory, { log });
    await service.untilAsked(3);
    service.answerBy(issue(service.ca));
    await using identity = await opening;
    expect(identity.current.client.key).toContain("PRIVATE KEY");
    const [waited, ...others] = lines.filter(({ fields }) => "problem" in fields);
    expect([waited?.fields, others]).toEqual([expect.objectContaining({ problem: "403: not you" }), []]);
  });

  test("is asked for again soon when nothing is behind the address", async () => {
    const dead = await deadAddress();
    using directory = scratch();
    const { log, lines } = recordingLog();
    const ca = testCa();
    const began = performance.now();
    const opening = open({ url: new URL(`https://127.0.0.1:${dead.port}`), ca }, directory, { log });
    const problem = () => lines.find(({ fields }) => "problem" in fields)?.fields;
    while (problem() === undefined) await delay(20);
    expect(problem()).toMatchObject({ problem: "no connection in 2000 ms" });
    expect(performance.now() - began).toBeGreaterThanOrEqual(2_000 - 1);
    await dead[Symbol.asyncDispose]();
    using service = await fakeService({ ca, port: dead.port });
    service.answerBy(issue(ca));
    await using identity = await opening;
    expect(identity.current.client.key).toContain("PRIVATE KEY");
  });

  test("is not waited for when the process shall end", async () => {
    using service = await fakeService();
    using directory = scratch();
    service.answerBy(() => undefined);
    const stopping = new AbortController();
    const opening = open(service, directory, { signal: stopping.signal });
    await service.untilAsked(1);
    stopping.abort();
    await expect(opening).rejects.toMatchObject({ name: "AbortError" });
  });

  test("comes from nobody but the operator of this platform, who alone sees the token", async () => {
    const ca = testCa();
    using other = await fakeService();
    using peer = await fakeService({ ca, names: ["bob.at.test"] });
    using wild = await fakeService({ ca, names: ["*.atrium.internal"] });
    using directory = scratch();
    for (const { url, asked } of [other, peer, wild]) {
      const { log, lines } = recordingLog();
      const stopping = new AbortController();
      const opening = open({ url, ca }, directory, { log, signal: stopping.signal });
      while (lines.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
      stopping.abort();
      await expect(opening).rejects.toThrow();
      expect(asked).toEqual([]);
    }
  });

  test.each<[string, Reply]>([
    ["is for another host", issueFor(["bob.at.test"])],
    ["is for its zone", issueFor(["*.at.test"])],
    ["has expired", (asked, response) => issue(shared, { lifeMs: -1_000 })(asked, response)],
    [
      "is for another key",
      (_asked, response) => void response.end(answerWith(shared.issue({ dns: [host] }).certificate)),
    ],
    ["trusts nobody", (asked, response) => issue(shared, { trust: "none" })(asked, response)],
    ["is not JSON", (_asked, response) => void response.end("<html>")],
    ["is empty", (_asked, response) => void response.end("{}")],
    [
      "is cut",
      (_asked, response) =>
        void response.writeHead(200, { "content-length": 100 }).write("{", () => response.destroy()),
    ],
    ["is endless", (_asked, response) => void response.end("x".repeat(300_000))],
    ["is no HTTP", (_asked, response) => void response.socket?.end("hello\r\n\r\n")],
    ["has a serving certificate without key", issueMore({ serving: { certificate: "x" } })],
    ["has a serving certificate for another host", issueMore({ serving: servingFor("*.other.test") })],
  ])("is not taken up when it %s, and the last good one stays", async (_what, bad) => {
    using service = await fakeService({ ca: shared });
    using directory = scratch();
    const { log, lines } = recordingLog();
    await using identity = await open(service, directory, { log });
    const { current } = identity;
    service.answerBy(bad);
    await identity.activated();
    await service.untilAsked(3);
    expect(identity.current).toBe(current);
    expect(lines.filter(({ fields }) => "problem" in fields)).toHaveLength(1);
    service.answerBy(issue(shared));
    const changed = new Promise((resolve) => identity.onChange(resolve));
    expect(await changed).toBe(identity.current);
  });

  test("may have a certificate of the zone for clients", async () => {
    using service = await fakeService({ ca: shared });
    using directory = scratch();
    service.answerBy(issueMore({ serving: servingFor("*.at.test") }));
    await using identity = await open(service, directory);
    expect(new X509Certificate(identity.current.serving.certificate).subjectAltName).toBe("DNS:*.at.test");
    expect(new X509Certificate(identity.current.client.certificate).subjectAltName).toBe(`DNS:${host}`);
  });

  test("is told of the activation at once, and until it knows", async () => {
    using service = await fakeService();
    using directory = scratch();
    service.answerBy(issue(service.ca, { more: { activation: { secret: "6b1f" } } }));
    await using identity = await open(service, directory);
    service.answerBy(refuse(503));
    await identity.activated();
    expect(identity.activationSecret()).toBeUndefined();
    await service.untilAsked(3);
    const changed = new Promise((resolve) => identity.onChange(resolve));
    service.answerBy(issue(service.ca));
    await changed;
    const count = service.asked.length;
    expect(service.asked.slice(1).every(({ body }) => body.activated)).toBe(true);
    await identity.activated();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(service.asked).toHaveLength(count);
  });

  test("is asked for again when the service says, not before", async () => {
    using service = await fakeService();
    using directory = scratch();
    await using identity = await open(service, directory);
    service.answerBy(refuse(429, { "retry-after": "1" }));
    await identity.activated();
    await service.untilAsked(2);
    const beganMs = performance.now();
    await service.untilAsked(3);
    expect(performance.now() - beganMs).toBeGreaterThan(900);
  });

  test.each([401, 403])("is forfeited when the certificate ends after a %s", async (status) => {
    using service = await fakeService();
    using directory = scratch();
    service.answerBy(issue(service.ca, { lifeMs: 3_000 }));
    await using identity = await open(service, directory);
    let forfeited = false;
    const end = identity.forfeited.then(() => {
      forfeited = true;
    });
    service.answerBy(refuse(status));
    await identity.activated();
    await service.untilAsked(4);
    expect([forfeited, identity.current.expiresAtMs > Date.now()]).toEqual([false, true]);
    await end;
    expect(identity.current.expiresAtMs).toBeLessThanOrEqual(Date.now());
  });

  test.each([422, 429, 500, 503])("is not forfeited after a %s, and comes back", async (status) => {
    using service = await fakeService();
    using directory = scratch();
    const clock = { aheadMs: 0 };
    await using identity = await open(service, directory, { now: () => Date.now() + clock.aheadMs });
    let forfeited = false;
    void identity.forfeited.then(() => {
      forfeited = true;
    });
    service.answerBy(refuse(status));
    clock.aheadMs = 7_200_000;
    await identity.activated();
    await service.untilAsked(5);
    expect(forfeited).toBe(false);
    clock.aheadMs = 0;
    const changed = new Promise((resolve) => identity.onChange(resolve));
    service.answerBy(issue(service.ca));
    await changed;
  });

  test("follows a change of the CA, also when it was started anew with the old settings", async () => {
    const [old, next] = [testCa(), testCa()];
    using service = await fakeService({ ca: old });
    using directory = scratch();
    service.answerBy(issue(old, { trust: old.pem + next.pem }));
    {
      await using identity = await open(service, directory);
      service.changeCertificate(next);
      service.answerBy(issue(next, { trust: next.pem }));
      const changed = new Promise((resolve) => identity.onChange(resolve));
      await identity.activated();
      await changed;
      expect(identity.current.trust).toBe(next.pem);
    }
    await using again = await open(service, directory);
    expect(again.current.trust).toBe(next.pem);
    // A newer pod has newer settings, and nothing of what the one before was told.
    expect(new KnownTrust({ directory: directory.path, epoch: 1_001, log: silent }).pem).toBe("");
  });

  test("goes on when its roots cannot be remembered", async () => {
    using service = await fakeService();
    using directory = scratch();
    const { log, lines } = recordingLog();
    const known = new KnownTrust({ directory: join(directory.path, "absent"), epoch: 1, log });
    await using identity = await open(service, directory, { known, log });
    expect(identity.current.trust).toBe(service.ca.pem);
    expect(lines.map(({ message }) => message)).toContain("the platform's roots could not be remembered");
  });

  test("stays in force when a listener cannot take it up", async () => {
    using service = await fakeService();
    using directory = scratch();
    await using identity = await open(service, directory);
    identity.onChange(() => {
      throw new Error("cannot");
    });
    const changed = new Promise((resolve) => identity.onChange(resolve));
    await identity.activated();
    expect(await changed).toBe(identity.current);
  });
});

const shared = testCa();

function issueFor(dns: readonly string[]): Reply {
  return (asked, response) => issue(shared, { dns })(asked, response);
}

function issueMore(more: object): Reply {
  return (asked, response) => issue(shared, { more })(asked, response);
}

function servingFor(name: string) {
  const { certificate, key: privateKey } = testCa().issue({ dns: [name] });
  return { certificate, privateKey };
}

function answerWith(certificate: string): string {
  return JSON.stringify({ certificate, trust: certificate });
}
