import { connect, type SecureVersion } from "node:tls";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { type Pair, testCa } from "../../../test/kit/certificates.ts";
import { TlsService } from "../../../test/kit/tls-service.ts";
import { serverMetadata } from "../records.ts";
import { TestNetwork } from "../testing/network.ts";

let network: TestNetwork;

beforeEach(async () => {
  network = await TestNetwork.open();
});
afterEach(async () => {
  await network[Symbol.asyncDispose]();
});

const deadlines = { dialMs: 500, stepMs: 300, answerMs: 300 };

async function aliceAndBob(options: Parameters<TestNetwork["join"]>[1] = {}) {
  const alice = await network.join("@alice", options);
  const bob = await network.join("@bob", options);
  return { alice, bob, asAlice: await alice.owner(), asBob: await bob.owner() };
}

describe("what bob shares with alice", () => {
  test("is read by her lookup, and by nobody else's", async () => {
    const { asAlice, asBob } = await aliceAndBob();
    const carl = await (await network.join("@carl")).owner();
    await asBob.ask("update:@alice:x.demo@bob shared");
    await asBob.ask("update:public:x.demo@bob public");
    expect(await asAlice.ask("lookup:x.demo@bob")).toBe("data:shared\n@alice@");
    expect(await asAlice.ask("plookup:x.demo@bob")).toBe("data:public\n@alice@");
    const all = await asAlice.ask("lookup:all:x.demo@bob");
    expect(all).toMatch(/^data:\{"key":"@alice:x\.demo@bob","data":"shared","metaData":\{"createdBy":"@bob",/);
    // A peer is never shown the public record in place of the one that is not for it.
    expect(await carl.ask("lookup:x.demo@bob")).toBe(
      "error:AT0015-key not found : Exception: @carl:x.demo@bob does not exist in keystore\n@carl@",
    );
  });

  test("is listed by her scan", async () => {
    const { asAlice, asBob } = await aliceAndBob();
    for (const key of ["@alice:a.demo@bob", "@alice:b.test@bob", "@carl:c.demo@bob", "public:d.demo@bob"]) {
      await asBob.ask(`update:${key} v`);
    }
    expect(await asAlice.ask("scan:@bob")).toBe('data:["a.demo@bob","b.test@bob"]\n@alice@');
    expect(await asAlice.ask("scan:@bob \\.demo@")).toBe('data:["a.demo@bob"]\n@alice@');
    // Its connection to us ends with that; ours to our client does not.
    expect(await asAlice.ask("scan:@bob (")).toMatch("error:AT0011-Internal server exception : Exception: Format");
    expect(await asAlice.ask("noop:0")).toBe("data:ok\n@alice@");
  });

  test("is answered from a copy while he allows it, which goes when the original is gone", async () => {
    const { alice, bob, asAlice, asBob } = await aliceAndBob();
    const write = (value: string | undefined) =>
      bob.store.write((tx) => {
        const metadata = { ...serverMetadata("@bob", bob.clock.nowMs), ttr: 10 };
        return value === undefined
          ? tx.delete("@alice:x.demo@bob", "-")
          : tx.put({ key: "@alice:x.demo@bob", value, metadata }, "*");
      });
    await write("one");
    expect(await asAlice.ask("lookup:x.demo@bob")).toBe("data:one\n@alice@");
    await write("two");
    expect(await asAlice.ask("lookup:x.demo@bob")).toBe("data:one\n@alice@");
    expect(await asAlice.ask("lookup:bypassCache:true:x.demo@bob")).toBe("data:two\n@alice@");
    await write("three");
    alice.clock.advance(10_001);
    expect(await asAlice.ask("lookup:x.demo@bob")).toBe("data:three\n@alice@");
    expect(alice.store.get("cached:@alice:x.demo@bob")?.metadata.refreshAt).toBe(alice.clock.nowMs + 10_000);
    await write(undefined);
    expect(await asAlice.ask("lookup:bypassCache:true:x.demo@bob")).toMatch("error:AT0015-key not found : Exception: ");
    expect(alice.store.get("cached:@alice:x.demo@bob")).toBeUndefined();
    expect(await asBob.ask("stats:5")).toMatch('{\\"@alice\\":1}');
  });

  test("may be as large as a value can be", async () => {
    const { alice, asAlice, bob } = await aliceAndBob();
    const value = "v".repeat(10_000_000);
    const metadata = serverMetadata("@bob", 0);
    await bob.store.write((tx) => tx.put({ key: "@alice:x.demo@bob", value, metadata }, "*"));
    asAlice.send("lookup:x.demo@bob\n");
    expect((await asAlice.readReply()) === `data:${value}\n@alice@`).toBe(true);
    await new Promise((resolve) => setImmediate(resolve));
    expect(alice.parts.inputBudget.takenBytes).toBe(0);
  });

  test("is told to her, however large it is", async () => {
    const { alice, bob } = await aliceAndBob();
    const value = "v".repeat(10_000_000);
    expect(await bob.peers.askAs("@alice", `notify:id:large:update:@alice:x.demo@bob:${value}`)).toBe("success");
    expect(alice.store.notifications.byId("large")?.value === value).toBe(true);
  });

  test("is asked for over one proven connection, and public data over another", async () => {
    const { alice, asAlice, asBob } = await aliceAndBob();
    await asBob.ask("update:public:p.demo@bob v");
    for (let i = 0; i < 3; i++) {
      await asAlice.ask("lookup:x.demo@bob");
      await asAlice.ask("plookup:p.demo@bob");
    }
    expect(alice.pool.size).toBe(2);
  });
});

describe("a key of bob's that changed", () => {
  test("is noticed by the next proven connection: what was shared with the old one is put aside, all of it committed", async () => {
    const { alice, asAlice, asBob, bob } = await aliceAndBob();
    await asBob.ask("update:public:publickey@bob OLD");
    await asAlice.ask("update:shared_key.bob@alice K");
    await asAlice.ask("scan:@bob");
    expect(alice.store.get("cached:public:publickey@bob")).toMatchObject({ value: "OLD", metadata: { ttr: -1 } });
    await asBob.ask("update:public:publickey@bob NEW");
    // On the connection that is kept nobody looks.
    await asAlice.ask("scan:@bob");
    expect(alice.store.get("cached:public:publickey@bob")?.value).toBe("OLD");
    const before = alice.store.lastCommitId;
    await alice.pool[Symbol.asyncDispose]();
    await asAlice.ask("scan:@bob");
    const { nowMs } = alice.clock;
    expect(alice.store.get("cached:public:publickey@bob")?.value).toBe("NEW");
    expect(alice.store.get("shared_key.bob@alice")).toBeUndefined();
    expect(alice.store.get(`shared_key.bob.until.${nowMs}@alice`)?.value).toBe("K");
    const changes = alice.store.changes({ after: before, limit: 10 });
    expect(changes.map(({ key, operation }) => [key, operation])).toEqual([
      [`shared_key.bob.until.${nowMs}@alice`, "*"],
      ["shared_key.bob@alice", "-"],
      ["cached:public:publickey@bob", "*"],
    ]);
    expect(bob.store.get("public:publickey@bob")?.value).toBe("NEW");
  });
});

describe("from and pol", () => {
  test("refuse whom the directory does not know, and who shows a certificate of another", async () => {
    const { bob } = await aliceAndBob();
    await using client = await dialled(bob, network.pairOf("@alice"));
    expect(await client.ask("from:@nobody")).toBe("error:AT0007-Exception: @nobody is not in the directory\n@");
    await network.join("@carl");
    expect(await client.ask("from:@carl")).toBe("error:AT0401-Exception: Certificate Verification Failed\n@");
    expect(await client.ask("from:@alice")).toMatch(/^data:proof:_[\w-]+@alice:[\w-]+\n@$/);
  });

  test.each(["TLSv1.2", "TLSv1.3"] as const)("believe a certificate that was shown in %s", async (version) => {
    const { bob } = await aliceAndBob();
    await using client = await dialled(bob, network.pairOf("@alice"), version);
    expect(await client.ask("from:@alice")).toMatch("data:proof:");
  });

  test.each([
    ["of an unknown authority", (host: string) => testCa().issue({ dns: [host], client: true })],
    ["that has expired", (host: string) => network.ca.issue({ dns: [host], client: true, until: new Date(0) })],
    ["that is for servers only", (host: string) => network.ca.issue({ dns: [host] })],
    ["of a longer name", (host: string) => network.ca.issue({ dns: [`x.${host}`, `${host}.test`], client: true })],
    ["with a wild card", (host: string) => network.ca.issue({ dns: [host.replace("alice", "*")], client: true })],
  ])("refuse a certificate %s", async (_what, issue) => {
    const { alice, bob } = await aliceAndBob();
    await using client = await dialled(bob, issue(alice.host));
    expect(await client.ask("from:@alice")).toBe("error:AT0401-Exception: Certificate Verification Failed\n@");
  });

  test("know a caller that has moved to another host since the directory was asked", async () => {
    const { bob, asBob } = await aliceAndBob();
    await asBob.ask("lookup:x.demo@alice");
    network.rename("@alice", "moved");
    await using client = await dialled(bob, network.pairOf("@alice"));
    expect(await client.ask("from:@alice")).toMatch("data:proof:");
  });

  test("show the challenge to who asks for it, until it is used", async () => {
    const { bob } = await aliceAndBob();
    await using client = await dialled(bob, network.pairOf("@alice"));
    const [, , session, challenge] = (await client.ask("from:@alice")).trim().split(/[:\n]/);
    const anybody = await bob.anonymous();
    expect(await anybody.ask(`lookup:${session}`)).toBe(`data:${challenge}\n@`);
    await client.ask("pol");
    expect(await anybody.ask(`lookup:${session}`)).toMatch("error:AT0015-");
  });

  test("refuse a proof that nobody shows, once and for all", async () => {
    const { bob } = await aliceAndBob();
    await using client = await dialled(bob, network.pairOf("@alice"));
    await client.ask("from:@alice");
    expect(await client.ask("pol")).toBe("error:AT0401-Exception: Pol Authentication Failed\n@");
    expect(await client.ask("pol")).toBe("error:AT0401-Exception: Pol Authentication Failed\n@");
    expect(await client.ask("lookup:x.demo@bob")).toMatch("error:AT0015-Exception: public:x.demo@bob");
  });

  test("refuse a challenge that is older than a minute", async () => {
    const { alice, bob } = await aliceAndBob();
    await using client = await dialled(bob, network.pairOf("@alice"));
    const reply = await client.ask("from:@alice");
    const [, , session = "", challenge = ""] = reply.trim().split(/[:\n]/);
    const { sign } = await import("node:crypto");
    const key = Buffer.from(alice.store.get("@alice:signing_privatekey@alice")?.value ?? "", "base64");
    const signature = sign("sha256", Buffer.from(challenge), { key, format: "der", type: "pkcs8" });
    alice.proofs.publish(session, signature.toString("base64"));
    bob.clock.advance(60_000);
    expect(await client.ask("pol")).toBe("error:AT0401-Exception: Pol Authentication Failed\n@");
    const again = (await client.ask("from:@alice")).trim().split(/[:\n]/)[3] ?? "";
    const fresh = sign("sha256", Buffer.from(again), { key, format: "der", type: "pkcs8" });
    alice.proofs.publish(session, fresh.toString("base64"));
    expect(await client.ask("pol")).toBe("@alice@");
    expect(await client.ask("noop:0")).toBe("data:ok\n@alice@");
  });

  test("refuse whom the owner has blocked", async () => {
    const { asAlice, asBob } = await aliceAndBob();
    await asBob.ask("config:block:add:@alice");
    expect(await asAlice.ask("lookup:x.demo@bob")).toMatch(
      "error:AT0008-Handshake failure : @bob did not accept this atServer: Unable to connect",
    );
  });
});

describe("an atServer that is not there, hangs or lies", () => {
  const lying = async (answer: (line: string) => string) => {
    const service = await TlsService.listen(network.pairOf("@liar"), answer);
    network.list("@liar", service.port);
    return service;
  };

  test("is not in the directory, or does not listen", async () => {
    const { asAlice } = await aliceAndBob();
    expect(await asAlice.ask("lookup:x.demo@nobody")).toMatch("error:AT0007-Secondary server not found : @nobody");
    using gone = await lying(() => "");
    gone[Symbol.dispose]();
    expect(await asAlice.ask("lookup:x.demo@liar")).toMatch("error:AT0021-Unable to connect to secondary : liar.");
    expect(await asAlice.ask("plookup:x.demo@liar")).toMatch("error:AT0021-");
  });

  test("has the certificate of another, or of an authority that nobody knows", async () => {
    const { asAlice } = await aliceAndBob();
    using service = await TlsService.listen(network.pairOf("@bob"), () => "data:v");
    network.list("@liar", service.port);
    expect(await asAlice.ask("plookup:x.demo@liar")).toMatch(/^error:AT0021-.*certificate is not for liar\./);
  });

  const challengeOf = (text: string) => (line: string) => (line.startsWith("from:") ? text : "data:null");

  test.each([
    ["gives no challenge", challengeOf("data:success"), "AT0008"],
    ["gives a challenge for another atSign", challengeOf("data:proof:_x@carl:c"), "AT0008"],
    ["gives a challenge without end", challengeOf(`data:proof:_x@alice:${"c".repeat(2_000)}`), "AT0008"],
    ["gives a session of ours to overwrite", challengeOf("data:proof:publickey@alice:c"), "AT0008"],
    ["answers pol by a line", (line: string) => (line === "pol" ? "data:success" : "data:proof:_x@alice:c"), "AT0008"],
    ["answers what is no reply", () => "hello", "AT0004"],
    ["answers with nothing", () => "", "AT0004"],
    ["answers more than one line", () => "data:1\n@data:2", "AT0008"],
    ["says that it has no room", () => "error:AT0012-Inbound connection limit exceeded", "AT0021"],
  ])("%s", async (_what, answer, code) => {
    const { asAlice } = await aliceAndBob();
    using _service = await lying(answer);
    expect(await asAlice.ask("lookup:x.demo@liar")).toMatch(`error:${code}-`);
    expect(await asAlice.ask("noop:0")).toBe("data:ok\n@alice@");
  });

  test.each([
    ["is no text", Buffer.from([0x64, 0x61, 0x74, 0x61, 0x3a, 0xff]).toString("latin1"), "AT0004"],
    ["is longer than may be", `data:${"v".repeat(10_240_000)}`, "AT0005"],
    ["is no record", "data:v", "AT0004"],
    ["is a record with a newline in its value", 'data:{"data":"a\\nb","metaData":{}}', "AT0004"],
  ])("answers a lookup by what %s", async (_what, reply, code) => {
    const { asAlice } = await aliceAndBob();
    using _service = await lying(() => reply);
    expect(await asAlice.ask("plookup:x.demo@liar")).toMatch(`error:${code}-`);
    expect(await asAlice.ask("noop:0")).toBe("data:ok\n@alice@");
  });

  test("keeps those waiting who ask it, each for its deadline, and nobody else", async () => {
    const { alice, asBob } = await aliceAndBob({ deadlines });
    await asBob.ask("update:@alice:x.demo@bob v");
    const { createServer } = await import("node:net");
    const silent = createServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const address = silent.address();
    network.list("@liar", typeof address === "object" ? (address?.port ?? 0) : 0);
    const hanging = await Promise.all(Array.from({ length: 40 }, () => alice.owner()));
    const replies = hanging.map((client) => client.ask("lookup:x.demo@liar"));
    const began = performance.now();
    const other = await alice.owner();
    expect(await other.ask("lookup:x.demo@bob")).toBe("data:v\n@alice@");
    expect(performance.now() - began).toBeLessThan(deadlines.dialMs);
    for (const reply of await Promise.all(replies)) expect(reply).toMatch(/^error:AT00(?:23|06)-/);
    silent.close();
    for (const socket of hanging) socket.socket.destroy();
  });
});

/** A connection of another atServer. */
async function dialled(
  { address, host }: { address: { host: string; port: number }; host: string },
  { certificate: cert, key }: Pair,
  version: SecureVersion = "TLSv1.3",
) {
  const versions = { minVersion: version, maxVersion: version };
  const socket = connect({ ...address, ...versions, servername: host, ca: network.ca.pem, cert, key });
  socket.setEncoding("utf8");
  const read = () => new Promise<string>((resolve) => socket.once("data", (text) => resolve(String(text))));
  await read();
  return {
    ask(line: string) {
      const reply = read();
      socket.write(`${line}\n`);
      return reply;
    },
    async [Symbol.asyncDispose]() {
      socket.destroy();
    },
  };
}
