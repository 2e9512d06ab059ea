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

const { perPeer, crowded, perPeerInCrowd, total } = bounds;
const less = ({ count, bytes }: NotificationLoad) => ({ count: count - 1, bytes: bytes - 1 });
const ofOne = "too many notifications of @bob are here";
const inAll = "too many notifications";

test.each([
  ["nothing", {}],
  ["one less than one sender may have", { load: less(perPeer), totals: less(crowded) }],
  ["one less than one sender may have in a crowd", { load: less(perPeerInCrowd), totals: less(total) }],
])("there is room beside %s", (_what, held) => {
  const { changes, forgotten } = holding(held);
  assertRoom(changes, "received", "@bob");
  assertRoom(changes, "sent", "@bob");
  expect(forgotten).toEqual([]);
});

test.each([
  ["notifications of one sender", "received", { load: { ...none, count: perPeer.count } }, ofOne],
  ["bytes of one sender", "received", { load: { ...none, bytes: perPeer.bytes } }, ofOne],
  ["of one sender in a crowd", "received", { load: perPeerInCrowd, totals: { ...none, count: crowded.count } }, ofOne],
  ["bytes of one in a crowd", "received", { load: perPeerInCrowd, totals: { ...none, bytes: crowded.bytes } }, ofOne],
  ["for one recipient", "sent", { load: { ...none, count: perPeer.count } }, "too many notifications wait for @bob"],
  ["notifications", "received", { totals: { ...none, count: total.count } }, inAll],
  ["bytes", "received", { totals: { ...none, bytes: total.bytes } }, inAll],
  ["of the owner's apps", "self", { totals: { ...none, count: total.count } }, inAll],
  ["that all wait", "sent", { totals: { ...none, count: total.count } }, inAll],
] as const)("there is no room beside too many %s", (_what, kind, held, message) => {
  const { changes, forgotten } = holding({ ...held, settled: kind === "sent" ? [] : [1] });
  expect(() => assertRoom(changes, kind, "@bob")).toThrow(
    expect.objectContaining({ error: "paused", closes: false, message }),
  );
  expect(forgotten).toEqual([]);
});

test("the oldest that were delivered make room for what is to be sent", () => {
  const settled = Array.from({ length: 100 }, (_, index) => index);
  const { changes, forgotten } = holding({ load: less(perPeer), totals: crowded, settled });
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
