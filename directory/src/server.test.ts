import { connect as connectTcp, type Socket } from "node:net";
import { duplexPair } from "node:stream";
import { describe, expect, test } from "@jest/globals";
import { Conversation } from "./conversation.ts";
import { Lookups } from "./lookups.ts";
import { memoryRegistry } from "./registry/memory.ts";
import { newTally } from "./tally.ts";
import { TestClient } from "./testing/client.ts";
import { testDirectory } from "./testing/directory.ts";
import { heldRegistry } from "./testing/held-registry.ts";
import { eventually } from "./testing/registries.ts";
import { UnknownNames } from "./unknown-names.ts";

const alice = "alice.at.example.org:6464\r\n@";
const unknown = "null\r\n@";
const stopping = "Stop in progress. Can't accept new requests.";

describe("the wire", () => {
  test.each([
    ["alice\n", alice],
    ["alice\r\n", alice],
    ["@alice\n", alice],
    ["ALICE\n", alice],
    [" al.ice \n", alice],
    ["parked\n", unknown],
    ["nobody\n", unknown],
    ["ping\n", unknown],
    ["@@alice\n", unknown],
    ["al ice\n", unknown],
    ["data:alice\n", unknown],
    ["\u0000\n", unknown],
    ["\n", unknown],
    ["\r\n", unknown],
  ])("answers %j in one chunk", async (line, answer) => {
    await using directory = await testDirectory();
    using client = await directory.connect();
    client.send(line);
    expect(await client.read()).toBe(answer);
  });

  test("has the dialogue of a C client: blank line, name, close", async () => {
    await using directory = await testDirectory({ unknownNames: { burst: 1, perSecond: 1, maxDelayMs: 0 } });
    for (let i = 0; i < 5; i += 1) {
      using client = await directory.connect();
      expect(await client.ask("\r")).toBe(unknown);
      expect(await client.ask("alice\r")).toBe(alice);
    }
  });

  test("answers any number of lookups, and each line of a chunk in its order", async () => {
    await using directory = await testDirectory();
    using client = await directory.connect();
    client.send("alice\nnobody\n\n@alice\r\nal");
    for (const answer of [alice, unknown, unknown, alice]) expect(await client.read()).toBe(answer);
    expect(await client.ask("ice")).toBe(alice);
  });

  test("answers what comes before the client's greeting was sent, after it", async () => {
    await using directory = await testDirectory();
    using client = await TestClient.connect({ port: directory.port, ca: directory.tls.ca });
    client.send("alice\n");
    expect(await client.read()).toBe("@");
    expect(await client.read()).toBe(alice);
  });

  test("answers one after the other while answers take time", async () => {
    const held = heldRegistry();
    await using directory = await testDirectory({ registry: held.registry });
    using client = await directory.connect();
    client.send("alice\nbob\n");
    await eventually(() => held.waiting.length > 0);
    client.send("carol\n");
    expect(held.waiting).toEqual(["alice"]);
    held.answer({ kind: "listed", address: { host: "a.example.org", port: 1 } });
    expect(await client.read()).toBe("a.example.org:1\r\n@");
    await eventually(() => held.waiting.length > 0);
    expect(held.waiting).toEqual(["bob"]);
    held.answer({ kind: "absent" });
    expect(await client.read()).toBe(unknown);
    await eventually(() => held.waiting.length > 0);
    held.answer({ kind: "parked" });
    expect(await client.read()).toBe(unknown);
  });

  test("gives no answer when nobody can say, but those before it", async () => {
    const held = heldRegistry();
    await using directory = await testDirectory({ registry: held.registry });
    using client = await directory.connect();
    client.send("alice\nbob\ncarol\n");
    for (const found of [{ kind: "absent" }, { kind: "unsure" }] as const) {
      await eventually(() => held.waiting.length > 0);
      held.answer(found);
    }
    expect(await client.read()).toBe(unknown);
    expect(await client.read()).toBeUndefined();
    expect(await client.closed).toBeUndefined();
    expect(held.waiting).toEqual([]);
    expect(directory.tally.endedConversations["no-answer"]).toBe(1);
  });

  test("answers a client that has closed its side already", async () => {
    const held = heldRegistry();
    await using directory = await testDirectory({ registry: held.registry });
    using client = await directory.connect();
    client.socket.end("alice\n");
    await eventually(() => held.waiting.length > 0);
    held.answer({ kind: "listed", address: { host: "a.example.org", port: 1 } });
    expect(await client.read()).toBe("a.example.org:1\r\n@");
    expect(await client.closed).toBeUndefined();
  });

  test("survives a client that goes while its answer is found", async () => {
    const held = heldRegistry();
    await using directory = await testDirectory({ registry: held.registry });
    using client = await directory.connect();
    client.send("alice\nbob\n");
    await eventually(() => held.waiting.length > 0);
    client.socket.destroy();
    held.answer({ kind: "absent" });
    await eventually(() => {
      held.answer({ kind: "absent" });
      return directory.tally.openConnections === 0;
    });
  });
});

describe("a conversation ends without an answer", () => {
  test.each([
    ["@exit without newline", Buffer.from("@exit"), "exit"],
    ["@exit", Buffer.from("@exit\r\n"), "exit"],
    ["256 characters without newline", Buffer.from("a".repeat(256)), "too-long"],
    ["a megabyte without newline", Buffer.alloc(1_000_000, "a"), "too-long"],
    ["invalid UTF-8", Buffer.from([0xff, 0xfe, 0x0a]), "not-utf8"],
  ] as const)("after %s", async (_name, bytes, reason) => {
    await using directory = await testDirectory();
    using client = await directory.connect();
    client.send(bytes);
    expect(await client.read()).toBeUndefined();
    expect(directory.tally.endedConversations[reason]).toBe(1);
    await eventually(() => directory.tally.openConnections === 0);
  });

  test("after half a line, when the client closes", async () => {
    await using directory = await testDirectory();
    using client = await directory.connect();
    client.socket.end("alic");
    expect(await client.read()).toBeUndefined();
    await eventually(() => directory.tally.openConnections === 0);
  });

  test("but with the answers to the lines before", async () => {
    await using directory = await testDirectory();
    using client = await directory.connect();
    client.send("alice\nnobody\n@exit\nalice\n");
    expect([await client.read(), await client.read(), await client.read()]).toEqual([alice, unknown, undefined]);
  });

  test("when nothing was said for a while; what is said counts anew", async () => {
    await using directory = await testDirectory({ idleTimeoutMs: 300 });
    using client = await directory.connect();
    for (let i = 0; i < 4; i += 1) {
      await new Promise((resolve) => setTimeout(resolve, 150));
      expect(await client.ask("alice")).toBe(alice);
    }
    expect(await client.read()).toBeUndefined();
    expect(directory.tally.endedConversations.idle).toBe(1);
  });
});

describe("unknown names", () => {
  test("are limited by address, known ones never", async () => {
    const unknownNames = { burst: 2, perSecond: 1, maxDelayMs: 0 };
    await using directory = await testDirectory({ unknownNames });
    using other = await directory.connect();
    let refused = 0;
    for (let i = 0; i < 3; i += 1) {
      using client = await directory.connect();
      client.send("x\ny\nz\n");
      const answers = [await client.read(), await client.read(), await client.read()];
      refused += answers.filter((answer) => answer === undefined).length;
      expect(answers.filter((answer) => answer !== undefined && answer !== unknown)).toEqual([]);
      const askedAtMs = performance.now();
      expect(await other.ask("alice")).toBe(alice);
      expect(await other.ask("")).toBe(unknown);
      expect(performance.now() - askedAtMs).toBeLessThan(100);
    }
    expect(refused).toBeGreaterThan(0);
    expect(directory.tally.endedConversations["too-many-unknown"]).toBeGreaterThan(0);
  });

  test("wait for their turn on a connection", async () => {
    await using directory = await testDirectory({ unknownNames: { burst: 1, perSecond: 5, maxDelayMs: 1_000 } });
    using client = await directory.connect();
    expect(await client.ask("x")).toBe(unknown);
    const askedAtMs = performance.now();
    expect(await client.ask("y")).toBe(unknown);
    expect(performance.now() - askedAtMs).toBeGreaterThan(150);
  });
});

describe("connections", () => {
  test("are limited from one address, and in all", async () => {
    for (const [limits, limit] of [
      [{ total: 100, perAddress: 2 }, "address"],
      [{ total: 2, perAddress: 100 }, "total"],
    ] as const) {
      await using directory = await testDirectory({ connections: limits });
      using first = await directory.connect();
      using second = await directory.connect();
      await expect(directory.connect()).rejects.toThrow();
      expect(directory.tally.refusedConnections[limit]).toBe(1);
      expect(await second.ask("alice")).toBe(alice);
      first.send("@exit");
      await first.closed;
      await eventually(() => directory.tally.openConnections === 1);
      using third = await directory.connect();
      expect(await third.ask("alice")).toBe(alice);
    }
  });

  test("that speak no TLS are closed", async () => {
    await using directory = await testDirectory();
    for (const text of ["GET / HTTP/1.1\r\nHost: x\r\n\r\n", "alice\n", "\x16\x03\x01\xff\xff\x00"]) {
      const socket = connectTcp(directory.port, "127.0.0.1");
      const closed = closing(socket.resume());
      socket.end(text);
      await closed;
    }
    await eventually(() => directory.tally.openConnections === 0);
    using client = await directory.connect();
    expect(await client.ask("alice")).toBe(alice);
  });

  test("that do not finish their handshake are cut", async () => {
    await using directory = await testDirectory({ handshakeTimeoutMs: 200 });
    const silent = connectTcp(directory.port, "127.0.0.1").resume();
    const trickling = connectTcp(directory.port, "127.0.0.1").resume();
    const hello = Buffer.from("16030100c8010000c40303", "hex");
    let sent = 0;
    const drip = setInterval(() => {
      trickling.write(hello.subarray(sent, sent + 1));
      sent += 1;
    }, 50);
    await Promise.all([closing(silent), closing(trickling)]);
    clearInterval(drip);
    await eventually(() => directory.tally.openConnections === 0);
    expect(directory.tally.failedHandshakes).toBe(2);
  });

  test("speak TLS 1.2 and 1.3, and get a new certificate without losing the old", async () => {
    await using directory = await testDirectory();
    using old = await directory.connect();
    const { fingerprint256 } = old.socket.getPeerCertificate();
    directory.tls.renew();
    directory.checkTlsFiles();
    for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
      const { port, tls } = directory;
      using client = await TestClient.connect({ port, ca: tls.ca, minVersion: version, maxVersion: version });
      expect(client.socket.getPeerCertificate().fingerprint256).not.toBe(fingerprint256);
      expect(await client.read()).toBe("@");
      expect(await client.ask("alice")).toBe(alice);
    }
    expect(await old.ask("alice")).toBe(alice);
  });
});

describe("draining", () => {
  test("gives the answers that are being found, and tells newcomers", async () => {
    const held = heldRegistry();
    await using directory = await testDirectory({ registry: held.registry });
    using idle = await directory.connect();
    using asking = await directory.connect();
    asking.send("alice\nbob\n");
    await eventually(() => held.waiting.length > 0);
    const drained = directory.server[Symbol.asyncDispose]();
    expect(await idle.read()).toBeUndefined();
    using newcomer = await TestClient.connect({ port: directory.port, ca: directory.tls.ca });
    expect(await newcomer.read()).toBe(stopping);
    expect(await newcomer.read()).toBeUndefined();
    for (const name of ["alice", "bob"]) {
      await eventually(() => held.waiting.length > 0);
      expect(held.waiting).toEqual([name]);
      held.answer({ kind: "listed", address: { host: `${name}.example.org`, port: 1 } });
      expect(await asking.read()).toBe(`${name}.example.org:1\r\n@`);
    }
    expect(await asking.read()).toBeUndefined();
    await drained;
    await expect(directory.connect()).rejects.toThrow("ECONNREFUSED");
  });

  test("ends at its deadline", async () => {
    const held = heldRegistry();
    await using directory = await testDirectory({ registry: held.registry, drainMs: 100 });
    using client = await directory.connect();
    client.send("alice\n");
    await eventually(() => held.waiting.length > 0);
    await directory.server[Symbol.asyncDispose]();
    expect(await client.read()).toBeUndefined();
  });
});

test("a client that does not read is not read from", async () => {
  const [near, far] = duplexPair();
  const tally = newTally();
  const registry = memoryRegistry({ cells: [] });
  const unknownNames = new UnknownNames({ burst: 1, perSecond: 1, maxDelayMs: 0, maxAddresses: 1 });
  const lookups = new Lookups({ registry, upstream: undefined, tally });
  new Conversation(near, { lookups, unknownNames, tally, address: "a" });
  const chunk = Buffer.from("\n".repeat(16_384));
  let accepted = 0;
  while (far.write(chunk) && accepted < 1_000) accepted += 1;
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(accepted).toBeLessThan(100);
  expect(near.writableLength).toBeLessThan(300_000);

  // Once it reads, it gets an answer for each line.
  let received = 0;
  far.on("data", (answers: Buffer) => {
    received += answers.length;
  });
  const expected = 1 + (accepted + 1) * chunk.length * unknown.length;
  await eventually(() => received === expected);
});

/** However it ends: a reset is an end too. */
function closing(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.on("error", () => socket.destroy());
    socket.once("close", () => resolve());
  });
}
