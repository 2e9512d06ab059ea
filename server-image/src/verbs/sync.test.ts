import { describe, expect, test } from "@jest/globals";
import { serverMetadata } from "../records.ts";
import { type TestClient, testServer } from "../testing/atserver.ts";

interface Entry {
  readonly atKey: string;
  readonly commitId: number;
  readonly operation: string;
}

async function pageOf(client: TestClient, command: string): Promise<Entry[]> {
  client.send(`${command}\n`);
  return JSON.parse((await client.readReply()).replace(/^data:/, "").replace(/\n@alice@$/, ""));
}

async function ids(client: TestClient, command: string): Promise<number[]> {
  return (await pageOf(client, command)).map(({ commitId }) => commitId);
}

describe("sync", () => {
  test("gives what changed, with all metadata as text, and only what is deleted without any", async () => {
    const server = testServer();
    const client = await server.owner();
    await client.ask("update:ttl:60000:isEncrypted:true:pubKeyHash:ab:hashingAlgo:sha512:phone.demo@alice 1234");
    await client.ask("update:gone.demo@alice x");
    await client.ask("delete:gone.demo@alice");
    expect(await client.ask("sync:from:-1:limit:10")).toBe(
      'data:[{"atKey":"phone.demo@alice","value":"1234","metadata":{"createdBy":"@alice","updatedBy":"@alice",' +
        '"createdAt":"2026-01-01 00:00:00.000Z","updatedAt":"2026-01-01 00:00:00.000Z","expiresAt":"2026-01-01 00:01:00.000Z",' +
        '"status":"active","version":"0","ttl":"60000","isBinary":"false","isEncrypted":"true",' +
        '"pubKeyHash":"{\\"hash\\":\\"ab\\",\\"algo\\":\\"sha512\\",\\"hashingAlgo\\":\\"sha512\\"}"},"commitId":0,"operation":"*"},' +
        '{"atKey":"gone.demo@alice","value":null,"metadata":null,"commitId":2,"operation":"-"}]\n@alice@',
    );
    expect(await client.ask("sync:from:2:limit:10")).toBe("data:[]\n@alice@");
  });

  test("cuts pages of 25 unless told otherwise, never of what nobody wants", async () => {
    const client = await testServer().owner();
    for (let index = 0; index < 60; index++) await client.ask(`update:k${index}.${index % 3 ? "odd" : "even"}@alice v`);
    expect(await ids(client, "sync:from:-1")).toEqual(Array.from({ length: 25 }, (_, index) => index));
    expect(await ids(client, "sync:from:24:limit:100")).toHaveLength(35);
    expect(await ids(client, "sync:from:-1:limit:3:even")).toEqual([0, 3, 6]);
    expect(await ids(client, "sync:from:6:limit:3:\\.even@")).toEqual([9, 12, 15]);
    expect(await ids(client, "sync:from:-1:limit:0")).toEqual([]);
  });

  test("brings a large value by itself, and no page of more than five megabytes", async () => {
    const client = await testServer({ limits: { maxLineBytes: 10_240_000 } }).owner();
    for (const [name, size] of [
      ["a", 6_000_000],
      ["b", 3_000_000],
      ["c", 3_000_000],
    ] as const) {
      client.send(`update:${name}.demo@alice ${"v".repeat(size)}\n`);
      await client.readReply();
    }
    expect(await ids(client, "sync:from:-1:limit:10")).toEqual([0]);
    expect(await ids(client, "sync:from:0:limit:10")).toEqual([1]);
    expect(await ids(client, "sync:from:1:limit:10")).toEqual([2]);
  });

  test("leaves out what is too large together with its name and metadata, and brings what follows", async () => {
    const server = testServer({ heldBytes: 10_240_000 });
    const client = await server.owner();
    for (const length of [10_239_600, 10_239_900]) {
      await server.store.write((tx) => {
        tx.put({ key: "long.demo@alice", value: "x".repeat(length), metadata: serverMetadata("@alice", 0) }, "*");
        tx.put({ key: "after.demo@alice", value: "v", metadata: serverMetadata("@alice", 0) }, "*");
      });
    }
    expect((await pageOf(client, "sync:from:-1:limit:10")).map(({ atKey }) => atKey)).toEqual(["after.demo@alice"]);
    expect(await client.ask("llookup:all:long.demo@alice")).toMatch(/^error:AT0005-/);
    client.send("llookup:long.demo@alice\n");
    expect((await client.readReply()).length).toBe(10_239_900 + "data:\n@alice@".length);
    await server.store.write((tx) => {
      tx.put({ key: "long.demo@alice", value: "x".repeat(10_239_600), metadata: serverMetadata("@alice", 0) }, "*");
    });
    const pages = [await pageOf(client, "sync:from:-1:limit:1"), await pageOf(client, "sync:from:3:limit:1")];
    expect(pages.flat().map(({ atKey }) => atKey)).toEqual(["after.demo@alice", "long.demo@alice"]);
  });

  test("leaves out what is too large for a reply once it is escaped, and brings what follows", async () => {
    const client = await testServer({ limits: { maxLineBytes: 10_240_000 } }).owner();
    const [fitting, tooLong] = ['"'.repeat(4_000_000), `x${"\x01".repeat(2_000_000)}x`];
    for (const [name, value] of [["a", fitting] as const, ["b", tooLong] as const, ["c", "v"] as const]) {
      client.send(`update:${name}.demo@alice ${value}\n`);
      await client.readReply();
    }
    expect((await pageOf(client, "sync:from:-1:limit:1")).map(({ commitId }) => commitId)).toEqual([0]);
    expect(await ids(client, "sync:from:0:limit:10")).toEqual([2]);
    expect(await client.ask("llookup:all:b.demo@alice")).toMatch(/^error:AT0005-Buffer limit exceeded : b\.demo@alice/);
    client.send("llookup:b.demo@alice\n");
    expect(await client.readReply()).toBe(`data:${tooLong}\n@alice@`);
  });

  test("always brings what every app needs, whatever its expression", async () => {
    const client = await testServer().owner();
    const names = [
      "public:publickey",
      "public:nick",
      "shared_key.bob",
      "@bob:shared_key",
      "shared_key_of_mine.demo",
      "x.demo",
    ];
    for (const name of names) await client.ask(`update:${name}@alice v`);
    expect((await pageOf(client, "sync:from:-1:limit:10:nothing")).map(({ atKey }) => atKey)).toEqual(
      names.slice(0, 4).map((name) => `${name}@alice`),
    );
  });

  test("leaves out deletions that a new client has no use for", async () => {
    const client = await testServer().owner();
    for (const name of ["a", "b", "c"]) await client.ask(`delete:${name}.demo@alice`);
    expect(await ids(client, "sync:from:-1:limit:10:skipDeletesUntil:1")).toEqual([2]);
    expect(await ids(client, "sync:from:-1:limit:10:skipDeletesUntil:1:demo")).toEqual([2]);
  });

  test("comes to an end while others write, with all that was written", async () => {
    const server = testServer();
    const writer = await server.owner();
    const reader = await server.owner();
    const copy = new Map<string, number>();
    let last = -1;
    const pull = async () => {
      for (;;) {
        const page = await pageOf(reader, `sync:from:${last}:limit:10`);
        if (page.length === 0) return;
        for (const { atKey, commitId, operation } of page) {
          expect(commitId).toBeGreaterThan(last);
          last = commitId;
          if (operation === "-") copy.delete(atKey);
          else copy.set(atKey, commitId);
        }
      }
    };
    const write = async () => {
      for (let index = 0; index < 200; index++) {
        await writer.ask(
          index % 7 === 6 ? `delete:k${index % 20}.demo@alice` : `update:k${index % 20}.demo@alice ${index}`,
        );
      }
    };
    const writing = write();
    for (let round = 0; round < 5; round++) await pull();
    await writing;
    await pull();
    const stored = server.store
      .keys({ limit: 100, liveAt: server.clock.nowMs })
      .keys.filter((key) => key.endsWith(".demo@alice"));
    expect([...copy.keys()].sort()).toEqual([...stored]);
    expect(last).toBe(199);
  });

  test.each(["sync:from:x", "sync:5", "sync:from:-2", "sync:from:1:limit:x:y:", "sync:from:"])(
    "refuses %s",
    async (command) => {
      const client = await testServer().owner();
      if (command === "sync:from:1:limit:x:y:") expect(await client.ask(command)).toBe("data:[]\n@alice@");
      else expect(await client.ask(command)).toMatch(/^error:AT0003-Invalid syntax : /);
    },
  );
});

describe("what is not committed", () => {
  test("is stored, and never synced", async () => {
    const server = testServer();
    const client = await server.owner();
    expect(await client.ask("update:nc:ttl:60000:a.demo@alice v")).toBe("data:-1\n@alice@");
    expect(await client.ask("llookup:a.demo@alice")).toBe("data:v\n@alice@");
    expect(await client.ask("update:b.demo@alice 1")).toBe("data:0\n@alice@");
    expect(await client.ask("update:nc:b.demo@alice 2")).toBe("data:-1\n@alice@");
    expect(await ids(client, "sync:from:-1")).toEqual([0]);
    expect(await client.ask("delete:dAt:2026-01-01T00:00:00Z:nc:b.demo@alice")).toBe("data:-1\n@alice@");
    expect(await ids(client, "sync:from:-1")).toEqual([]);
    expect(await client.ask("delete:dAt:2026-13-01T00:00:00Z:b.demo@alice")).toMatch("error:AT0003");
  });
});

describe("the newest commit", () => {
  test("is told of all keys or of some", async () => {
    const server = testServer();
    const client = await server.owner();
    const last = async (of: string) => JSON.parse((await client.ask(`stats:3${of}`))?.slice(6, -8) ?? "")[0].value;
    expect(await last("")).toBe("null");
    for (const name of ["a.wavi", "b.demo", "c.wavi", "d.demo"]) await client.ask(`update:${name}@alice v`);
    await client.ask("delete:a.wavi@alice");
    expect([await last(""), await last(":.*"), await last(":demo"), await last(":b\\."), await last(":none")]).toEqual([
      ...["4", "4", "3", "1", "null"],
    ]);
    expect(await client.ask("scan:cl c\\.")).toBe(
      'data:[{"atKey":"c.wavi@alice","operation":"*","commitId":2,"opTime":"2026-01-01 00:00:00.000Z"}]\n@alice@',
    );
  });
});
