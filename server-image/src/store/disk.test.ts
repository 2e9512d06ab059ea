import {
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { RecordMetadata } from "@atrium/protocol";
import { silent } from "@atrium/runtime/log.ts";
import { afterEach, describe, expect, test } from "@jest/globals";
import { type DiskStoreOptions, openDiskStore } from "./disk.ts";
import { StaleEpochError, type Store, type StoredRecord } from "./store.ts";

const scratches: string[] = [];

function scratch(): string {
  const directory = mkdtempSync(join(tmpdir(), "atrium-store-"));
  scratches.push(directory);
  return directory;
}

afterEach(() => {
  for (const directory of scratches.splice(0)) rmSync(directory, { recursive: true });
});

function open(directory: string, options: Partial<DiskStoreOptions> = {}): Promise<Store> {
  return openDiskStore({ directory, epoch: 1, log: silent, ...options });
}

const metadata: RecordMetadata = {
  createdBy: "@alice",
  updatedBy: "@alice",
  createdAt: 1_000,
  updatedAt: 1_000,
  status: "active",
  version: 0,
};

function record(key: string, value?: string): StoredRecord {
  return { key, value, metadata };
}

function put(store: Store, key: string, value?: string): Promise<number> {
  return store.write((tx) => tx.put(record(key, value), "*"));
}

/** Another process as far as SQLite's locks are concerned. */
function holdWriteLock(directory: string): Disposable {
  const db = new DatabaseSync(join(directory, "store.db"));
  db.exec("BEGIN IMMEDIATE");
  return { [Symbol.dispose]: () => db.close() };
}

test("has everything again after it was closed and opened, in a directory that it made", async () => {
  const directory = join(scratch(), "made", "[here]");
  {
    await using store = await open(directory);
    await put(store, "a", "1");
    await put(store, "b", "2");
    await store.write((tx) => tx.delete("b", null));
  }
  await using store = await open(directory);
  expect(store.get("a")).toEqual(record("a", "1"));
  expect(store.lastCommitId).toBe(1);
  expect(await put(store, "c")).toBe(2);
  expect(store.size()).toBeGreaterThan(4096);
});

test("leaves nothing but the database behind, not even what a killed process left", async () => {
  const directory = scratch();
  writeFileSync(join(directory, "store.db.new-of-a-killed-process"), "");
  await (await open(directory))[Symbol.asyncDispose]();
  expect(readdirSync(directory)).toEqual(["store.db"]);
});

describe("epochs", () => {
  test("a lower one than that of the data is refused, the same is not", async () => {
    const directory = scratch();
    await (await open(directory, { epoch: 7 }))[Symbol.asyncDispose]();
    await expect(open(directory, { epoch: 6 })).rejects.toThrow(StaleEpochError);
    await (await open(directory, { epoch: 7 }))[Symbol.asyncDispose]();
  });

  test("a higher one takes over: whoever was there reads and writes nothing any more", async () => {
    const directory = scratch();
    await using older = await open(directory, { epoch: 1 });
    await put(older, "a", "older");
    const queued = [put(older, "a", "queued"), put(older, "b", "queued")].map((write) => write.catch((e) => e));
    await using newer = await open(directory, { epoch: 2 });

    for (const error of await Promise.all(queued)) expect(error).toBeInstanceOf(StaleEpochError);
    await expect(put(older, "b", "later")).rejects.toThrow(StaleEpochError);
    expect(await older.stale).toBeInstanceOf(StaleEpochError);
    expect(older.writable).toBe(false);
    expect(() => older.check()).toThrow(StaleEpochError);
    expect(() => older.get("a")).toThrow(StaleEpochError);

    expect(newer.keys({ limit: 9, liveAt: 0 }).keys).toEqual(["a"]);
    expect(await put(newer, "a", "newer")).toBe(1);
  });

  test("one that does not write learns of it by a check", async () => {
    const directory = scratch();
    await using older = await open(directory, { epoch: 1 });
    await using _newer = await open(directory, { epoch: 2 });
    expect(() => older.check()).toThrow(StaleEpochError);
    expect(await older.stale).toBeInstanceOf(StaleEpochError);
  });
});

describe("a lock that another process holds", () => {
  test("is waited for at start, which is told, while the process goes on", async () => {
    const directory = scratch();
    await (await open(directory))[Symbol.asyncDispose]();
    const lock = holdWriteLock(directory);
    let turns = 0;
    const ticking = setInterval(() => turns++, 10);
    const { promise: waited, resolve: onWait } = Promise.withResolvers<number>();
    const opening = open(directory, { epoch: 2, onWait });
    expect(await waited).toBeGreaterThanOrEqual(1000);
    clearInterval(ticking);
    expect(turns).toBeGreaterThan(50);
    lock[Symbol.dispose]();
    await using store = await opening;
    expect(await put(store, "a")).toBe(0);
  });

  test("is not waited for longer than the deadline, or than the caller wants", async () => {
    const directory = scratch();
    await (await open(directory))[Symbol.asyncDispose]();
    using _lock = holdWriteLock(directory);
    await expect(open(directory, { openDeadlineMs: 50 })).rejects.toMatchObject({ reason: "busy" });
    await expect(open(directory, { signal: AbortSignal.timeout(50) })).rejects.toThrow("aborted");
  });

  test("delays writes, not reads", async () => {
    const directory = scratch();
    await using store = await open(directory);
    await put(store, "a", "1");
    const lock = holdWriteLock(directory);
    const written = put(store, "a", "2");
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(store.get("a")?.value).toBe("1");
    lock[Symbol.dispose]();
    expect(await written).toBe(1);
  });

  test("refuses writes after their deadline, and no later ones", async () => {
    const directory = scratch();
    await using store = await open(directory, { writeDeadlineMs: 30 });
    {
      using _lock = holdWriteLock(directory);
      await expect(put(store, "a")).rejects.toMatchObject({ reason: "busy" });
    }
    expect(await put(store, "a")).toBe(0);
  });

  test("lets no more than a bounded number of writes wait", async () => {
    const directory = scratch();
    await using store = await open(directory);
    const writes = Array.from({ length: 5000 }, (_, index) => put(store, `${index}`).catch((error) => error.reason));
    const results = await Promise.all(writes);
    expect(results.filter((result) => result === "busy")).toHaveLength(5000 - 4096);
    expect(results.filter((result) => typeof result === "number")).toHaveLength(4096);
  });
});

describe("damage", () => {
  /** A closed store with two hundred records. */
  async function filled(): Promise<{ directory: string; file: string }> {
    const directory = scratch();
    await using store = await open(directory);
    await Promise.all(Array.from({ length: 200 }, (_, index) => put(store, `key${index}@alice`, `<value ${index}>`)));
    return { directory, file: join(directory, "store.db") };
  }

  /** Everywhere: pages keep copies of what was once in them. */
  function overwrite(file: string, what: string, by: string): void {
    const bytes = readFileSync(file, "latin1");
    expect(bytes).toContain(what);
    writeFileSync(file, bytes.replaceAll(what, by), "latin1");
  }

  test.each<[string, string, (file: string) => void]>([
    ["an empty file", "corrupt", (file) => truncateSync(file, 0)],
    ["half a file", "corrupt", (file) => truncateSync(file, readFileSync(file).length / 2)],
    ["a file that ends within a page", "corrupt", (file) => truncateSync(file, readFileSync(file).length - 100)],
    ["another file", "corrupt", (file) => writeFileSync(file, "Dear diary, ".repeat(1000))],
    [
      "another program's database",
      "corrupt",
      (file) => {
        rmSync(file);
        const db = new DatabaseSync(file);
        db.exec("CREATE TABLE x (y)");
        db.close();
      },
    ],
    [
      "the data of a newer release",
      "newer",
      (file) => {
        const db = new DatabaseSync(file);
        db.exec("PRAGMA user_version = 99");
        db.close();
      },
    ],
    [
      "a database without its state",
      "corrupt",
      (file) => {
        const db = new DatabaseSync(file);
        db.exec("DELETE FROM meta");
        db.close();
      },
    ],
    [
      "a database without its records",
      "corrupt",
      (file) => {
        const db = new DatabaseSync(file);
        db.exec("DROP TABLE record");
        db.close();
      },
    ],
  ])("%s is refused at start", async (_what, reason, damage) => {
    const { directory, file } = await filled();
    damage(file);
    await expect(open(directory)).rejects.toMatchObject({ name: "StoreError", reason });
  });

  test("of one value is an error to whoever asks for it, and stops writes; the rest can be read", async () => {
    const { directory, file } = await filled();
    overwrite(file, "<value 77>", "<ualve 77>");
    await using store = await open(directory);
    expect(() => store.get("key77@alice")).toThrow(expect.objectContaining({ reason: "corrupt" }));
    expect(store.get("key78@alice")?.value).toBe("<value 78>");
    expect(store.writable).toBe(false);
    await expect(put(store, "a")).rejects.toMatchObject({ reason: "corrupt" });
    expect(() => store.check()).toThrow(expect.objectContaining({ reason: "corrupt" }));
  });

  test("met in a change rejects it and stops writes", async () => {
    const { directory, file } = await filled();
    overwrite(file, "<value 77>", "<ualve 77>");
    await using store = await open(directory);
    const swallowing = store.write((tx) => {
      try {
        return tx.get("key77@alice");
      } catch {
        return undefined;
      }
    });
    await expect(swallowing).rejects.toMatchObject({ reason: "corrupt" });
    expect(store.writable).toBe(false);
  });

  test("of a page is an error, not an absent record", async () => {
    const { directory, file } = await filled();
    const page = 4096;
    const db = new DatabaseSync(file);
    const pages = db.prepare("SELECT pageno FROM dbstat WHERE name NOT IN ('sqlite_schema', 'meta')").all();
    db.close();
    const descriptor = openSync(file, "r+");
    for (const { pageno } of pages) {
      writeSync(descriptor, Buffer.alloc(page, 0x5a), 0, page, (Number(pageno) - 1) * page);
    }
    closeSync(descriptor);
    await using store = await open(directory);
    expect(() => store.get("key1@alice")).toThrow(expect.objectContaining({ reason: "corrupt" }));
    expect(() => store.keys({ limit: 10, liveAt: 0 })).toThrow(expect.objectContaining({ reason: "corrupt" }));
  });

  test("is found by checks although nobody asks for the record", async () => {
    const { directory, file } = await filled();
    overwrite(file, "<value 5>", "<ualve 5>");
    await using store = await open(directory);
    let checks = 0;
    const checking = (): void => {
      for (; checks < 201; checks++) store.check();
    };
    expect(checking).toThrow(expect.objectContaining({ reason: "corrupt" }));
    expect(checks).toBe(5);
    expect(store.writable).toBe(false);
  });
});
