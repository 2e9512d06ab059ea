import { expect, test } from "@jest/globals";
import type { NotificationChanges } from "../store/notifications.ts";
import { assertRoom, bounds, defaultLifeMs, lifeOf } from "./bounds.ts";

/** A store that holds so many bytes. */
function holding({ load = 0, totals = 0, settled = [] as number[] }) {
  const forgotten: number[] = [];
  const changes: Pick<NotificationChanges, "load" | "totals" | "oldestSettled" | "forget"> = {
    load: () => ({ count: 1, bytes: load }),
    totals: () => ({ count: 1, bytes: totals }),
    oldestSettled: (limit) => settled.slice(0, limit),
    forget: (times) => void forgotten.push(...times),
  };
  return { changes: changes as NotificationChanges, forgotten };
}

const { perPeer, crowded, perPeerInCrowd, total } = bounds;
const ofOne = "too many notifications of @bob are here";
const inAll = "too many notifications";

test.each([
  ["nothing", {}],
  ["less than one sender may have", { load: perPeer - 1, totals: crowded - 1 }],
  ["less than one sender may have in a crowd", { load: perPeerInCrowd - 1, totals: total - 1 }],
])("there is room beside %s", (_what, held) => {
  const { changes, forgotten } = holding(held);
  assertRoom(changes, "received", "@bob");
  assertRoom(changes, "sent", "@bob");
  expect(forgotten).toEqual([]);
});

test.each([
  ["of one sender", "received", { load: perPeer }, ofOne],
  ["of one sender in a crowd", "received", { load: perPeerInCrowd, totals: crowded }, ofOne],
  ["for one recipient", "sent", { load: perPeer }, "too many notifications wait for @bob"],
  ["in all", "received", { totals: total }, inAll],
  ["of the owner's apps", "self", { totals: total }, inAll],
  ["that all wait", "sent", { totals: total }, inAll],
] as const)("there is no room beside too many %s", (_what, kind, held, message) => {
  const { changes, forgotten } = holding({ ...held, settled: kind === "sent" ? [] : [1] });
  expect(() => assertRoom(changes, kind, "@bob")).toThrow(
    expect.objectContaining({ error: "paused", closes: false, message }),
  );
  expect(forgotten).toEqual([]);
});

test("the oldest that were delivered make room for what is to be sent", () => {
  const settled = Array.from({ length: 100 }, (_, index) => index);
  const { changes, forgotten } = holding({ load: perPeer - 1, totals: crowded, settled });
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
