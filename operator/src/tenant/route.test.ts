import { describe, expect, test } from "@jest/globals";
import type { Listing, Observed, Server } from "./observe.ts";
import { routeOf, sameRoute } from "./route.ts";

const host = "alice.at.test";
const ours: Listing = { state: "ours", generation: 5, parked: false };
const taken: Listing = { state: "refused", reason: "claimed" };
const stale: Listing = { state: "refused", reason: "stale-generation" };
const ready: Server = { state: "ready", epoch: 5, uid: "u", address: "10.0.0.1", port: 6464 };
const starting: Server = { state: "starting", epoch: 5 };

const serving = { host, state: "Serving", address: "10.0.0.1", port: 6464, uid: "u", epoch: 5 } as const;
const suspended = { host, state: "Suspended", uid: "", epoch: 5 } as const;

describe("gateways are told of an AtSign that", () => {
  test.each<[string, Observed["wanted"]["run"], Listing, Server, ReturnType<typeof routeOf>]>([
    ["is ready", "Always", ours, ready, serving],
    ["is ready, while the directory is away", "Always", { state: "unknown" }, ready, serving],
    ["is ready, with a record that is too old", "Always", stale, ready, serving],
    ["is not ready", "Always", ours, starting, undefined],
    ["has lost its name", "Always", taken, ready, undefined],
    ["is suspended", "Suspended", ours, { state: "absent" }, suspended],
    ["is suspended, and not ended yet", "Suspended", ours, ready, suspended],
    ["is suspended, and has no right to its name", "Suspended", taken, { state: "absent" }, undefined],
    ["goes", "Withdrawn", ours, ready, undefined],
    ["gives its name away", "Released", ours, ready, undefined],
    ["is on a node that is lost", "Always", ours, { state: "lost", epoch: 5 }, undefined],
  ])("%s", (_what, run, listing, server, expected) => {
    const wanted = { atSign: "@alice", run, deletionPolicy: "Retain" } as const;
    expect(routeOf({ wanted, epoch: 5, listing, server }, host)).toEqual(expected);
  });
});

test.each([
  [serving, { ...serving }, true],
  [serving, { ...serving, uid: "v" }, false],
  [serving, { ...serving, address: "10.0.0.2" }, false],
  [serving, suspended, false],
  [serving, undefined, false],
  [undefined, undefined, true],
])("%j is %j: %j", (one, other, isSame) => {
  expect(sameRoute(one, other)).toBe(isSame);
});
