import { describe, expect, test } from "@jest/globals";
import { ByteBudget } from "./byte-budget.ts";

describe("a byte budget", () => {
  test("gives turns in the order of asking, to nobody before them", async () => {
    const budget = new ByteBudget(100);
    const turns: string[] = [];
    const first = budget.take(80, () => turns.push("first"));
    const large = budget.take(90, () => turns.push("large"));
    const small = budget.take(10, () => turns.push("small"));
    expect([first.granted, large.granted, small.granted]).toEqual([true, false, false]);
    expect(budget.tryTake(1)).toBeUndefined();
    first.release();
    await Promise.resolve();
    expect(turns).toEqual(["large", "small"]);
    expect(budget.takenBytes).toBe(100);
    for (const lease of [large, small, small]) lease.release();
    expect(budget.takenBytes).toBe(0);
  });

  test("can be given back in part, and by those who wait", () => {
    const budget = new ByteBudget(100);
    const first = budget.take(100, () => undefined);
    const second = budget.take(50, () => undefined);
    const third = budget.take(30, () => undefined);
    first.shrink(60);
    expect(second.granted).toBe(false);
    second.release();
    first.shrink(65);
    expect(third.granted).toBe(false);
    first.shrink(59);
    expect(third.granted).toBe(true);
    expect(budget.takenBytes).toBe(89);
  });

  test("lets nobody wait for longer than they want", async () => {
    const budget = new ByteBudget(100);
    const all = await budget.turn(100, 10);
    expect(all?.bytes).toBe(100);
    expect(await budget.turn(1, 10)).toBeUndefined();
    const waiting = budget.turn(1, 10_000);
    all?.release();
    expect((await waiting)?.granted).toBe(true);
    expect(budget.takenBytes).toBe(1);
  });
});
