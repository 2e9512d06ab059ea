import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { ProtocolError, signPkam } from "@atrium/protocol";
import { one } from "@atrium/runtime/tls-files.vectors.ts";
import { describe, expect, test } from "@jest/globals";
import { testCa } from "../../../test/kit/certificates.ts";
import { sweepStep } from "../expiry.ts";
import { serverMetadata } from "../records.ts";
import { ensureSigningKeys } from "../signing-keys.ts";
import { peerHost, secret, type TestClient, testServer } from "../testing/atserver.ts";

const absent = (key: string) => `error:AT0015-key not found : ${key} does not exist in keystore\n@alice@`;

async function json(client: TestClient, command: string): Promise<unknown> {
  const reply = (await client.ask(command)) ?? "";
  return JSON.parse(reply.replace(/^data:/, "").replace(/\n@\w*@?$/, ""));
}

async function challenge(client: TestClient): Promise<string> {
  return /^data:(\S+)\n/.exec((await client.ask("from:@alice")) ?? "")?.[1] ?? "";
}

const { publicKey, privateKey } = generateKeyPairSync("rsa", {
  modulusLength: 2048,
  publicKeyEncoding: { type: "spki", format: "der" },
  privateKeyEncoding: { type: "pkcs8", format: "der" },
});
const pkamPublicKey = publicKey.toString("base64");
const sign = (text: string) => signPkam(privateKey.toString("base64"), text);

/** As the atServer of another atSign shows it. */
function peerCertificate({ dns = [peerHost], trusted = true } = {}) {
  const certificate = new X509Certificate(testCa().issue({ dns, client: true }).certificate);
  return () => ({ certificate, trusted });
}

describe("login", () => {
  test("by CRAM, then the classic activation on the same connection", async () => {
    const client = await testServer().owner();
    expect(await client.ask(`update:privatekey:at_pkam_publickey ${pkamPublicKey}`)).toBe("data:-1\n@alice@");
    const lastPkam = (value: string) => `data: [{"id":"10","name":"LastPkam","value":"${value}"}]\n@alice@`;
    expect(await client.ask("stats:10")).toBe(lastPkam("Not Available"));
    expect(await client.ask(`pkam:${sign(await challenge(client))}`)).toBe("data:success\n@alice@");
    expect(await client.ask("stats:10")).toBe(lastPkam("2026-01-01 00:00:00.000Z"));
    expect(await client.ask("update:public:publickey@alice K")).toBe("data:0\n@alice@");
    expect(await client.ask("delete:privatekey:at_secret")).toBe("data:-1\n@alice@");
  });

  test("by PKAM in each spelling", async () => {
    const server = testServer();
    await (await server.owner()).ask(`update:privatekey:at_pkam_publickey ${pkamPublicKey}`);
    for (const spelling of ["", "signingAlgo:rsa2048:hashingAlgo:sha256:", "SIGNINGALGO:RSA2048:"]) {
      const client = await server.anonymous();
      expect(await client.ask(`pkam:${spelling}${sign(await challenge(client))}`)).toBe("data:success\n@alice@");
    }
  });

  test("survives other commands between challenge and answer", async () => {
    const server = testServer();
    await (await server.owner()).ask(`update:privatekey:at_pkam_publickey ${pkamPublicKey}`);
    const client = await server.anonymous();
    const text = await challenge(client);
    await client.ask("scan");
    await client.ask("lookup:publickey@alice");
    expect(await client.ask(`pkam:${sign(text)}`)).toBe("data:success\n@alice@");
  });

  test("is refused with a challenge that was used, replaced, or is too old", async () => {
    const server = testServer();
    await (await server.owner()).ask(`update:privatekey:at_pkam_publickey ${pkamPublicKey}`);
    const refused = "error:AT0401-Exception: pkam authentication failed\n@";
    const client = await server.anonymous();
    const used = await challenge(client);
    expect(await client.ask(`pkam:${sign(used)}`)).toBe("data:success\n@alice@");
    expect(await client.ask(`pkam:${sign(used)}`)).toBe(refused);

    const replaced = await challenge(client);
    await challenge(client);
    expect(await client.ask(`pkam:${sign(replaced)}`)).toBe(refused);
    const own = await challenge(client);
    await client.ask("from:@bob");
    expect(await client.ask(`pkam:${sign(own)}`)).toBe(refused);

    const inTime = await challenge(client);
    server.clock.advance(59_999);
    expect(await client.ask(`pkam:${sign(inTime)}`)).toBe("data:success\n@alice@");
    const old = await challenge(client);
    server.clock.advance(60_000);
    expect(await client.ask(`pkam:${sign(old)}`)).toBe(refused);
  });

  test("is refused with a wrong digest or signature, each attempt using up its challenge, and takes away what was granted", async () => {
    const client = await testServer().owner();
    await client.ask(`update:privatekey:at_pkam_publickey ${pkamPublicKey}`);
    const text = await challenge(client);
    expect(await client.ask(`cram:${"0".repeat(128)}`)).toBe("error:AT0401-Exception: Authentication Failed\n@");
    expect(await client.ask(`pkam:${sign(text)}`)).toBe("error:AT0401-Exception: pkam authentication failed\n@");
    await challenge(client);
    expect(await client.ask(`pkam:${sign("something else")}`)).toMatch("error:AT0401");
    expect(await client.ask("llookup:a@alice")).toMatch("error:AT0401");
  });

  test("is refused without a challenge, without a key, and for an enrolment that is not there", async () => {
    const client = await testServer().anonymous();
    expect(await client.ask("pkam:abcd")).toMatch(/^error:AT0015-Exception: private:_[\w-]+@alice does not exist/);
    expect(await client.ask(`cram:${"0".repeat(128)}`)).toMatch("error:AT0015");
    const text = await challenge(client);
    expect(await client.ask(`pkam:${sign(text)}`)).toBe("error:AT0401-Exception: pkam publickey not found\n@");
    expect(await client.ask("pkam:enrollmentId:7c:abcd")).toBe(
      "error:AT0028:enrollment_id: 7c is expired or invalid\n@",
    );
  });

  test("by CRAM ends with the deletion of the secret, whatever the source still says", async () => {
    const server = testServer();
    const client = await server.owner();
    expect(await client.ask("delete:privatekey:at_secret")).toBe("data:-1\n@alice@");
    expect(server.activation.secret).toBeUndefined();
    server.activation.secret = secret;
    await expect(server.owner()).rejects.toThrow("privatekey:at_secret does not exist in keystore");
  });

  test("of another atSign gets a challenge to be proven elsewhere", async () => {
    const client = await testServer().anonymous({ shownCertificate: peerCertificate() });
    expect(await client.ask("from:bob")).toMatch(/^data:proof:_[0-9a-f-]{36}@bob:[0-9a-f-]{36}\n@$/);
    expect(await challenge(client)).toMatch(/^_[0-9a-f-]{36}@alice:[0-9a-f-]{36}$/);
  });

  test.each([
    ["shows none", undefined],
    ["shows one of another host", peerCertificate({ dns: ["other.example.org"] })],
    ["shows one with a wild card", peerCertificate({ dns: ["*.example.org"] })],
    ["shows one that nobody trusted signed", peerCertificate({ trusted: false })],
  ])("of another atSign needs its certificate, and is refused when it %s", async (_what, shownCertificate) => {
    const client = await testServer().anonymous(shownCertificate && { shownCertificate });
    expect(await client.ask("from:@bob")).toBe("error:AT0401-Exception: Certificate Verification Failed\n@");
    expect(await client.ask("pol")).toMatch("error:AT0011-Exception: You must execute a 'from:' command before");
    expect(await client.readAll()).toBe("");
  });

  test("of what is no atSign closes", async () => {
    const client = await testServer().anonymous();
    client.send("from:a!b\n");
    expect(await client.readAll()).toMatch("error:AT0011-Exception: invalid @sign");
  });
});

describe("records", () => {
  test("get ascending commit ids behind the server's own, and names that are not committed get -1", async () => {
    const server = testServer();
    await ensureSigningKeys(server.store, "@alice", Date.now);
    await ensureSigningKeys(server.store, "@alice", Date.now);
    const client = await server.owner();
    expect(await client.ask("update:a.b@alice v")).toBe("data:2\n@alice@");
    expect(await client.ask("update:public:_hidden@alice v")).toBe("data:-1\n@alice@");
    expect(await client.ask("update:meta:a.b@alice:ttl:0")).toBe("data:3\n@alice@");
    expect(await client.ask("delete:a.b@alice")).toBe("data:4\n@alice@");
    expect(await client.ask("delete:a.b@alice")).toBe("data:5\n@alice@");
    expect(await client.ask("delete:privatekey:at_pkam_publickey")).toMatch("error:AT0009");
    expect(
      server.store.changes({ after: -1, limit: 10 }).map(({ commitId, operation }) => [commitId, operation]),
    ).toEqual([
      [0, "+"],
      [1, "+"],
      [5, "-"],
    ]);
  });

  test("come back with value, metadata, or all of it", async () => {
    const client = await testServer().owner();
    await client.ask("update:ttl:60000:isEncrypted:TRUE:ivNonce:YWJj+/==:@bob:Phone.Wavi@alice +1 555: 0100");
    expect(await client.ask("llookup:@bob:phone.wavi@alice")).toBe("data:+1 555: 0100\n@alice@");
    const metaData = {
      createdBy: "@alice",
      updatedBy: "@alice",
      createdAt: "2026-01-01 00:00:00.000Z",
      updatedAt: "2026-01-01 00:00:00.000Z",
      expiresAt: "2026-01-01 00:01:00.000Z",
      status: "active",
      version: 0,
      ttl: 60_000,
      isBinary: false,
      isEncrypted: true,
      ivNonce: "YWJj+/==",
    };
    expect(await json(client, "llookup:meta:@bob:phone.wavi@alice")).toEqual(metaData);
    expect(await json(client, "llookup:all:@bob:phone.wavi@alice")).toEqual({
      key: "@bob:phone.wavi@alice",
      data: "+1 555: 0100",
      metaData,
    });
  });

  test("keep their value when only metadata is written, and exist without one", async () => {
    const client = await testServer().owner();
    await client.ask("update:a.b@alice v");
    await client.ask("update:meta:a.b@alice:ttr:10:ccd:true");
    expect(await json(client, "llookup:all:a.b@alice")).toMatchObject({ data: "v", metaData: { ttr: 10, version: 1 } });
    await client.ask("update:meta:c.b@alice:isEncrypted:true");
    expect(await client.ask("llookup:c.b@alice")).toBe("data:null\n@alice@");
  });

  test("are there from the millisecond of their birth to the one before their end", async () => {
    const { clock, ...server } = testServer();
    const client = await server.owner();
    await client.ask("update:ttl:1000:ttb:500:a.b@alice v");
    const born = clock.nowMs + 500;
    for (const [nowMs, there] of [
      [born - 1, false],
      [born, true],
      [born + 999, true],
      [born + 1000, false],
    ] as const) {
      clock.nowMs = nowMs;
      expect(await client.ask("llookup:a.b@alice")).toBe(there ? "data:v\n@alice@" : absent("a.b@alice"));
      expect(await client.ask("scan")).toBe(there ? 'data:["a.b@alice"]\n@alice@' : "data:[]\n@alice@");
    }
    await client.ask("update:a.b@alice again");
    expect(await json(client, "llookup:meta:a.b@alice")).toMatchObject({ version: 0 });
  });

  test("that have expired are removed with an entry in the log, others stay", async () => {
    const server = testServer();
    const client = await server.owner();
    for (let i = 0; i < 130; i++) await client.ask(`update:ttl:1000:a${i}.b@alice v`);
    await client.ask("update:ttl:1001:late.b@alice v");
    await client.ask("update:stays.b@alice v");
    server.clock.advance(1000);
    expect(await sweepStep(server.store, server.clock.nowMs)).toBe(100);
    expect(await sweepStep(server.store, server.clock.nowMs)).toBe(30);
    expect(await sweepStep(server.store, server.clock.nowMs)).toBe(0);
    expect(server.store.get("a0.b@alice")).toBeUndefined();
    expect(server.store.get("late.b@alice")).toBeDefined();
    expect(server.store.changes({ after: -1, limit: 500 }).filter(({ operation }) => operation === "-")).toHaveLength(
      130,
    );
  });

  test("that are copies may be deleted, whatever their owner says of the original", async () => {
    const server = testServer();
    const client = await server.owner();
    const metadata = { ...serverMetadata("@bob", 0), immutable: true };
    await server.store.write((tx) => tx.put({ key: "cached:@alice:a.b@bob", value: "v", metadata }, "*"));
    expect(await client.ask("delete:cached:@alice:a.b@bob")).toBe("data:1\n@alice@");
    expect(server.store.get("cached:@alice:a.b@bob")).toBeUndefined();
  });

  test("that are immutable are neither written nor, but by force, deleted", async () => {
    const server = testServer();
    const client = await server.owner();
    await client.ask("update:ttl:1000:immutable:true:a.b@alice v");
    expect(await client.ask("update:a.b@alice w")).toMatch("error:AT0032");
    expect(await client.ask("update:meta:a.b@alice:ttl:5")).toMatch("error:AT0032");
    expect(await client.ask("delete:a.b@alice")).toMatch("error:AT0032");
    expect(await client.ask("delete:force:a.b@alice")).toBe("data:1\n@alice@");
    await client.ask("update:ttl:1000:immutable:true:a.b@alice v");
    server.clock.advance(1000);
    expect(await client.ask("update:a.b@alice w")).toBe("data:3\n@alice@");
  });

  test.each([
    ["update:a b", /^error:AT0016-/],
    ["update:@bob:a b", /^error:AT0016-/],
    ["update:a.b@bob v", /^error:AT0016-Invalid key : .*sharedBy atsign @bob should be same as current atsign @alice/],
    ["update:@bob:a.b@bob v", /^error:AT0016-/],
    ["update:private:a@alice v", /^error:AT0016-.*KeyType.privateKey/],
    ["update:cached:public:a@alice v", /^error:AT0016-.*KeyType.cachedPublicKey/],
    ["update:local:a@alice v", /^error:AT0016-.*KeyType.localKey/],
    [`update:${"a".repeat(243)}@alice v`, /^error:AT0016-.*key length 249 is greater than max allowed 248 chars/],
    ["update:public:@bob:a@alice v", /^error:AT0003-/],
    ["update:a.b@alice", /^error:AT0003-/],
    ["update:ttl:-1:a.b@alice v", /^error:AT0003-/],
    ["update:ttr:-2:a.b@alice v", /^error:AT0003-/],
    ["update:ttl:x:a.b@alice v", /^error:AT0003-/],
    ["update:isBinary:yes:a.b@alice v", /^error:AT0003-/],
    ["update:meta:a.b@alice:ttl:x", /^error:AT0003-/],
    ["update:json:{", /^error:AT0003-/],
    ['update:json:{"atKey":"a.b","value":"v","metadata":{"ttl":"soon"}}', /^error:AT0003-/],
    ["delete:public:publickey@alice", /^error:AT0009-.*Cannot delete protected key: 'public:publickey@alice'/],
    ["delete:@alice:signing_privatekey@alice", /^error:AT0009-/],
    ["delete:a.b@bob", /^error:AT0016-/],
    ["llookup:a", /^error:AT0003-/],
    ["llookup:a::b@alice", /^error:AT0003-/],
    ["noop:5001", /^error:AT0022-.*maximum is 5000/],
    ["stats:99", /^error:AT0003-/],
    ["scan [", /^error:AT0003-|^error:AT0011-/],
  ])("%s is refused", async (command, reply) => {
    const server = testServer();
    const client = await server.owner();
    expect(await client.ask(command)).toMatch(reply);
    expect(server.store.lastCommitId).toBe(-1);
  });

  test("are written by update:json as by update", async () => {
    const client = await testServer().owner();
    const body = { atKey: "a.b", value: "v w", sharedBy: "@alice", sharedWith: "@bob", metadata: { ttl: 5000 } };
    expect(await client.ask(`update:json:${JSON.stringify(body)}`)).toBe("data:0\n@alice@");
    expect(await json(client, "llookup:all:@bob:a.b@alice")).toMatchObject({ data: "v w", metaData: { ttl: 5000 } });
  });
});

describe("lookup", () => {
  async function filled() {
    const server = testServer();
    const owner = await server.owner();
    for (const command of [
      "update:public:nick.demo@alice Al",
      "update:@alice:mine.demo@alice M",
      "update:self.demo@alice S",
      "update:@bob:shared.demo@alice B",
      "update:public:_secret.demo@alice hidden",
      "update:public:ref.demo@alice atsign://nick.demo@alice",
      "update:public:loop.demo@alice atsign://loop.demo@alice",
      "update:public:dead.demo@alice atsign://none.demo@alice",
    ]) {
      await owner.ask(command);
    }
    return { server, owner, anonymous: await server.anonymous() };
  }

  test("shows anybody what is public", async () => {
    const { anonymous } = await filled();
    expect(await anonymous.ask("lookup:nick.demo@alice")).toBe("data:Al\n@");
    expect(await json(anonymous, "lookup:all:nick.demo@alice")).toMatchObject({
      key: "public:nick.demo@alice",
      data: "Al",
    });
    for (const name of ["mine", "self", "shared", "none"]) {
      expect(await anonymous.ask(`lookup:${name}.demo@alice`)).toBe(
        `error:AT0015-Exception: public:${name}.demo@alice does not exist in keystore\n@`,
      );
    }
    expect(await anonymous.ask("lookup:nick.demo@bob")).toMatch("error:AT0015-Exception: public:nick.demo@bob");
  });

  test("shows the owner what is for the owner", async () => {
    const { owner } = await filled();
    expect(await owner.ask("lookup:mine.demo@alice")).toBe("data:M\n@alice@");
    expect(await owner.ask("lookup:self.demo@alice")).toBe(absent("@alice:self.demo@alice"));
    expect(await owner.ask("lookup:x.demo@bob")).toMatch("error:AT0008-Handshake failure : ");
  });

  test("follows references, but not for ever", async () => {
    const { anonymous } = await filled();
    expect(await anonymous.ask("lookup:ref.demo@alice")).toBe("data:Al\n@");
    expect(await anonymous.ask("lookup:loop.demo@alice")).toBe("data:null\n@");
    expect(await anonymous.ask("lookup:dead.demo@alice")).toBe("data:null\n@");
  });

  test("serves the owner from what others let us keep, while they do", async () => {
    const { server, owner } = await filled();
    const nowMs = server.clock.nowMs;
    const metadata = {
      createdBy: "@bob",
      updatedBy: "@bob",
      createdAt: nowMs,
      updatedAt: nowMs,
      status: "active",
      version: 0,
      ttr: 10,
      refreshAt: nowMs + 10_000,
    } as const;
    await server.store.write((tx) => tx.put({ key: "cached:@alice:x.demo@bob", value: "kept", metadata }, "*"));
    expect(await owner.ask("lookup:x.demo@bob")).toBe("data:kept\n@alice@");
    expect(await owner.ask("lookup:bypassCache:true:x.demo@bob")).toMatch("error:AT0008");
    expect(await json(owner, "lookup:all:x.demo@bob")).toMatchObject({ key: "cached:@alice:x.demo@bob" });
    server.clock.advance(10_001);
    expect(await owner.ask("lookup:x.demo@bob")).toMatch("error:AT0008");
  });

  test("scan lists what each may see", async () => {
    const { owner, anonymous } = await filled();
    expect(await json(anonymous, "scan")).toEqual([
      "dead.demo@alice",
      "loop.demo@alice",
      "nick.demo@alice",
      "ref.demo@alice",
    ]);
    expect(await json(anonymous, "scan ^public:n")).toEqual(["nick.demo@alice"]);
    expect(await json(owner, "scan \\.demo@alice$")).toHaveLength(7);
    expect(await json(owner, "scan:showHidden:true NICK")).toEqual([]);
    await owner.ask("update:public:__x.demo@alice v");
    expect(await json(owner, "scan:showHidden:true __")).toEqual(["public:__x.demo@alice"]);
    expect(await json(owner, "scan __")).toEqual([]);
    expect(await anonymous.ask("scan:@bob")).toMatch("error:AT0401-Exception: Scan to another atSign");
    expect(await owner.ask("scan:@bob")).toMatch("error:AT0008");
  });

  test.each(["@", '{"a":1}', "[1]", "null"])("scan refuses %s as the names of another atSign", async (answer) => {
    const owner = await testServer({ askAs: async () => answer }).owner();
    expect(await owner.ask("scan:@bob")).toMatch("error:AT0004-Socket error : @bob answered what is no list of names");
  });

  test("scan reads page by page", async () => {
    const { owner, server } = await filled();
    for (let i = 0; i < 2_500; i += 500) {
      await Promise.all(
        Array.from({ length: 500 }, (_each, j) =>
          server.store.write((tx) => {
            const metadata = tx.get("public:nick.demo@alice")?.metadata;
            if (metadata !== undefined) tx.put({ key: `k${i + j}.many@alice`, value: "v", metadata }, "*");
          }),
        ),
      );
    }
    owner.send("scan many\n");
    expect(JSON.parse((await owner.readReply()).slice(5, -8))).toHaveLength(2_500);
  });

  test("scan refuses an expression that it does not understand, and takes linear time for all others", async () => {
    const { owner, anonymous } = await filled();
    owner.send("scan (\n");
    expect(await owner.readAll()).toMatch(/^error:AT0011-Internal server exception : FormatException/);
    const began = performance.now();
    expect(await json(anonymous, "scan (a*)*(a*)*(a*)*(a*)*b$")).toEqual([]);
    expect(performance.now() - began).toBeLessThan(1_000);
  });
});

describe("plookup", () => {
  const now = Date.UTC(2026, 0);

  function answering(answers: Record<string, object | null>) {
    const asked: string[] = [];
    return {
      asked,
      async ask(atSign: string, command: string) {
        asked.push(`${atSign} ${command}`);
        const answer = answers[command];
        if (answer === undefined) throw new ProtocolError("key_not_found", "Exception: gone", { closes: false });
        return JSON.stringify(answer);
      },
    };
  }

  test("asks for all of it, and keeps a copy for as long as its owner lets it", async () => {
    const record = { key: "public:a.b@bob", data: "v", metaData: { createdBy: "@bob", ttr: 10, version: 3 } };
    const peers = answering({ "lookup:all:a.b@bob": record });
    const server = testServer({ peers });
    const client = await server.owner();
    expect(await client.ask("plookup:a.b@bob")).toBe("data:v\n@alice@");
    expect(await json(client, "plookup:all:a.b@bob")).toMatchObject({ key: "cached:public:a.b@bob", data: "v" });
    expect(peers.asked).toEqual(["@bob lookup:all:a.b@bob"]);
    expect(await json(client, "plookup:bypassCache:true:all:a.b@bob")).toMatchObject({
      key: "public:a.b@bob",
      metaData: { createdBy: "@bob", version: 3 },
    });
    server.clock.advance(10_001);
    await client.ask("plookup:a.b@bob");
    expect(peers.asked).toHaveLength(3);
  });

  test("keeps for a day, and does not use, what its owner says nothing about", async () => {
    const peers = answering({ "lookup:all:a.b@bob": { data: "v", metaData: {} } });
    const server = testServer({ peers });
    const client = await server.owner();
    await client.ask("plookup:a.b@bob");
    await client.ask("plookup:a.b@bob");
    expect(peers.asked).toHaveLength(2);
    expect(server.store.get("cached:public:a.b@bob")?.metadata.expiresAt).toBe(now + 86_400_000);
  });

  test("uses an encryption key for a day, and keeps it when it is gone", async () => {
    const answers: Record<string, object | null> = { "lookup:all:publickey@bob": { data: "K", metaData: {} } };
    const peers = answering(answers);
    const server = testServer({ peers });
    const client = await server.owner();
    expect(await client.ask("plookup:publickey@bob")).toBe("data:K\n@alice@");
    expect(await client.ask("plookup:publickey@bob")).toBe("data:K\n@alice@");
    expect(peers.asked).toHaveLength(1);
    delete answers["lookup:all:publickey@bob"];
    expect(await client.ask("plookup:bypassCache:true:publickey@bob")).toMatch(
      "error:AT0015-key not found : Exception: gone",
    );
    expect(await client.ask("plookup:publickey@bob")).toBe("data:K\n@alice@");
    server.clock.advance(86_400_001);
    expect(await client.ask("plookup:publickey@bob")).toMatch("error:AT0015");
  });

  test.each([
    ["is gone", undefined],
    ["is null", null],
  ])("forgets its copy when the original %s", async (_name, answer) => {
    const answers: Record<string, object | null> = { "lookup:all:a.b@bob": { data: "v", metaData: { ttr: -1 } } };
    const server = testServer({ peers: answering(answers) });
    const client = await server.owner();
    await client.ask("plookup:a.b@bob");
    if (answer === undefined) delete answers["lookup:all:a.b@bob"];
    else answers["lookup:all:a.b@bob"] = answer;
    expect(await client.ask("plookup:bypassCache:true:a.b@bob")).toMatch("error:AT0015-key not found : ");
    expect(server.store.get("cached:public:a.b@bob")).toBeUndefined();
  });

  test("answers what is ours without asking anybody", async () => {
    const client = await testServer().owner();
    await client.ask("update:public:a.b@alice v");
    expect(await json(client, "plookup:all:a.b@alice")).toMatchObject({ key: "public:a.b@alice", data: "v" });
  });

  test.each([
    [{ data: 7, metaData: {} }],
    [{ data: "a\nb", metaData: {} }],
    [{ metaData: {} }],
    [{ data: "v", metaData: { ttl: "x" } }],
    [7 as never],
  ])("refuses %j as an answer", async (answer) => {
    const server = testServer({ peers: answering({ "lookup:all:a.b@bob": answer }) });
    const client = await server.owner();
    expect(await client.ask("plookup:a.b@bob")).toMatch("error:AT0004-Socket error : @bob answered what is no record");
    expect(server.store.lastCommitId).toBe(-1);
  });
});

describe("owner's matters", () => {
  test("config keeps a block list that from obeys", async () => {
    const server = testServer();
    const owner = await server.owner();
    expect(await owner.ask("config:block:show")).toBe("data:null\n@alice@");
    expect(await owner.ask("config:block:add:@bob @alice @carl")).toBe("data:success\n@alice@");
    expect(await owner.ask("config:block:remove:@carl")).toBe("data:success\n@alice@");
    expect(await owner.ask("config:block:show")).toBe('data:["@bob"]\n@alice@');
    const bob = await server.anonymous();
    bob.send("from:@bob\nnoop:0\n");
    expect(await bob.readAll()).toBe("error:AT0013-Exception: Unable to connect\n@");
    await owner.ask("config:block:remove:@bob");
    const proven = await server.anonymous();
    proven.session.connection.becomePeer("@bob");
    await owner.ask("config:block:add:@carl");
    expect(await proven.ask("noop:0")).toBe("data:ok\n@bob@");
    await owner.ask("config:block:add:@bob");
    expect(await proven.readAll()).toBe("");
    await owner.ask("config:block:remove:@bob");
    const again = await server.anonymous({ shownCertificate: peerCertificate() });
    expect(await again.ask("from:@bob")).toMatch("data:proof:");
  });

  test.each(["config:set:inboundMaxLimit=3", "config:reset:autoNotify", "config:print:autoNotify"])(
    "%s is answered that there is no testing mode",
    async (command) => {
      const client = await testServer().owner();
      expect(await client.ask(command)).toBe("data:testing mode disabled by default\n@alice@");
    },
  );

  test("info tells version and uptime", async () => {
    const server = testServer();
    const client = await server.anonymous();
    server.clock.advance(90_061_000);
    expect(await json(client, "info")).toEqual({
      version: expect.stringMatching(/^\d+\.\d+\.\d+$/),
      uptimeAsWords: "1 days 1 hours 1 minutes 1 seconds",
    });
    expect(await json(client, "info:brief")).toMatchObject({ uptimeAsMillis: 90_061_000 });
  });

  test("info tells by which certificate this atServer is known to others, and since when", async () => {
    const client = await testServer().anonymous();
    expect(await json(client, "info:mtls")).toEqual({ mtls_fullchain: one.certificate });
    expect(await json(client, "info:mtlsbrief")).toEqual({
      mtls_fullchain_last_modified: "2026-11-23 08:08:38.000Z",
      mtls_privkey_last_modified: "2026-11-23 08:08:38.000Z",
    });
  });

  test("to tells the keys of the atSign that is served here, and of no other", async () => {
    const server = testServer();
    await ensureSigningKeys(server.store, "@alice", () => 0);
    const client = await server.anonymous();
    const signing = server.store.get("public:signing_publickey@alice")?.value;
    expect(await json(client, "to:@alice")).toEqual({ signing_publickey: signing });
    const owner = await server.owner();
    await owner.ask("update:public:publickey@alice K");
    expect(await json(client, "to:@Alice")).toEqual({ publickey: "K", signing_publickey: signing });
    expect(await client.ask("to:@bob")).toBe("error:AT0007-Exception: @bob is not served here\n@");
  });

  test("stats answers what is asked, in its form", async () => {
    const server = testServer();
    const client = await server.owner();
    expect(await client.ask("stats:3")).toBe('data: [{"id":"3","name":"lastCommitID","value":"null"}]\n@alice@');
    await client.ask("update:public:a.wavi@alice v");
    await client.ask("update:b.demo@alice v");
    expect(await client.ask("stats:3")).toBe('data: [{"id":"3","name":"lastCommitID","value":"1"}]\n@alice@');
    expect(await client.ask("stats:3:wavi")).toBe('data: [{"id":"3","name":"lastCommitID","value":"0"}]\n@alice@');
    expect(await client.ask("stats:3:none")).toBe('data: [{"id":"3","name":"lastCommitID","value":"null"}]\n@alice@');
    await client.ask("plookup:a.wavi@alice");
    expect(await client.ask("stats:1,6")).toBe(
      'data: [{"id":"1","name":"activeInboundConnections","value":"1"}, {"id":"6","name":"topKeys","value":"{\\"a.wavi@alice\\":1}"}]\n@alice@',
    );
    const all = (await json(client, "stats")) as { id: string; name: string; value: string }[];
    expect(all.map(({ id }) => id)).toEqual(Array.from({ length: 17 }, (_each, i) => String(i + 1)));
    expect(JSON.parse(all[14]?.value ?? "")).toEqual({ "public:a.wavi@alice": [0, "*"], "b.demo@alice": [1, "*"] });
    expect(all[15]).toMatchObject({ value: { total: 1, self: 1, other: 0, anon: 0 } });
    const at = "2026-01-01T00:00:00.000Z";
    const self = { count: 1, list: [{ from: "@alice", created: at, lastAccessed: at }] };
    const none = { count: 0, list: [] };
    expect(all[16]).toMatchObject({ value: { total: 1, self, other: none, anon: none } });
    expect(JSON.parse(all[8]?.value ?? "")).toEqual({ size: expect.stringMatching(/^\d+\.\d\d$/), units: "B" });
  });
});
