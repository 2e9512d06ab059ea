import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { need } from "../../test/kit/need.ts";
import { redis, type TestRedis } from "../../test/kit/redis.ts";
import { memoryRegistry } from "./registry/memory.ts";
import type { NameRecord, Registry } from "./registry.ts";
import { complete, eventually, replica } from "./testing/registries.ts";

const missing = need("redis-server");
let server: TestRedis | undefined;
let prefixes = 0;

beforeAll(async () => {
  if (missing === undefined) server = await redis();
});

afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
});

type Open = (cells?: readonly string[]) => Promise<Registry>;

const registries: readonly [string, Open][] = [
  ["memory", async (cells = ["local"]) => memoryRegistry({ cells })],
  [
    "Redis",
    async (cells = ["local"]) => {
      prefixes += 1;
      const registry = replica(server?.url ?? "", { prefix: `contract-${prefixes}`, cells });
      await eventually(() => registry.reached);
      return registry;
    },
  ],
];

function alice(change: Partial<NameRecord> = {}): NameRecord {
  return {
    name: "alice",
    claim: "c1",
    generation: 5,
    address: { host: "alice.at.example.org", port: 443 },
    ...change,
  };
}

const parkedAlice = alice({ address: undefined });

describe.each(registries)("the %s registry", (kind, openAny) => {
  const on = kind === "Redis" && missing !== undefined ? test.skip : test;
  const open = async () => {
    const registry = await openAny();
    await complete(registry);
    return registry;
  };

  on("finds what was put", async () => {
    await using registry = await open();
    expect(await registry.put(alice())).toEqual({ changed: true });
    expect(await registry.find("alice")).toEqual({ kind: "listed", address: alice().address });
    expect(await registry.read("alice")).toEqual(alice());
  });

  on("is certain that a name is absent", async () => {
    await using registry = await open();
    expect(await registry.find("alice")).toEqual({ kind: "absent" });
    expect(await registry.read("alice")).toBeUndefined();
  });

  on("knows a change at once where it was made", async () => {
    await using registry = await open();
    expect(await registry.find("alice")).toEqual({ kind: "absent" });
    await registry.put(alice());
    const known = registry.recall("alice") ?? (await registry.find("alice"));
    expect(known).toEqual({ kind: "listed", address: alice().address });
  });

  on("says when nothing changes", async () => {
    await using registry = await open();
    await registry.put(alice());
    expect(await registry.put(alice())).toEqual({ changed: false });
  });

  on("refuses another claim, whatever its generation", async () => {
    await using registry = await open();
    await registry.put(alice());
    const other = { claim: "c2", generation: 99 };
    expect(await registry.put(alice(other))).toEqual({ refused: "claimed" });
    expect(await registry.release({ name: "alice", ...other })).toEqual({ refused: "claimed" });
    expect(await registry.handOver({ name: "alice", claim: "c2", to: "c3" })).toEqual({ refused: "claimed" });
    expect(await registry.read("alice")).toEqual(alice());
  });

  on("refuses a lower generation", async () => {
    await using registry = await open();
    await registry.put(alice());
    const older = alice({ generation: 4, address: { host: "old.example.org", port: 443 } });
    expect(await registry.put(older)).toEqual({ refused: "stale-generation" });
    expect(await registry.release({ name: "alice", claim: "c1", generation: 4 })).toEqual({
      refused: "stale-generation",
    });
    expect(await registry.find("alice")).toEqual({ kind: "listed", address: alice().address });
  });

  on("compares generations as large as numbers get", async () => {
    await using registry = await open();
    const largest = Number.MAX_SAFE_INTEGER;
    await registry.put(alice({ generation: largest }));
    expect(await registry.put(alice({ generation: largest - 1 }))).toEqual({ refused: "stale-generation" });
    expect(await registry.read("alice")).toEqual(alice({ generation: largest }));
  });

  on("moves a name of the same generation and of a higher one", async () => {
    await using registry = await open();
    await registry.put(alice());
    for (const generation of [5, 6]) {
      const moved = alice({ generation, address: { host: `h${generation}.example.org`, port: 6464 } });
      expect(await registry.put(moved)).toEqual({ changed: true });
      expect(await registry.find("alice")).toEqual({ kind: "listed", address: moved.address });
    }
  });

  on("gives a host to one name only, until that one leaves it", async () => {
    await using registry = await open();
    await registry.put(alice());
    const bob = alice({ name: "bob", claim: "c2" });
    expect(await registry.put(bob)).toEqual({ refused: "host-taken" });
    expect(await registry.put({ ...bob, claim: "c1" })).toEqual({ refused: "host-taken" });
    expect(await registry.find("bob")).toEqual({ kind: "absent" });
    await registry.put(alice({ address: { host: "elsewhere.example.org", port: 443 } }));
    expect(await registry.put(bob)).toEqual({ changed: true });
  });

  on("parks a name: nowhere, but not free", async () => {
    await using registry = await open();
    await registry.put(alice());
    expect(await registry.put(parkedAlice)).toEqual({ changed: true });
    expect(await registry.find("alice")).toEqual({ kind: "parked" });
    expect(await registry.put(alice({ claim: "c2" }))).toEqual({ refused: "claimed" });
    expect(await registry.put(alice({ name: "bob", claim: "c2" }))).toEqual({ changed: true });
    expect(await registry.read("alice")).toEqual(parkedAlice);
  });

  on("releases a name for whoever comes", async () => {
    await using registry = await open();
    await registry.put(alice());
    const held = { name: "alice", claim: "c1", generation: 5 };
    expect(await registry.release(held)).toEqual({ changed: true });
    expect(await registry.release(held)).toEqual({ changed: false });
    expect(await registry.find("alice")).toEqual({ kind: "absent" });
    expect(await registry.put(alice({ claim: "c2", generation: 1 }))).toEqual({ changed: true });
  });

  on("hands a name over: parked, for any generation of the new claim", async () => {
    await using registry = await open();
    await registry.put(alice());
    const change = { name: "alice", claim: "c1", to: "c2" };
    expect(await registry.handOver(change)).toEqual({ changed: true });
    expect(await registry.handOver(change)).toEqual({ changed: false });
    expect(await registry.find("alice")).toEqual({ kind: "parked" });
    expect(await registry.put(alice({ generation: 99 }))).toEqual({ refused: "claimed" });
    expect(await registry.put(alice({ claim: "c2", generation: 1 }))).toEqual({ changed: true });
    expect(await registry.handOver({ ...change, name: "nobody" })).toEqual({ refused: "absent" });
  });

  on("takes names and claims as they come", async () => {
    await using registry = await open();
    for (const name of ["ping", "__proto__", "{x}", "😀", "a\u0000b", "é".repeat(100)]) {
      const record = alice({ name, claim: '"}', address: { host: `h${name.length}.example.org`, port: 1 } });
      expect(await registry.put(record)).toEqual({ changed: true });
      expect(await registry.read(name)).toEqual(record);
      await registry.release(record);
      expect(await registry.find(name)).toEqual({ kind: "absent" });
    }
  });

  on("lists the records of a claim's beginning, a page at a time, each once", async () => {
    await using registry = await open();
    const names = Array.from({ length: 1_500 }, (_, i) => `name${i}`);
    for (const name of names) {
      const address = { host: `${name}.at.example.org`, port: 443 };
      await registry.put(alice({ name, claim: `${name.length % 2 === 0 ? "even" : "odd"}-${name}`, address }));
    }
    await registry.put(alice({ name: "parked", claim: "even-parked", address: undefined }));
    const found: NameRecord[] = [];
    let pages = 0;
    for (let cursor: string | undefined = "0"; cursor !== undefined; pages++) {
      const page = await registry.list("even-", cursor);
      found.push(...page.records);
      cursor = page.next;
    }
    const wanted = [...names.filter((name) => name.length % 2 === 0), "parked"];
    expect([...new Set(found.map(({ name }) => name))].sort()).toEqual(wanted.sort());
    expect(found.find(({ name }) => name === "parked")).toEqual(
      alice({ name: "parked", claim: "even-parked", address: undefined }),
    );
    expect(pages).toBeGreaterThan(5);
    expect(await registry.list("nobody", "0")).toMatchObject({ records: [] });
  });

  on("is unsure of what it lacks until every cell has marked its pass", async () => {
    await using registry = await openAny(["one", "two"]);
    const { id } = await registry.state();
    expect(await registry.state()).toEqual({ id, complete: false, cells: { one: false, two: false } });
    await registry.put(alice(), true);
    expect(await registry.find("alice")).toEqual({ kind: "listed", address: alice().address });
    expect(await registry.find("bob")).toEqual({ kind: "unsure" });
    await registry.put(parkedAlice, true);
    expect(await registry.find("alice")).toEqual({ kind: "parked" });

    expect(await registry.markCell("three", id)).toBe("unknown-cell");
    expect(await registry.markCell("one", "another id")).toBe("other-registry");
    expect(await registry.markCell("one", id)).toBe("marked");
    expect(await registry.state()).toEqual({ id, complete: false, cells: { one: true, two: false } });
    expect(await registry.find("bob")).toEqual({ kind: "unsure" });
    expect(await registry.markCell("two", id)).toBe("marked");
    expect(await registry.state()).toEqual({ id, complete: true, cells: { one: true, two: true } });
    expect(await registry.find("bob")).toEqual({ kind: "absent" });
  });

  on("takes no new name while it may lack somebody's", async () => {
    await using registry = await openAny(["one", "two"]);
    const { id } = await registry.state();
    const thief = alice({ claim: "c2", generation: 99 });
    expect(await registry.put(thief)).toEqual({ refused: "incomplete" });
    expect(await registry.read("alice")).toBeUndefined();
    await registry.markCell("one", id);
    expect(await registry.put(thief)).toEqual({ refused: "incomplete" });
    expect(await registry.put(alice(), true)).toEqual({ changed: true });
    expect(await registry.put(alice({ generation: 6 }))).toEqual({ changed: true });
    expect(await registry.put(thief, true)).toEqual({ refused: "claimed" });
    await registry.markCell("two", id);
    expect(await registry.put(thief)).toEqual({ refused: "claimed" });
    const bob = alice({ name: "bob", address: { host: "bob.at.example.org", port: 443 } });
    expect(await registry.put(bob)).toEqual({ changed: true });
  });
});
