import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { RecentMap } from "./recent-map.ts";

describe("a map of recent entries", () => {
  test("keeps what is asked for", () => {
    const map = new RecentMap<number>(10);
    map.set("asked", 0);
    for (let i = 1; i < 1_000; i += 1) {
      map.set(`${i}`, i);
      expect(map.get("asked")).toBe(0);
    }
    expect(map.get("1")).toBeUndefined();
  });

  test("never holds more than its bound, nor anything but the last value", () => {
    const step = fc.record({ key: fc.constantFrom(..."abcdefghijklmnop"), value: fc.nat(), get: fc.boolean() });
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 9 }), fc.array(step, { maxLength: 200 }), (max, steps) => {
        const map = new RecentMap<number>(max);
        const last = new Map<string, number>();
        for (const { key, value, get } of steps) {
          if (get) expect([undefined, last.get(key)]).toContain(map.get(key));
          else {
            map.set(key, value);
            last.set(key, value);
          }
          expect(map.size).toBeLessThanOrEqual(max);
        }
      }),
    );
  });

  test("forgets what it is told to", () => {
    const map = new RecentMap<number>(4);
    for (const [key, value] of [
      ["a", 1],
      ["b", 2],
      ["c", 3],
    ] as const)
      map.set(key, value);
    map.delete("a");
    map.filter((value) => value !== 2);
    expect([map.get("a"), map.get("b"), map.get("c")]).toEqual([undefined, undefined, 3]);
    map.clear();
    expect(map.size).toBe(0);
  });
});
