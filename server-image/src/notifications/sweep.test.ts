import { silent } from "@atrium/runtime/log.ts";
import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import { memoryStore } from "../store/memory.ts";
import type { NewNotification } from "../store/notifications.ts";
import type { Store } from "../store/store.ts";
import { sweepStatistic } from "./statistics.ts";
import { sweepNotifications } from "./sweep.ts";

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ["setImmediate", "clearImmediate", "nextTick", "queueMicrotask", "performance"] });
});
afterEach(() => {
  jest.useRealTimers();
});

function received(id: number, lifeMs: number): NewNotification {
  return {
    kind: "received",
    id: String(id),
    from: "@bob",
    to: "@alice",
    key: "@alice:a@bob",
    value: "v",
    operation: "update",
    messageType: "key",
    priority: "low",
    strategy: "all",
    latestN: 1,
    notifier: "SYSTEM",
    lifeMs,
    isEncrypted: true,
    metadata: {},
  };
}

/** 250 that live a second, one that lives an hour. */
async function filled(): Promise<Store> {
  const store = memoryStore();
  await store.write((tx) => {
    for (let id = 0; id < 250; id++) tx.notifications.add(received(id, 1_000), Date.now());
    tx.notifications.add(received(250, 3_600_000), Date.now());
  });
  return store;
}

async function pass(ms: number): Promise<void> {
  jest.advanceTimersByTime(ms);
  for (let turns = 0; turns < 50; turns++) await new Promise((resolve) => setImmediate(resolve));
}

test("removes what has expired, in small steps, about once a minute", async () => {
  const store = await filled();
  const write = jest.spyOn(store, "write");
  await using sweep = sweepNotifications({ store, log: silent, now: Date.now, random: () => 0 });
  await pass(59_999);
  expect(write).not.toHaveBeenCalled();
  expect(sweep.last).toBeUndefined();
  await pass(1);
  expect(write).toHaveBeenCalledTimes(3);
  expect(store.notifications.counts()).toMatchObject([{ count: 1 }]);
  expect(sweep.last).toMatchObject({ before: 251, removed: 250 });
  expect(sweepStatistic(sweep.last)).toEqual({
    atCompactionType: "AtNotificationKeystore",
    lastCompactionRun: expect.stringMatching(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}Z$/),
    compactionDurationInMills: "0",
    preCompactionEntriesCount: "251",
    postCompactionEntriesCount: "1",
    deletedKeysCount: "250",
  });
  await pass(60_000);
  expect(write).toHaveBeenCalledTimes(3);
  await pass(3_600_000);
  await pass(60_000);
  expect(store.notifications.counts()).toEqual([]);
});

test("goes on after a failure of the store", async () => {
  const store = await filled();
  await using _sweep = sweepNotifications({ store, log: silent, now: Date.now, random: () => 0 });
  jest.spyOn(store, "write").mockRejectedValueOnce(new Error("full"));
  await pass(60_000);
  expect(store.notifications.expired(Date.now(), 1)).toHaveLength(1);
  await pass(60_000);
  expect(store.notifications.expired(Date.now(), 1)).toHaveLength(0);
});

test("stops when it is told to", async () => {
  const store = await filled();
  const sweep = sweepNotifications({ store, log: silent, now: Date.now, random: () => 0 });
  await sweep[Symbol.asyncDispose]();
  await pass(120_000);
  expect(store.notifications.expired(Date.now(), 1)).toHaveLength(1);
});
