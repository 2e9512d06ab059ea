import { describe, expect, test } from "@jest/globals";
import { FairQueue } from "./fair-queue.ts";

function queue(): FairQueue {
  return new FairQueue((key) => key.slice(0, 1));
}

function takeAll(from: FairQueue): string[] {
  const taken: string[] = [];
  for (let key = from.take(); key !== undefined; key = from.take()) taken.push(key);
  return taken;
}

describe("a fair queue", () => {
  test("lets groups take turns, and keeps the order within one", () => {
    const fair = queue();
    for (const key of ["a1", "a2", "a3", "a4", "b1", "b2", "c1"]) fair.add(key, 1);
    expect(takeAll(fair)).toEqual(["a1", "b1", "c1", "a2", "b2", "a3", "a4"]);
  });

  test("takes a higher priority first, and the lowest now and then", () => {
    const fair = queue();
    for (let i = 0; i < 20; i++) fair.add(`a${i}`, 0);
    for (let i = 0; i < 3; i++) fair.add(`b${i}`, 2);
    fair.add("c", 1);
    const taken = takeAll(fair);
    expect(["b0", "b1", "c"].map((key) => taken.indexOf(key))).toEqual([7, 15, 22]);
    expect(taken).toHaveLength(24);
    expect(fair.take()).toBeUndefined();
  });

  test("counts what waits, by priority", () => {
    const fair = queue();
    fair.add("a", 0);
    fair.add("b", 2);
    fair.add("c", 2);
    fair.delete("c", 2);
    fair.delete("absent", 1);
    expect([fair.size(0), fair.size(1), fair.size(2)]).toEqual([1, 0, 1]);
    fair.clear();
    expect([fair.size(0), fair.size(1), fair.size(2)]).toEqual([0, 0, 0]);
    expect(fair.take()).toBeUndefined();
  });
});
