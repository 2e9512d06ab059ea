import { expect, test } from "@jest/globals";
import type { NotificationChanges, NotificationLoad } from "../store/notifications.ts";
import { assertRoom, bounds, defaultLifeMs, lifeOf } from "./bounds.ts";

const none = { count: 0, bytes: 0 };

/** A store that holds so much. */
function holding({
  load = none,
  totals = none,
  settled = [] as number[],
}: Partial<{
  load: NotificationLoad;
  totals: NotificationLoad;
  settled: number[];
}>) {
  const forgotten: number[] = [];
  const changes: Pick<NotificationChanges, "load" | "totals" | "oldestSettled" | "forget"> = {
    load: () => load,
    totals: () => totals,
    oldestSettled: (limit) => settled.slice(0, limit),
    forget: (times) => void forgotten.push(...times),
  };
  return { changes: changes as NotificationChanges, forgotten };
}

const { perPeer, total } = bounds;

test.each([
  ["nothing", {}],
  [
    "one less than may be",
    {
      load: { count: perPeer.count - 1, bytes: perPeer.bytes - 1 },
      totals: { count: total.count - 1, bytes: total.bytes - 1 },
    },
  ],
])("there is room beside %s", (_what, held) => {
  const { changes, forgotten } = holding(held);
  assertRoom(changes, "received", "@bob");
  assertRoom(changes, "sent", "@bob");
  expect(forgotten).toEqual([]);
});

test.each([
  [
    "notifications of one sender",
    "received",
    { load: { ...none, count: perPeer.count } },
    "too many notifications of @bob are here",
  ],
  [
    "bytes of one sender",
    "received",
    { load: { ...none, bytes: perPeer.bytes } },
    "too many notifications of @bob are here",
  ],
  [
    "notifications for one recipient",
    "sent",
    { load: { ...none, count: perPeer.count } },
    "too many notifications wait for @bob",
  ],
  ["notifications", "received", { totals: { ...none, count: total.count } }, "too many notifications"],
  ["bytes", "received", { totals: { ...none, bytes: total.bytes } }, "too many notifications"],
  ["notifications of the owner's apps", "self", { totals: { ...none, count: total.count } }, "too many notifications"],
  ["notifications that all wait", "sent", { totals: { ...none, count: total.count } }, "too many notifications"],
] as const)("there is no room beside too many %s", (_what, kind, held, message) => {
  const { changes, forgotten } = holding({ ...held, settled: kind === "sent" ? [] : [1] });
  expect(() => assertRoom(changes, kind, "@bob")).toThrow(
    expect.objectContaining({ error: "paused", closes: false, message }),
  );
  expect(forgotten).toEqual([]);
});

test("the oldest that were delivered make room for what is to be sent", () => {
  const settled = Array.from({ length: 100 }, (_, index) => index);
  const { changes, forgotten } = holding({ totals: { ...none, count: total.count }, settled });
  assertRoom(changes, "sent", "@bob");
  expect(forgotten).toEqual(settled.slice(0, 16));
});

test("a life is what its sender says, within a month, else the default", () => {
  expect([lifeOf(), lifeOf(0), lifeOf(1), lifeOf(30 * 86_400_000), lifeOf(30 * 86_400_000 + 1)]).toEqual([
    defaultLifeMs,
    defaultLifeMs,
    1,
    30 * 86_400_000,
    30 * 86_400_000,
  ]);
});
