import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import type { AtSign } from "@atrium/protocol";
import { silent } from "@atrium/runtime/log.ts";
import { afterEach, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { openDiskStore } from "./disk.ts";
import { memoryStore } from "./memory.ts";
import type { NewNotification, NotificationChanges } from "./notifications.ts";
import { StaleEpochError, type Store } from "./store.ts";

const scratches: string[] = [];

function scratch(): string {
  const directory = mkdtempSync(join(tmpdir(), "atrium-notifications-"));
  scratches.push(directory);
  return directory;
}

afterEach(() => {
  for (const directory of scratches.splice(0)) rmSync(directory, { recursive: true });
});

function open(directory: string, epoch = 1): Promise<Store> {
  return openDiskStore({ directory, epoch, log: silent });
}

function sent(id: string, to: AtSign, more: Partial<NewNotification> = {}): NewNotification {
  return {
    kind: "sent",
    id,
    from: "@alice",
    to,
    key: `${to}:phone.wavi@alice`,
    value: "v",
    operation: "update",
    messageType: "key",
    priority: "low",
    strategy: "all",
    latestN: 1,
    notifier: "SYSTEM",
    lifeMs: 1_000,
    isEncrypted: true,
    metadata: { ivNonce: "n==", ttl: 5 },
    ...more,
  };
}

function received(id: string, from: AtSign, more: Partial<NewNotification> = {}): NewNotification {
  return sent(id, "@alice", { kind: "received", from, key: `@alice:phone.wavi${from}`, ...more });
}

/** Changes of one transaction. */
function change<T>(store: Store, work: (changes: NotificationChanges) => T): Promise<T> {
  return store.write((tx) => work(tx.notifications));
}

function add(store: Store, now: number, ...notifications: NewNotification[]): Promise<(number | undefined)[]> {
  return change(store, (changes) => notifications.map((each) => changes.add(each, now)));
}

describe.each([
  ["memory", async () => memoryStore()],
  ["disk", () => open(scratch())],
] as const)("notifications of the %s store", (_name, openStore) => {
  test("are none at first", async () => {
    await using store = await openStore();
    const { notifications } = store;
    expect(notifications.lastTime()).toBe(0);
    expect(notifications.byId("1")).toBeUndefined();
    expect(notifications.get(1)).toBeUndefined();
    expect(notifications.inbox({ after: 0, limit: 9 })).toEqual([]);
    expect(notifications.firstWaiting("@bob", 0)).toBeUndefined();
    expect(notifications.recipients({ after: "", limit: 9 })).toEqual([]);
    expect(notifications.counts()).toEqual([]);
  });

  test.each([
    ["a text", "hello 😀"],
    ["none", undefined],
    ["ten million bytes", "é".repeat(5_000_000)],
  ])("come back as they were, with a value that is %s", async (_what, value) => {
    await using store = await openStore();
    const notification = received("1", "@bob", {
      value,
      operation: "delete",
      messageType: "text",
      priority: "high",
      strategy: "latest",
      latestN: 3,
      notifier: "My.App",
      metadata: { pubKeyHash: { hash: "h", algo: "sha512" }, ivNonce: null, ttr: -1, ccd: true },
    });
    const [time = 0] = await add(store, 500, notification);
    const stored = { ...notification, time: 500, expiresAt: 1_500, status: "delivered", attempts: 0 };
    expect(time).toBe(500);
    expect(store.notifications.get(time)).toEqual(stored);
    expect(store.notifications.byId("1")).toEqual(stored);
  });

  test("arrive one after the other, within a millisecond and when the clock goes back", async () => {
    await using store = await openStore();
    expect(await add(store, 500, received("1", "@bob"), received("2", "@bob"), sent("3", "@bob"))).toEqual([
      500, 501, 502,
    ]);
    expect(await add(store, 400, received("4", "@bob"))).toEqual([503]);
    await change(store, (changes) => changes.forget([500, 501, 502, 503]));
    expect(await add(store, 400, received("5", "@bob"))).toEqual([504]);
    expect(await add(store, 600, received("6", "@bob"))).toEqual([600]);
    expect(store.notifications.lastTime()).toBe(600);
    // Their life is of the clock.
    expect(store.notifications.byId("5")?.expiresAt).toBe(1_400);
  });

  test("are known by id, sender and recipient until they expire, removed or not", async () => {
    await using store = await openStore();
    await add(store, 500, received("1", "@bob"));
    expect(await add(store, 1_499, received("1", "@bob", { value: "again" }))).toEqual([undefined]);
    expect(await add(store, 600, received("1", "@carol"), sent("1", "@bob"), sent("1", "@carol"))).toEqual([
      600, 601, 602,
    ]);
    await change(store, (changes) => {
      for (const time of [500, 600, 601, 602]) changes.remove(time);
    });
    expect(store.notifications.byId("1")).toBeUndefined();
    expect(await add(store, 1_499, received("1", "@bob"))).toEqual([undefined]);
    expect(await add(store, 1_500, received("1", "@bob", { value: "new" }))).toEqual([1_500]);
    expect(store.notifications.byId("1")?.value).toBe("new");
    // The owner's own is meant, whatever ids others choose.
    expect(await add(store, 2_000, sent("2", "@bob"), received("2", "@carol"))).toEqual([2_000, 2_001]);
    expect(store.notifications.byId("2")?.time).toBe(2_000);
  });

  test("of the inbox are read from a time on, without those sent and those removed", async () => {
    await using store = await openStore();
    await add(
      store,
      500,
      received("1", "@bob"),
      sent("2", "@bob"),
      sent("3", "@alice", { kind: "self" }),
      received("4", "@carol"),
      received("5", "@bob"),
    );
    await change(store, (changes) => changes.remove(503));
    const places = store.notifications.inbox({ after: 0, limit: 9 });
    expect(places.map(({ time, kind }) => [time, kind])).toEqual([
      [500, "received"],
      [502, "self"],
      [504, "received"],
    ]);
    expect(places[0]?.size).toBeGreaterThan(0);
    expect(store.notifications.inbox({ after: 500, limit: 1 }).map(({ time }) => time)).toEqual([502]);
    expect(store.notifications.inbox({ after: 504, limit: 1 })).toEqual([]);
    expect(store.notifications.get(503)).toBeUndefined();
  });

  test("that are sent wait for each recipient in their order until settled", async () => {
    await using store = await openStore();
    const { notifications } = store;
    const first = (to: AtSign, now = 500) => notifications.firstWaiting(to, now)?.time;
    await add(
      store,
      500,
      sent("1", "@bob"),
      sent("2", "@carol", { priority: "high" }),
      sent("3", "@bob"),
      received("4", "@dave"),
      sent("5", "@bob", { lifeMs: 9_000 }),
    );
    expect(notifications.recipients({ after: "", limit: 9 })).toEqual(["@bob", "@carol"]);
    expect(notifications.recipients({ after: "", limit: 1 })).toEqual(["@bob"]);
    expect(notifications.recipients({ after: "@bob", limit: 9 })).toEqual(["@carol"]);
    expect(notifications.waiting({ after: 500, limit: 9 })).toEqual([
      { time: 501, to: "@carol", priority: "high" },
      { time: 502, to: "@bob", priority: "low" },
      { time: 504, to: "@bob", priority: "low" },
    ]);
    expect(notifications.waiting({ after: 0, limit: 1 })).toHaveLength(1);

    await change(store, (changes) => changes.settle(500, "errored"));
    expect([first("@bob"), notifications.get(500)?.status, notifications.get(500)?.attempts]).toEqual([
      500,
      "errored",
      1,
    ]);
    await change(store, (changes) => changes.settle(500, "delivered"));
    expect([first("@bob"), notifications.get(500)?.status, notifications.get(500)?.attempts]).toEqual([
      502,
      "delivered",
      2,
    ]);
    await change(store, (changes) => changes.settle(502, "refused"));
    expect([first("@bob"), notifications.byId("3")?.status]).toEqual([504, "refused"]);
    // @carol's expires at 1500.
    expect([first("@carol", 1_499), first("@carol", 1_500), first("@bob", 1_500)]).toEqual([501, undefined, 504]);
    // What is settled stays so.
    await change(store, (changes) => changes.settle(500, "errored"));
    expect([first("@bob"), notifications.get(500)?.status]).toEqual([504, "delivered"]);
    expect(await change(store, (changes) => changes.oldestSettled(9))).toEqual([500, 502]);
    await change(store, (changes) => changes.remove(504));
    expect([first("@bob"), first("@carol")]).toEqual([undefined, 501]);
  });

  test("with strategy latest give way to newer ones of their notifier", async () => {
    await using store = await openStore();
    const latest = { strategy: "latest", notifier: "app" } as const;
    await add(
      store,
      500,
      sent("1", "@bob", latest),
      sent("2", "@bob", { notifier: "app" }),
      sent("3", "@bob", latest),
      sent("4", "@bob", { ...latest, notifier: "other" }),
      sent("5", "@carol", latest),
      sent("6", "@bob", latest),
    );
    await change(store, (changes) => changes.supersede({ to: "@bob", notifier: "app", count: 2 }));
    const waiting = () => store.notifications.waiting({ after: 0, limit: 9 }).map(({ time }) => time);
    expect(waiting()).toEqual([501, 502, 503, 504, 505]);
    await change(store, (changes) => changes.supersede({ to: "@bob", notifier: "app", count: 1 }));
    expect(waiting()).toEqual([501, 503, 504, 505]);
    expect(store.notifications.byId("3")?.status).toBe("superseded");
    // One that was on its way.
    await change(store, (changes) => {
      changes.settle(500, "delivered");
      changes.settle(502, "errored");
    });
    expect([store.notifications.byId("1")?.status, store.notifications.byId("3")?.status]).toEqual([
      "delivered",
      "superseded",
    ]);
    expect(waiting()).toEqual([501, 503, 504, 505]);
  });

  test("are counted as they come, change and go", async () => {
    await using store = await openStore();
    const counted = () => {
      return store.notifications
        .counts()
        .map(
          ({ kind, status, operation, messageType, count }) => `${count} ${kind} ${status} ${operation} ${messageType}`,
        )
        .sort();
    };
    await add(
      store,
      500,
      sent("1", "@bob"),
      sent("2", "@bob", { operation: "delete" }),
      sent("3", "@carol"),
      received("4", "@bob", { messageType: "text" }),
    );
    expect(counted()).toEqual([
      "1 received delivered update text",
      "1 sent queued delete key",
      "2 sent queued update key",
    ]);
    const loads = () => {
      return change(store, (changes) => [
        changes.load("sent", "@bob").count,
        changes.load("sent", "@carol").count,
        changes.load("received", "@bob").count,
        changes.totals("sent").count,
      ]);
    };
    expect(await loads()).toEqual([2, 1, 1, 3]);
    await change(store, (changes) => {
      changes.settle(500, "delivered");
      changes.settle(501, "errored");
      changes.remove(503);
    });
    expect(counted()).toEqual([
      "1 received removed update text",
      "1 sent delivered update key",
      "1 sent errored delete key",
      "1 sent queued update key",
    ]);
    expect(await loads()).toEqual([1, 1, 1, 3]);
    await change(store, (changes) => changes.forget([500, 501, 502, 503, 999]));
    expect(counted()).toEqual([]);
    expect(await loads()).toEqual([0, 0, 0, 0]);
    expect(
      await change(store, (changes) => [changes.totals("sent").bytes, changes.load("sent", "@bob").bytes]),
    ).toEqual([0, 0]);
  });

  test("that have expired are named, the oldest first", async () => {
    await using store = await openStore();
    await add(
      store,
      500,
      received("1", "@bob", { lifeMs: 30 }),
      received("2", "@bob", { lifeMs: 10 }),
      sent("3", "@bob"),
    );
    const { notifications } = store;
    expect([notifications.expired(509, 9), notifications.expired(510, 9), notifications.expired(530, 9)]).toEqual([
      [],
      [501],
      [501, 500],
    ]);
    expect(notifications.expired(9_999, 1)).toEqual([501]);
  });

  test("are undone with the change that added them, and are seen only when durable", async () => {
    await using store = await openStore();
    const failed = store.write((tx) => {
      tx.notifications.add(sent("1", "@bob"), 500);
      tx.notifications.add(received("2", "@bob"), 500);
      throw new Error("no");
    });
    const kept = store.write((tx) => tx.notifications.add(sent("3", "@bob"), 500));
    expect(store.notifications.lastTime()).toBe(0);
    await expect(failed).rejects.toThrow("no");
    expect(await kept).toBe(500);
    expect(store.notifications.waiting({ after: 0, limit: 9 })).toHaveLength(1);
    expect(await change(store, (changes) => changes.totals("sent").count)).toBe(1);
    const escaped = await store.write((tx) => tx);
    expect(() => escaped.notifications.add(sent("4", "@bob"), 500)).toThrow("the change has ended");
  });

  test("refuse text that would come back as another", async () => {
    await using store = await openStore();
    await expect(add(store, 1, sent("1", "@bob", { value: "\ud800" }))).rejects.toThrow(RangeError);
    expect(store.notifications.counts()).toEqual([]);
  });
});

test("on disk they do what those in memory do, whatever is asked of them", async () => {
  const ids = fc.constantFrom("1", "2", "3", "4");
  const peers = fc.constantFrom<AtSign>("@bob", "@carol", "@\u{1f600}", "@\uffee");
  const instants = fc.nat({ max: 50 });
  const times = fc.nat({ max: 60 });
  const notification = fc
    .record({
      id: ids,
      peer: peers,
      kind: fc.constantFrom("sent" as const, "received" as const, "self" as const),
      strategy: fc.constantFrom("all" as const, "latest" as const),
      lifeMs: fc.nat({ max: 30 }),
      value: fc.option(fc.string({ unit: "grapheme", maxLength: 5 }), { nil: undefined }),
    })
    .map(({ peer, kind, ...more }) => {
      if (kind === "sent") return sent(more.id, peer, more);
      return kind === "self" ? sent(more.id, "@alice", { kind, ...more }) : received(more.id, peer, more);
    });
  type Step = (changes: NotificationChanges) => unknown;
  const step: fc.Arbitrary<Step> = fc.oneof(
    fc.tuple(notification, instants).map(
      ([each, now]): Step =>
        (changes) =>
          changes.add(each, now),
    ),
    fc.tuple(times, fc.constantFrom("delivered" as const, "errored" as const, "refused" as const)).map(
      ([time, outcome]): Step =>
        (changes) =>
          changes.settle(time, outcome),
    ),
    fc.tuple(peers, fc.nat({ max: 2 })).map(
      ([to, count]): Step =>
        (changes) =>
          changes.supersede({ to, notifier: "SYSTEM", count }),
    ),
    times.map(
      (time): Step =>
        (changes) =>
          changes.remove(time),
    ),
    fc.array(times, { maxLength: 3 }).map(
      (some): Step =>
        (changes) =>
          changes.forget(some),
    ),
    peers.map(
      (peer): Step =>
        (changes) => [changes.load("sent", peer), changes.load("received", peer)],
    ),
    fc.constant<Step>((changes) => [changes.totals("sent"), changes.totals("received"), changes.oldestSettled(3)]),
    fc.constant<Step>(() => {
      throw new Error("wanted");
    }),
  );
  const contents = ({ notifications }: Store) => ({
    last: notifications.lastTime(),
    byId: ["1", "2", "3", "4"].map((id) => notifications.byId(id)),
    inbox: [notifications.inbox({ after: 0, limit: 99 }), notifications.inbox({ after: 20, limit: 2 })],
    waiting: [notifications.waiting({ after: 0, limit: 99 }), notifications.waiting({ after: 20, limit: 2 })],
    recipients: [
      notifications.recipients({ after: "", limit: 9 }),
      notifications.recipients({ after: "@bob", limit: 1 }),
    ],
    first: (["@bob", "@carol"] as const).map((to) => notifications.firstWaiting(to, 25)),
    expired: [notifications.expired(30, 99), notifications.expired(40, 1)],
    counts: notifications.counts(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(step, { maxLength: 6 }), { minLength: 1, maxLength: 6 }), async (changes) => {
      await using memory = memoryStore();
      await using disk = await open(scratch());
      for (const steps of changes) {
        const outcomes = await Promise.all(
          [memory, disk].map((store) =>
            Promise.allSettled([store.write((tx) => steps.map((each) => each(tx.notifications)))]),
          ),
        );
        expect(outcomes[1]).toEqual(outcomes[0]);
        expect(contents(disk)).toEqual(contents(memory));
      }
    }),
    { numRuns: 60 },
  );
}, 60_000);

describe("data of the release before", () => {
  /** As it was made by schema 1. */
  function makeOld(directory: string, epoch: number): void {
    const db = new DatabaseSync(join(directory, "store.db"));
    db.exec(`
      PRAGMA page_size = 4096; PRAGMA journal_mode = WAL;
      PRAGMA application_id = ${0x41745374}; PRAGMA user_version = 1;
      CREATE TABLE meta (
        id INTEGER PRIMARY KEY CHECK (id = 1), epoch INTEGER NOT NULL, last_commit_id INTEGER NOT NULL, probe BLOB
      ) STRICT;
      INSERT INTO meta (id, epoch, last_commit_id) VALUES (1, ${epoch}, 7);
      CREATE TABLE record (
        id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, metadata TEXT NOT NULL, available_at INTEGER, expires_at INTEGER,
        commit_id INTEGER, operation TEXT, checksum INTEGER NOT NULL, value TEXT
      ) STRICT;
      CREATE UNIQUE INDEX record_by_commit ON record (commit_id) WHERE commit_id IS NOT NULL;
      CREATE INDEX record_by_expiry ON record (expires_at, key) WHERE expires_at IS NOT NULL;
      CREATE TABLE tombstone (commit_id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE) STRICT;
      INSERT INTO record (key, metadata, commit_id, operation, checksum, value)
        VALUES ('a@alice', '{}', 5, '*', ${crc32("a@alice{}kept")}, 'kept');
      INSERT INTO tombstone VALUES (7, 'b@alice');
    `);
    db.close();
  }

  test("is brought up to date with all it has, once", async () => {
    const directory = scratch();
    makeOld(directory, 1);
    for (const epoch of [2, 3]) {
      await using store = await open(directory, epoch);
      expect(store.get("a@alice")).toEqual({ key: "a@alice", value: "kept", metadata: {} });
      expect(store.changes({ after: -1, limit: 9 })).toEqual([
        { commitId: 5, key: "a@alice", operation: "*" },
        { commitId: 7, key: "b@alice", operation: "-" },
      ]);
      expect(await add(store, epoch, received(String(epoch), "@bob"))).toEqual([epoch]);
    }
    const made = scratch();
    await (await open(made))[Symbol.asyncDispose]();
    expect(schemaOf(directory)).toEqual(schemaOf(made));
  });

  test("is taken over: a process of that release that still runs cannot write", async () => {
    const directory = scratch();
    makeOld(directory, 1);
    await using _newer = await open(directory, 2);
    const db = new DatabaseSync(join(directory, "store.db"));
    expect(db.prepare("SELECT epoch FROM meta").get()).toMatchObject({ epoch: 2 });
    db.close();
  });

  test("is left alone when a newer process owns it", async () => {
    const directory = scratch();
    makeOld(directory, 5);
    await expect(open(directory, 4)).rejects.toThrow(StaleEpochError);
    const db = new DatabaseSync(join(directory, "store.db"));
    expect(db.prepare("PRAGMA user_version").get()).toMatchObject({ user_version: 1 });
    db.close();
  });

  /** What the database is made of, however it is spaced. */
  function schemaOf(directory: string): unknown {
    const db = new DatabaseSync(join(directory, "store.db"));
    const rows = db.prepare("SELECT type, name, sql FROM sqlite_schema ORDER BY type, name").all();
    const columns = db.prepare("SELECT name, type FROM pragma_table_info('meta')").all();
    db.close();
    const others = rows.filter(({ name }) => name !== "meta");
    return [
      columns,
      others.map(({ type, name, sql }) => [type, name, sql === null ? null : String(sql).replace(/\s+/g, "")]),
    ];
  }
});
