import { type AtSign, ProtocolError } from "@atrium/protocol";
import { silent } from "@atrium/runtime/log.ts";
import { afterEach, beforeEach, describe, expect, jest, test } from "@jest/globals";
import { PeerKeys } from "./outbound/peer-keys.ts";
import { refreshCopies, refreshDaily } from "./refresh.ts";
import { memoryStore } from "./store/memory.ts";

const start = Date.UTC(2026, 0);
const hourMs = 3_600_000;
const instant = "2025-12-31 00:00:00.000Z";
const history = { createdAt: instant, updatedAt: instant, status: "active", version: 1 };

/** An atServer of @alice that knows others by `originals`: `@bob lookup:all:…` to the value, or what asking throws. */
function setUp() {
  const store = memoryStore();
  const clock = { nowMs: start };
  const now = () => clock.nowMs;
  const originals = new Map<string, string | Error>();
  const asked: string[] = [];
  const answer = async (kind: string, owner: AtSign, command: string) => {
    asked.push(`${kind} ${command}`);
    const original = originals.get(command) ?? new ProtocolError("key_not_found", "gone");
    if (original instanceof Error) throw original;
    return JSON.stringify({ data: original, metaData: { ...history, createdBy: owner, ttr: 3600 } });
  };
  const told: string[] = [];
  const parts = {
    atSign: "@alice" as const,
    store,
    peers: {
      ask: (owner: AtSign, command: string) => answer("ask", owner, command),
      askAs: (owner: AtSign, command: string) => answer("askAs", owner, command),
    },
    peerKeys: new PeerKeys({ atSign: "@alice", store, now }),
    notifications: {
      recordChanged(commitId: number, operation: string) {
        if (commitId >= 0) told.push(operation);
      },
    },
    log: silent,
    now,
  };
  const keep = (key: string, value: string) => {
    const owner = `@${key.split("@").at(-1)}` as AtSign;
    const metadata = { createdBy: owner, updatedBy: owner, createdAt: start, updatedAt: start, version: 1, ttr: 3600 };
    const refreshAt = start + hourMs;
    return store.write((tx) => tx.put({ key, value, metadata: { ...metadata, status: "active", refreshAt } }, "*"));
  };
  return { store, clock, originals, asked, told, parts, keep };
}

describe("refreshing", () => {
  test("asks for the originals of copies that are too old, and for no others", async () => {
    const { store, clock, originals, asked, parts, keep } = setUp();
    await keep("cached:@alice:a.demo@bob", "old");
    await keep("cached:public:b.demo@bob", "old");
    await keep("cached:@carl:c.demo@bob", "another's");
    await keep("a.demo@alice", "ours");
    clock.nowMs = start + hourMs;
    expect(await refreshCopies(parts)).toBe(0);
    clock.nowMs++;
    originals.set("lookup:all:a.demo@bob", "new a").set("lookup:all:b.demo@bob", "new b");
    expect(await refreshCopies(parts)).toBe(2);
    expect(asked).toEqual(["askAs lookup:all:a.demo@bob", "ask lookup:all:b.demo@bob"]);
    expect(store.get("cached:@alice:a.demo@bob")).toMatchObject({
      value: "new a",
      metadata: { refreshAt: clock.nowMs + hourMs },
    });
    expect(store.get("cached:public:b.demo@bob")?.value).toBe("new b");
    expect(await refreshCopies(parts)).toBe(0);
  });

  test("commits what changed, and only makes younger what did not", async () => {
    const { store, clock, originals, told, parts, keep } = setUp();
    for (const name of ["same", "other", "gone"]) await keep(`cached:@alice:${name}.demo@bob`, "v");
    clock.nowMs = start + 2 * hourMs;
    originals.set("lookup:all:same.demo@bob", "v").set("lookup:all:other.demo@bob", "w");
    await refreshCopies(parts);
    told.length = 0;
    const before = store.lastCommitId;
    clock.nowMs += 2 * hourMs;
    originals.set("lookup:all:other.demo@bob", "x");
    expect(await refreshCopies(parts)).toBe(2);
    expect(told).toEqual(["update"]);
    expect(store.lastCommitId).toBe(before + 1);
    expect(store.get("cached:@alice:same.demo@bob")?.metadata.refreshAt).toBe(clock.nowMs + hourMs);
    expect(store.get("cached:@alice:gone.demo@bob")).toBeUndefined();
  });

  test("leaves an atServer alone that cannot be asked, and goes on with the others", async () => {
    const { clock, originals, asked, told, parts, keep } = setUp();
    for (const name of ["a", "b"]) await keep(`cached:@alice:${name}.demo@away`, "v");
    await keep("cached:@alice:c.demo@bob", "v");
    clock.nowMs = start + 2 * hourMs;
    originals.set("lookup:all:a.demo@away", new ProtocolError("timeout", "away")).set("lookup:all:c.demo@bob", "w");
    expect(await refreshCopies(parts)).toBe(2);
    expect(asked).toEqual(["askAs lookup:all:a.demo@away", "askAs lookup:all:c.demo@bob"]);
    expect(told).toEqual(["update"]);
  });

  test("goes through as many copies as there are, and stops when it is told to", async () => {
    const { clock, asked, parts, keep } = setUp();
    await Promise.all(Array.from({ length: 250 }, (_each, i) => keep(`cached:@alice:k${i}.demo@bob`, "v")));
    clock.nowMs = start + 2 * hourMs;
    expect(await refreshCopies(parts, AbortSignal.abort())).toBe(0);
    expect(await refreshCopies(parts)).toBe(250);
    expect(asked).toHaveLength(250);
  });
});

describe("every day", () => {
  beforeEach(() => {
    jest.useFakeTimers({ now: start, doNotFake: ["setImmediate", "queueMicrotask", "nextTick"] });
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  test("at its own hour", async () => {
    const { originals, asked, parts, keep } = setUp();
    await keep("cached:@alice:a.demo@bob", "v");
    originals.set("lookup:all:a.demo@bob", "v");
    await using _refresh = refreshDaily({ ...parts, now: Date.now }, () => 0.25);
    await jest.advanceTimersByTimeAsync(6 * hourMs - 1);
    expect(asked).toHaveLength(0);
    await jest.advanceTimersByTimeAsync(1);
    expect(asked).toHaveLength(1);
    await jest.advanceTimersByTimeAsync(24 * hourMs);
    expect(asked).toHaveLength(2);
  });
});
