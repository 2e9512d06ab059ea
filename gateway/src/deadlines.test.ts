import { afterEach, beforeEach, describe, expect, jest, test } from "@jest/globals";
import { Deadlines, type Timed } from "./deadlines.ts";

function timed(name: string, due: number, called: string[], deadlines: Deadlines): Timed {
  const item: Timed = {
    due,
    place: 0,
    onDue() {
      called.push(name);
      deadlines.delete(item);
    },
    finish() {
      called.push(`${name} finished`);
      deadlines.delete(item);
    },
  };
  deadlines.add(item);
  return item;
}

describe("deadlines", () => {
  beforeEach(() => void jest.useFakeTimers());
  afterEach(() => void jest.useRealTimers());

  test("come when they are due, not before, and once", () => {
    using deadlines = new Deadlines({ periodMs: 10 });
    const called: string[] = [];
    timed("a", 1, called, deadlines);
    const extended = timed("b", 1, called, deadlines);
    timed("c", deadlines.ticks(20), called, deadlines);
    extended.due = 4;
    jest.advanceTimersByTime(10);
    expect(called).toEqual(["a"]);
    jest.advanceTimersByTime(10);
    expect(called).toEqual(["a"]);
    jest.advanceTimersByTime(100);
    expect(called).toEqual(["a", "c", "b"]);
    expect(deadlines.size).toBe(0);
  });

  test("are all looked at while some go", () => {
    using deadlines = new Deadlines({ periodMs: 10 });
    const called: string[] = [];
    const names = Array.from({ length: 50 }, (_, index) => `${index}`);
    for (const [index, name] of names.entries()) timed(name, index % 3 === 0 ? 9 : 1, called, deadlines);
    jest.advanceTimersByTime(10);
    expect(called.toSorted()).toEqual(names.filter((_, index) => index % 3 !== 0).toSorted());
    jest.advanceTimersByTime(90);
    expect(called).toHaveLength(50);
  });

  test("deleting twice takes nobody else away", () => {
    using deadlines = new Deadlines({ periodMs: 10 });
    const called: string[] = [];
    const first = timed("a", 1, called, deadlines);
    timed("b", 1, called, deadlines);
    deadlines.delete(first);
    deadlines.delete(first);
    jest.advanceTimersByTime(10);
    expect(called).toEqual(["b"]);
  });

  test("drain at once when there is nobody, and as soon as the last has gone", async () => {
    using deadlines = new Deadlines({ periodMs: 10 });
    await deadlines.drain({ withinMs: 1_000, lingerMs: 1_000 });
    const item = timed("a", 1_000, [], deadlines);
    const drained = deadlines.drain({ withinMs: 60_000, lingerMs: 1_000 });
    deadlines.delete(item);
    await drained;
  });

  test("drain by force when the time is over", async () => {
    using deadlines = new Deadlines({ periodMs: 10 });
    const called: string[] = [];
    timed("a", 1_000_000, called, deadlines);
    const drained = deadlines.drain({ withinMs: 1_000, lingerMs: 1_000 });
    jest.advanceTimersByTime(999);
    expect(called).toEqual([]);
    jest.advanceTimersByTime(1);
    await drained;
    expect(called).toEqual(["a finished"]);
  });
});
