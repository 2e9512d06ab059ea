import { describe, expect, test } from "@jest/globals";
import type { Route } from "../tenant/observe.ts";
import { type Line, routeFeed } from "./feed.ts";

function route(host: string, epoch: number): Route {
  return { host, state: "Serving", address: "127.0.0.1", port: 1, uid: "1", epoch };
}

function cursorOf(lines: readonly Line[]): string {
  const last = lines.at(-1);
  return last !== undefined && "cursor" in last ? last.cursor : "none";
}

describe("the routes that gateways read", () => {
  test("are a whole table for who is new", () => {
    const feed = routeFeed();
    expect(feed.since(undefined)).toEqual([{ reset: true }, { cursor: expect.any(String), epoch: expect.any(Number) }]);
    feed.set(route("a.test", 1));
    feed.set(route("b.test", 2));
    feed.remove("a.test");
    feed.remove("a.test");
    const lines = feed.since(undefined);
    expect(lines).toEqual([
      { reset: true },
      { route: route("b.test", 2) },
      { cursor: expect.any(String), epoch: expect.any(Number) },
    ]);
    expect(feed.get("b.test")?.epoch).toBe(2);
  });

  test("are what changed, in order, for who comes back", () => {
    const feed = routeFeed();
    feed.set(route("a.test", 1));
    const seen = cursorOf(feed.since(undefined));
    expect(feed.since(seen)).toEqual([{ cursor: seen, epoch: expect.any(Number) }]);
    feed.set(route("b.test", 2));
    feed.remove("a.test");
    expect(feed.since(seen)).toEqual([
      { route: route("b.test", 2) },
      { gone: { host: "a.test", epoch: 1 } },
      { cursor: expect.any(String), epoch: expect.any(Number) },
    ]);
  });

  test.each([
    ["of another operator", () => cursorOf(routeFeed().since(undefined))],
    ["of the future", (own: string) => own.replace(/\d+$/, "99")],
    ["that is none", () => "nonsense"],
  ])("are a whole table for a cursor %s", (_what, make) => {
    const feed = routeFeed();
    feed.set(route("a.test", 1));
    const lines = feed.since(make(cursorOf(feed.since(undefined))));
    expect(lines[0]).toEqual({ reset: true });
    expect(lines).toHaveLength(3);
  });

  test("are a whole table for who was away too long, and remembered within bounds", () => {
    const feed = routeFeed();
    const start = cursorOf(feed.since(undefined));
    for (let epoch = 1; epoch <= 15_000; epoch += 1) feed.set(route("a.test", epoch));
    const middle = cursorOf(feed.since(undefined));
    for (let epoch = 15_001; epoch <= 21_000; epoch += 1) feed.set(route("a.test", epoch));
    expect(feed.since(start)[0]).toEqual({ reset: true });
    expect(feed.since(middle)).toHaveLength(6_001);
    expect(feed.since(middle).at(-2)).toEqual({ route: route("a.test", 21_000) });
  });

  test("tell listeners of changes until they leave", () => {
    const feed = routeFeed();
    let changes = 0;
    const leave = feed.onChange(() => {
      changes += 1;
    });
    feed.set(route("a.test", 1));
    feed.remove("a.test");
    leave();
    feed.set(route("a.test", 2));
    expect(changes).toBe(2);
  });

  test("say how far they have seen: to where they began, and to the newest route from then on", () => {
    const feed = routeFeed(50);
    const epoch = () => {
      const last = feed.since(undefined).at(-1);
      return last !== undefined && "cursor" in last ? last.epoch : undefined;
    };
    feed.set(route("a.test", 7));
    expect(epoch()).toBe(50);
    feed.set(route("a.test", 70));
    feed.remove("a.test");
    feed.set(route("b.test", 60));
    expect(epoch()).toBe(70);
  });
});
