import { describe, expect, test } from "@jest/globals";
import { Changes } from "./changes.ts";
import { RouteTable } from "./table.ts";

const serving = (host: string, epoch: number) =>
  JSON.stringify({ route: { host, state: "Serving", address: "10.0.0.1", port: 6464, uid: "u", epoch } });
const gone = (host: string, epoch: number) => JSON.stringify({ gone: { host, epoch } });
const cursor = (text: string, epoch?: number) => JSON.stringify({ cursor: text, epoch });
const reset = JSON.stringify({ reset: true });

function given(...lines: string[]) {
  const table = new RouteTable();
  const changes = new Changes(table);
  const results = lines.map((line) => changes.take(line));
  return { table, changes, results };
}

describe("the lines of a routes stream", () => {
  test("fill the table once it is complete", () => {
    const { table, changes, results } = given(reset, serving("a.test", 1), serving("b.test", 1), gone("b.test", 1));
    expect(table.ready).toBe(false);
    expect(table.get("a.test")).toBeUndefined();
    expect(changes.cursor).toBeUndefined();
    expect(changes.take(cursor("1"))).toEqual({ refused: [], complete: true });
    expect(table.ready).toBe(true);
    expect(table.size).toBe(1);
    expect(changes.cursor).toBe("1");
    expect(results.every(({ complete }) => !complete)).toBe(true);
  });

  test("change it one by one from then on", () => {
    const { table, changes } = given(reset, serving("a.test", 1), cursor("1"));
    changes.take(serving("b.test", 1));
    expect(table.size).toBe(2);
    changes.take(gone("a.test", 1));
    expect(table.get("a.test")).toBeUndefined();
    expect(changes.take(cursor("2")).complete).toBe(false);
    expect(changes.cursor).toBe("2");
  });

  test("never make a route older", () => {
    const { table, changes } = given(reset, serving("a.test", 5), cursor("1"));
    expect(changes.take(serving("a.test", 4)).refused).toHaveLength(1);
    changes.take(gone("a.test", 4));
    expect(table.get("a.test")?.epoch).toBe(5);
    // Also not by a whole table of an operator that is behind.
    changes.take(reset);
    changes.take(serving("a.test", 4));
    expect(changes.take(cursor("0")).refused).toHaveLength(1);
    expect(table.get("a.test")?.epoch).toBe(5);
  });

  test("take away what a whole table lacks only when its operator must have seen it", () => {
    const table = new RouteTable();
    let now = 0;
    const changes = new Changes(table, { now: () => now, keepMissingMs: 30 });
    const take = (...lines: string[]) => {
      for (const line of lines) changes.take(line);
      return [...table.values()].map(({ host, epoch }) => `${host} ${epoch}`).toSorted();
    };
    expect(take(reset, serving("a.test", 1), serving("b.test", 5), serving("c.test", 9), cursor("1", 9))).toHaveLength(
      3,
    );
    // Another operator, which has not seen all of that yet.
    const all = ["a.test 1", "b.test 5", "c.test 9", "d.test 6"];
    expect(take(reset, serving("d.test", 6), cursor("x", 6))).toEqual(all);
    now = 29;
    expect(take(cursor("x", 6))).toEqual(all);
    expect(take(serving("a.test", 1))).toEqual(all);
    now = 30;
    expect(take(cursor("x", 6))).toEqual(["a.test 1", "c.test 9", "d.test 6"]);
    expect(take(cursor("x", 8))).toContain("c.test 9");
    expect(take(cursor("x", 9))).toEqual(["a.test 1", "d.test 6"]);
  });

  test("take away at once what is said to be gone, missing or not", () => {
    const { table, changes } = given(reset, serving("a.test", 1), cursor("1", 1), reset, cursor("x", 0));
    expect(table.size).toBe(1);
    changes.take(gone("a.test", 1));
    expect(table.size).toBe(0);
  });

  test("keep the old table and its place until the new one is complete", () => {
    const { table, changes } = given(reset, serving("a.test", 1), cursor("1"), reset, serving("b.test", 1));
    changes.begin();
    expect(table.get("a.test")).toBeDefined();
    expect(table.get("b.test")).toBeUndefined();
    expect(changes.cursor).toBe("1");
    changes.take(serving("c.test", 1)); // resumed: goes on from "1"
    expect(table.get("c.test")).toBeDefined();
  });

  test("may be of kinds that are not known", () => {
    const { table, changes } = given(reset, serving("a.test", 1), cursor("1"));
    changes.take('{"hint":{"host":"a.test"}}');
    changes.take('{"route":{"host":"b.test","state":"Hibernating","uid":"u","epoch":1,"more":true}}');
    expect(table.get("b.test")).toMatchObject({ state: "Suspended", upstream: undefined });
  });

  test.each([
    "",
    "null",
    "[]",
    "{",
    '{"cursor":1}',
    '{"route":null}',
    '{"gone":{"host":"a.test"}}',
    '{"gone":{"epoch":1}}',
    '{"route":{"host":"a b","state":"Suspended","uid":"u","epoch":1}}',
    '{"route":{"host":"a.test","state":"Suspended","uid":"u","epoch":1.5}}',
    '{"route":{"host":"a.test","state":"Suspended","uid":"u","epoch":-1}}',
    '{"route":{"host":"a.test","state":"Suspended","epoch":1}}',
    '{"route":{"host":"a.test","uid":"u","epoch":1}}',
    '{"route":{"host":"a.test","state":"Serving","uid":"u","epoch":1}}',
    '{"route":{"host":"a.test","state":"Serving","address":"pod","port":1,"uid":"u","epoch":1}}',
    '{"route":{"host":"a.test","state":"Serving","address":"10.0.0.1","port":0,"uid":"u","epoch":1}}',
    '{"route":{"host":"a.test","state":"Serving","address":"10.0.0.1","port":"1","uid":"u","epoch":1}}',
  ])("are refused when they are wrong: %s", (line) => {
    const { changes, table } = given(reset, serving("a.test", 1), cursor("1"));
    expect(() => changes.take(line)).toThrow();
    expect(table.size).toBe(1);
  });

  test("must begin with a reset", () => {
    expect(() => given(serving("a.test", 1))).toThrow("before the first reset");
    const { table, changes } = given(cursor("7"));
    expect([table.ready, changes.cursor]).toEqual([false, undefined]);
  });
});
