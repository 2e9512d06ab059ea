import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RecordMetadata } from "@atrium/protocol";
import { silent } from "@atrium/runtime/log.ts";
import { afterEach, describe, expect, test } from "@jest/globals";
import { openDiskStore } from "./disk.ts";
import { memoryStore } from "./memory.ts";
import type { Store, StoredRecord } from "./store.ts";

const scratches: string[] = [];

function scratch(): string {
  const directory = mkdtempSync(join(tmpdir(), "atrium-store-"));
  scratches.push(directory);
  return directory;
}

afterEach(() => {
  for (const directory of scratches.splice(0)) rmSync(directory, { recursive: true });
});

const base: RecordMetadata = {
  createdBy: "@alice",
  updatedBy: "@alice",
  createdAt: 1_000,
  updatedAt: 1_000,
  status: "active",
  version: 0,
};

function record(key: string, value?: string, metadata: Partial<RecordMetadata> = {}): StoredRecord {
  return { key, value, metadata: { ...base, ...metadata } };
}

/** Writes records one after another, each with operation `*`. */
async function fill(store: Store, ...records: StoredRecord[]): Promise<void> {
  await store.write((tx) => {
    for (const each of records) tx.put(each, "*");
  });
}

describe.each([
  ["memory", async () => memoryStore()],
  ["disk", () => openDiskStore({ directory: scratch(), epoch: 1, log: silent })],
] as const)("%s store", (_name, open) => {
  test("has a live record from the millisecond of its birth until the one before its end", async () => {
    await using store = await open();
    const kept = record("a@alice", "v", { availableAt: 100, expiresAt: 200, ivNonce: "n" });
    await fill(store, kept, record("always@alice", "w", {}));
    expect([99, 100, 199, 200].map((now) => store.getLive("a@alice", now)?.value)).toEqual([
      undefined,
      "v",
      "v",
      undefined,
    ]);
    expect(store.getLive("a@alice", 100)?.metadata).toEqual(kept.metadata);
    expect(store.getLive("always@alice", 0)?.value).toBe("w");
    expect(store.getLive("nothing@alice", 0)).toBeUndefined();
  });

  test("has nothing at first", async () => {
    await using store = await open();
    expect(store.get("a@alice")).toBeUndefined();
    expect(store.lastCommitId).toBe(-1);
    expect(store.keys({ limit: 10, liveAt: 0 })).toEqual({ keys: [], next: undefined });
    expect(store.changes({ after: -1, limit: 10 })).toEqual([]);
    expect(store.writable).toBe(true);
    store.check();
  });

  test.each([
    ["a text", "hello"],
    ["an empty text", ""],
    ["no value", undefined],
    ["a NUL, an emoji and a line end", "a\0b😀\n"],
    ["ten million bytes", "é".repeat(5_000_000)],
  ])("keeps %s as it is", async (_what, value) => {
    await using store = await open();
    const kept = record("public:phone.wavi@alice", value, {
      ttl: 5,
      expiresAt: 8_640_000_000_000_000,
      pubKeyHash: { hash: "x", algo: "sha256" },
      isEncrypted: true,
    });
    await fill(store, kept);
    expect(store.get(kept.key)).toEqual(kept);
    store.check();
  });

  test("gives commit ids from 0 on, and none without an operation", async () => {
    await using store = await open();
    const ids = await store.write((tx) => [
      tx.put(record("a"), "+"),
      tx.put(record("private:b"), null),
      tx.put(record("c"), "*"),
      tx.delete("private:b", null),
      tx.delete("never there", "-"),
    ]);
    expect(ids).toEqual([0, -1, 1, -1, 2]);
    expect(store.lastCommitId).toBe(2);
  });

  test("keeps one entry per key in the commit log", async () => {
    await using store = await open();
    await store.write((tx) => {
      tx.put(record("a"), "+");
      tx.put(record("b"), "*");
      tx.put(record("a"), "#");
      tx.delete("b", "-");
      tx.put(record("b"), "*");
      tx.delete("c", "-");
      tx.delete("c", "-");
    });
    expect(store.changes({ after: -1, limit: 10 })).toEqual([
      { commitId: 2, key: "a", operation: "#" },
      { commitId: 4, key: "b", operation: "*" },
      { commitId: 6, key: "c", operation: "-" },
    ]);
    expect(store.changes({ after: 2, limit: 1 })).toEqual([{ commitId: 4, key: "b", operation: "*" }]);
  });

  test("does not use an id again when the newest entry has gone", async () => {
    await using store = await open();
    await fill(store, record("a"), record("b"));
    await store.write((tx) => tx.delete("b", null));
    expect(store.changes({ after: -1, limit: 10 })).toHaveLength(1);
    expect(store.lastCommitId).toBe(1);
    expect(await store.write((tx) => tx.put(record("c"), "*"))).toBe(2);
  });

  test("leaves the entry alone when a record is written without one", async () => {
    await using store = await open();
    await store.write((tx) => {
      tx.put(record("a", "1"), "*");
      tx.put(record("a", "2"), null);
      tx.delete("b", "-");
      tx.put(record("b", "1"), null);
    });
    expect(store.get("a")?.value).toBe("2");
    expect(store.changes({ after: -1, limit: 10 })).toEqual([
      { commitId: 0, key: "a", operation: "*" },
      { commitId: 1, key: "b", operation: "-" },
    ]);
    await store.write((tx) => tx.put(record("b", "2"), "*"));
    expect(store.changes({ after: 0, limit: 10 })).toEqual([{ commitId: 2, key: "b", operation: "*" }]);
  });

  test("pages through keys in the order of code points", async () => {
    await using store = await open();
    const keys = ["a", "a.b", "b", "b\uffee", "b😀", "c"];
    await fill(store, ...keys.toReversed().map((key) => record(key)));
    const first = store.keys({ limit: 4, liveAt: 0 });
    expect(first).toEqual({ keys: keys.slice(0, 4), next: "b\uffee" });
    expect(store.keys({ limit: 4, liveAt: 0, after: first.next })).toEqual({ keys: keys.slice(4), next: undefined });
    expect(store.keys({ limit: 4, liveAt: 0, prefix: "b" }).keys).toEqual(["b", "b\uffee", "b😀"]);
    expect(store.keys({ limit: 4, liveAt: 0, prefix: "b", after: "b" }).keys).toEqual(["b\uffee", "b😀"]);
    expect(store.keys({ limit: 4, liveAt: 0, prefix: "b", after: "a" }).keys).toHaveLength(3);
  });

  test("lists only what is born and has not expired, and goes on past the rest", async () => {
    await using store = await open();
    await fill(
      store,
      record("a", "", { availableAt: 100 }),
      record("b", "", { expiresAt: 100 }),
      record("c", "", { availableAt: 50, expiresAt: 150 }),
    );
    const live = (liveAt: number) => store.keys({ limit: 10, liveAt }).keys;
    expect([live(49), live(50), live(99), live(100), live(149), live(150)]).toEqual([
      ["b"],
      ["b", "c"],
      ["b", "c"],
      ["a", "c"],
      ["a", "c"],
      ["a"],
    ]);
    expect(store.keys({ limit: 1, liveAt: 49 })).toEqual({ keys: [], next: "a" });
  });

  test("names what has expired, the oldest first", async () => {
    await using store = await open();
    await fill(store, record("a", "", { expiresAt: 30 }), record("b", "", { expiresAt: 10 }), record("c"));
    expect([store.expired(9, 5), store.expired(10, 5), store.expired(30, 5), store.expired(30, 1)]).toEqual([
      [],
      ["b"],
      ["b", "a"],
      ["b"],
    ]);
    await fill(store, record("b"));
    expect(store.expired(30, 5)).toEqual(["a"]);
  });

  test("shows a change only when it is durable", async () => {
    await using store = await open();
    const written = fill(store, record("a"));
    expect(store.get("a")).toBeUndefined();
    await written;
    expect(store.get("a")).toBeDefined();
  });

  test("undoes a change that throws, and no other of its group", async () => {
    await using store = await open();
    await fill(store, record("a", "old"));
    const failure = new Error("no");
    const results = await Promise.allSettled([
      store.write((tx) => tx.put(record("b"), "*")),
      store.write((tx) => {
        tx.put(record("a", "new"), "*");
        tx.delete("b", "-");
        tx.put(record("c"), "*");
        throw failure;
      }),
      store.write((tx) => [tx.get("a")?.value, tx.put(record("d"), "*")]),
      store.write(() => {
        throw failure;
      }),
    ]);
    expect(results).toEqual([
      { status: "fulfilled", value: 1 },
      { status: "rejected", reason: failure },
      { status: "fulfilled", value: ["old", 2] },
      { status: "rejected", reason: failure },
    ]);
    expect(store.keys({ limit: 9, liveAt: 0 }).keys).toEqual(["a", "b", "d"]);
    expect(store.lastCommitId).toBe(2);
  });

  test("sees in a change what those before it wrote", async () => {
    await using store = await open();
    const increments = Array.from({ length: 1000 }, () =>
      store.write((tx) => {
        const value = Number(tx.get("n")?.value ?? "0") + 1;
        tx.put(record("n", `${value}`), "*");
        return value;
      }),
    );
    expect(await Promise.all(increments)).toEqual(Array.from({ length: 1000 }, (_, index) => index + 1));
  });

  test("refuses a transaction that outlives its change", async () => {
    await using store = await open();
    const tx = await store.write((running) => running);
    expect(() => tx.get("a")).toThrow("the change has ended");
    expect(() => tx.put(record("a"), "*")).toThrow("the change has ended");
    expect(() => tx.delete("a", "-")).toThrow("the change has ended");
    expect(store.get("a")).toBeUndefined();
    expect(store.lastCommitId).toBe(-1);
  });

  test.each([
    ["a key", record("\ud800")],
    ["an empty key", record("")],
    ["a value", record("a", "\udc00")],
  ])("refuses %s that would come back as another text", async (_what, unfit) => {
    await using store = await open();
    await expect(store.write((tx) => tx.put(unfit, "*"))).rejects.toThrow(RangeError);
    expect(store.lastCommitId).toBe(-1);
  });

  test("commits what waits when it is closed, and nothing later", async () => {
    const store = await open();
    const written = fill(store, record("a"));
    const closed = store[Symbol.asyncDispose]();
    await expect(store.write(() => undefined)).rejects.toMatchObject({ reason: "closed" });
    await Promise.all([written, closed]);
    expect(() => store.get("a")).toThrow("closed");
    expect(() => store.check()).toThrow("closed");
    expect(store.writable).toBe(false);
    await store[Symbol.asyncDispose]();
  });
});
