import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type AtSign, ProtocolError } from "@atrium/protocol";
import { silent } from "@atrium/runtime/log.ts";
import { afterEach, beforeEach, describe, expect, jest, test } from "@jest/globals";
import { ByteBudget } from "../byte-budget.ts";
import { openDiskStore } from "../store/disk.ts";
import { memoryStore } from "../store/memory.ts";
import type { NewNotification } from "../store/notifications.ts";
import type { Store } from "../store/store.ts";
import { deliver } from "./delivery.ts";
import { LargeShare } from "./large.ts";
import { Outbox } from "./outbox.ts";

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ["setImmediate", "clearImmediate", "nextTick", "queueMicrotask", "performance"] });
});
afterEach(() => {
  jest.useRealTimers();
});

const unreachable = () => new ProtocolError("unable_to_connect", "nobody there");

/** Recipients who take, refuse or do not answer what they are told, and remember it. */
class World {
  readonly told: string[] = [];
  /** by recipient; whoever is not here takes everything */
  readonly answers = new Map<AtSign, () => Promise<string>>();
  inUse = 0;
  mostInUse = 0;

  async askAs(to: AtSign, line: string): Promise<string> {
    this.told.push(`${to} ${/id:([\w-]+)/.exec(line)?.[1]}`);
    this.mostInUse = Math.max(this.mostInUse, ++this.inUse);
    try {
      return await (this.answers.get(to)?.() ?? Promise.resolve("success"));
    } finally {
      this.inUse--;
    }
  }
}

function sender(store: Store, world: World, random = () => 1): Outbox {
  const parts = { store, peers: world, large: new LargeShare(new ByteBudget(1_000_000), () => undefined) };
  return new Outbox({ store, deliver: (place) => deliver(place, parts), log: silent, now: Date.now, random });
}

async function send(store: Store, to: AtSign, ids: string[], more: Partial<NewNotification> = {}): Promise<void> {
  await store.write((tx) => {
    for (const id of ids) {
      const notification: NewNotification = {
        kind: "sent",
        id,
        from: "@alice",
        to,
        key: `${to}:a.b@alice`,
        value: "v",
        operation: "update",
        messageType: "key",
        priority: "low",
        strategy: "all",
        latestN: 1,
        notifier: "SYSTEM",
        lifeMs: 900_000,
        isEncrypted: true,
        metadata: {},
        ...more,
      };
      tx.notifications.add(notification, Date.now());
    }
  });
}

/** Until nothing happens any more without a timer. */
async function calm(): Promise<void> {
  for (let turns = 0; turns < 100; turns++) await new Promise((resolve) => setImmediate(resolve));
}

async function pass(ms: number): Promise<void> {
  jest.advanceTimersByTime(ms);
  await calm();
}

const status = (store: Store, id: string) => store.notifications.byId(id)?.status;
const ids = (count: number, prefix = "n") => Array.from({ length: count }, (_, index) => `${prefix}${index}`);

test("delivers at once, to each recipient in order", async () => {
  const [store, world] = [memoryStore(), new World()];
  using outbox = sender(store, world);
  await send(store, "@bob", ids(40));
  outbox.wake();
  await calm();
  expect(world.told).toEqual(ids(40).map((id) => `@bob ${id}`));
  expect(status(store, "n39")).toBe("delivered");
  expect(world.mostInUse).toBe(1);
});

test("keeps the order while a recipient is away, and pauses longer and longer, up to a minute", async () => {
  const [store, world] = [memoryStore(), new World()];
  using outbox = sender(store, world);
  world.answers.set("@bob", () => Promise.reject(unreachable()));
  await send(store, "@bob", ["n0"]);
  outbox.wake();
  await calm();
  const pauses = [500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000];
  for (const [index, pause] of pauses.entries()) {
    expect(world.told).toHaveLength(index + 1);
    await pass(pause - 1);
    expect(world.told).toHaveLength(index + 1);
    await pass(1);
    expect(world.told).toHaveLength(index + 2);
  }
  expect([status(store, "n0"), store.notifications.byId("n0")?.attempts]).toEqual(["errored", 10]);
  await send(store, "@bob", ["n1"], { priority: "high" });
  outbox.wake();
  await calm();
  expect(world.told).toHaveLength(10);
  world.answers.delete("@bob");
  await pass(60_000);
  expect(world.told.slice(10)).toEqual(["@bob n0", "@bob n1"]);
});

test("pauses at random, so that those who failed together do not come back together", async () => {
  const [store, world] = [memoryStore(), new World()];
  using outbox = sender(store, world, () => 0);
  world.answers.set("@bob", () => Promise.reject(unreachable()));
  await send(store, "@bob", ["n0"]);
  outbox.wake();
  await calm();
  await pass(250);
  expect(world.told).toHaveLength(2);
});

test.each([
  ["an answer that is not success", () => Promise.resolve("null")],
  ["a timeout", () => Promise.reject(new ProtocolError("timeout", "slow"))],
  ["a failed handshake", () => Promise.reject(new ProtocolError("handshake", "no"))],
  ["being blocked", () => Promise.reject(new ProtocolError("blocked", "no"))],
  ["an answer that is too long", () => Promise.reject(new ProtocolError("buffer_limit", "too much"))],
  ["a recipient that is full", () => Promise.reject(new ProtocolError("paused", "full"))],
  ["a fault of ours", () => Promise.reject(new TypeError("x is undefined"))],
])("tries again after %s", async (_what, answer) => {
  const [store, world] = [memoryStore(), new World()];
  using outbox = sender(store, world);
  world.answers.set("@bob", answer);
  await send(store, "@bob", ["n0", "n1"]);
  outbox.wake();
  await calm();
  expect(world.told).toEqual(["@bob n0"]);
  world.answers.delete("@bob");
  await pass(500);
  expect(world.told).toEqual(["@bob n0", "@bob n0", "@bob n1"]);
});

test.each(["invalid_syntax", "invalid_key", "unauthorized", "buffer_limit", "illegal_arguments"] as const)(
  "goes on after one that its recipient refuses with %s",
  async (error) => {
    const [store, world] = [memoryStore(), new World()];
    using outbox = sender(store, world);
    world.answers.set("@bob", () => {
      world.answers.delete("@bob");
      return Promise.reject(new ProtocolError(error, "no"));
    });
    await send(store, "@bob", ["n0"], { value: "v".repeat(70_000) });
    await send(store, "@bob", ["n1"]);
    outbox.wake();
    await calm();
    expect(world.told).toEqual(["@bob n0", "@bob n1"]);
    expect([status(store, "n0"), status(store, "n1")]).toEqual(["refused", "delivered"]);
  },
);

test("gives up what has expired, and goes on with what has not", async () => {
  const [store, world] = [memoryStore(), new World()];
  using outbox = sender(store, world);
  world.answers.set("@bob", () => Promise.reject(unreachable()));
  await send(store, "@bob", ["n0"], { lifeMs: 1_400 });
  await send(store, "@bob", ["n1"], { lifeMs: 100_000 });
  outbox.wake();
  await calm();
  await pass(500);
  await pass(1_000);
  expect(world.told).toEqual(["@bob n0", "@bob n0", "@bob n1"]);
  await pass(90_000);
  await pass(60_000);
  world.answers.delete("@bob");
  const before = world.told.length;
  await pass(60_000);
  expect(world.told).toHaveLength(before);
});

test("is not held up by recipients who hang", async () => {
  const [store, world] = [memoryStore(), new World()];
  using outbox = sender(store, world);
  const hanging = ids(100, "@h") as AtSign[];
  const release: (() => void)[] = [];
  for (const each of hanging) {
    world.answers.set(each, () => new Promise((_, reject) => release.push(() => reject(unreachable()))));
    await send(store, each, [`to-${each.slice(1)}`]);
  }
  outbox.wake();
  await calm();
  expect(world.inUse).toBe(32);
  // Their deadlines pass.
  while (release.length > 0) {
    for (const each of release.splice(0)) each();
    await calm();
  }
  expect(world.told).toHaveLength(100);
  await pass(500);
  // All are tried again, by a few at a time: there is room for others.
  expect(world.inUse).toBe(8);
  await send(store, "@bob", ["n0"]);
  outbox.wake();
  await calm();
  expect(status(store, "n0")).toBe("delivered");
});

test("serves recipients by priority, and one with much in turns with the others", async () => {
  const [store, world] = [memoryStore(), new World()];
  using outbox = sender(store, world);
  const release: (() => void)[] = [];
  for (const each of ids(32, "@h") as AtSign[]) {
    world.answers.set(each, () => new Promise((resolve) => release.push(() => resolve("success"))));
    await send(store, each, [`to-${each.slice(1)}`]);
  }
  outbox.wake();
  await calm();
  await send(store, "@low", ids(40, "l"));
  await send(store, "@medium", ["m"], { priority: "medium" });
  await send(store, "@bob", ["b"]);
  await send(store, "@high", ["h"], { priority: "high" });
  // What comes later for a recipient raises it as a whole.
  await send(store, "@bob", ["b1"], { priority: "medium" });
  outbox.wake();
  await calm();
  world.told.splice(0);
  release.pop()?.();
  await calm();
  expect(world.told.slice(0, 5)).toEqual(["@high h", "@medium m", "@bob b", "@bob b1", "@low l0"]);
  expect(world.told).toHaveLength(44);
});

test("tries one that was heard of at once", async () => {
  const [store, world] = [memoryStore(), new World()];
  using outbox = sender(store, world);
  world.answers.set("@bob", () => Promise.reject(unreachable()));
  await send(store, "@bob", ["n0"]);
  outbox.wake();
  await calm();
  for (let times = 0; times < 6; times++) await pass(60_000);
  world.answers.delete("@bob");
  outbox.reached("@nobody");
  outbox.reached("@bob");
  await calm();
  expect(status(store, "n0")).toBe("delivered");
});

test("of strategy latest delivers only the newest of what waited", async () => {
  const [store, world] = [memoryStore(), new World()];
  using outbox = sender(store, world);
  world.answers.set("@bob", () => Promise.reject(unreachable()));
  for (const id of ids(5)) {
    await send(store, "@bob", [id], { strategy: "latest", notifier: "app", latestN: 2 });
    await store.write((tx) => tx.notifications.supersede({ to: "@bob", notifier: "app", count: 2 }));
    outbox.wake();
    await calm();
  }
  world.answers.delete("@bob");
  await pass(500);
  expect(world.told).toEqual(["@bob n0", "@bob n3", "@bob n4"]);
});

test("does not lose what was delivered when that cannot be noted", async () => {
  const [store, world] = [memoryStore(), new World()];
  using outbox = sender(store, world);
  await send(store, "@bob", ["n0", "n1"]);
  const write = jest.spyOn(store, "write").mockRejectedValueOnce(new Error("full"));
  outbox.wake();
  await calm();
  expect(world.told).toEqual(["@bob n0"]);
  await pass(500);
  expect(world.told).toEqual(["@bob n0", "@bob n0", "@bob n1"]);
  write.mockRestore();
});

test("finds the next time what it could not read when it was added", async () => {
  const [store, world] = [memoryStore(), new World()];
  using outbox = sender(store, world);
  await send(store, "@bob", ["n0"]);
  const failing = jest.spyOn(store.notifications, "waiting").mockImplementationOnce(() => {
    throw new Error("no");
  });
  outbox.wake();
  failing.mockRestore();
  await send(store, "@bob", ["n1"]);
  outbox.wake();
  await calm();
  expect(world.told).toEqual(["@bob n0", "@bob n1"]);
});

test("takes large ones one after the other", async () => {
  const [store, world] = [memoryStore(), new World()];
  using outbox = sender(store, world);
  const release: (() => void)[] = [];
  for (const to of ["@bob", "@carol"] as const) {
    world.answers.set(to, () => new Promise((resolve) => release.push(() => resolve("success"))));
    await send(store, to, [to.slice(1)], { value: "v".repeat(800_000) });
  }
  outbox.wake();
  await calm();
  expect(world.told).toEqual(["@bob bob"]);
  release.pop()?.();
  await calm();
  expect(world.told).toEqual(["@bob bob", "@carol carol"]);
});

describe("after a restart", () => {
  test("what was not delivered is, in its order, and what was is not", async () => {
    const directory = mkdtempSync(join(tmpdir(), "atrium-outbox-"));
    const world = new World();
    {
      await using store = await openDiskStore({ directory, epoch: 1, log: silent });
      using outbox = sender(store, world);
      await send(store, "@bob", ids(5));
      await send(store, "@carol", ["c"]);
      let answered = 0;
      world.answers.set("@bob", () => (answered++ < 2 ? Promise.resolve("success") : new Promise(() => undefined)));
      world.answers.set("@carol", () => Promise.reject(unreachable()));
      outbox.wake();
      while (answered < 3) await calm();
    }
    world.told.splice(0);
    world.answers.clear();
    await using store = await openDiskStore({ directory, epoch: 2, log: silent });
    using outbox = sender(store, world);
    await outbox.resume();
    while (store.notifications.recipients({ after: "", limit: 1 }).length > 0) await calm();
    expect(world.told.filter((each) => each.startsWith("@bob"))).toEqual(["@bob n2", "@bob n3", "@bob n4"]);
    expect(world.told.filter((each) => each.startsWith("@carol"))).toEqual(["@carol c"]);
    await send(store, "@bob", ["later"]);
    outbox.wake();
    await calm();
    expect(world.told.at(-1)).toBe("@bob later");
    rmSync(directory, { recursive: true });
  });

  test("nothing is delivered any more by what was before", async () => {
    const [store, world] = [memoryStore(), new World()];
    const outbox = sender(store, world);
    world.answers.set("@bob", () => Promise.reject(unreachable()));
    await send(store, "@bob", ["n0"]);
    outbox.wake();
    await calm();
    outbox[Symbol.dispose]();
    await pass(60_000);
    await send(store, "@carol", ["n1"]);
    outbox.wake();
    await calm();
    expect(world.told).toEqual(["@bob n0"]);
  });
});
