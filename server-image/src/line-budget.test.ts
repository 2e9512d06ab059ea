import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { LineBudget, type LineLease } from "./line-budget.ts";

const turn = () => Promise.resolve();

describe("a budget of commands", () => {
  test("lets the one that began first become as long as any, and others take what is left", async () => {
    const budget = new LineBudget(120, 100);
    const turns: string[] = [];
    const [first, second, third] = ["first", "second", "third"].map((name) => budget.open(() => turns.push(name)));
    first?.want(10);
    second?.want(20);
    third?.want(1);
    expect([first?.waiting, second?.waiting, third?.waiting]).toEqual([false, false, true]);
    expect(budget.takenBytes).toBe(30);
    first?.want(100);
    expect(budget.takenBytes).toBe(120);
    first?.end(90);
    await turn();
    expect([first?.bytes, turns]).toEqual([90, ["third"]]);
    second?.want(100);
    expect([second?.waiting, budget.takenBytes]).toEqual([true, 111]);
    first?.release();
    await turn();
    expect([turns, budget.takenBytes]).toEqual([["third", "second"], 101]);
    second?.release();
    third?.release();
    expect(budget.takenBytes).toBe(0);
  });

  test("forgets who goes away while it waits", async () => {
    const budget = new LineBudget(100, 100);
    const turns: string[] = [];
    const first = budget.open(() => turns.push("first"));
    const second = budget.open(() => turns.push("second"));
    const third = budget.open(() => turns.push("third"));
    first.want(50);
    second.want(50);
    third.want(50);
    second.release();
    second.want(90);
    first.release();
    third.release();
    await turn();
    expect([turns, budget.takenBytes]).toEqual([[], 0]);
  });

  test("asks nobody twice for a turn that came at once", async () => {
    const turns: number[] = [];
    const lease = new LineBudget(100, 100).open(() => turns.push(1));
    lease.want(10);
    lease.want(5);
    lease.want(60);
    await turn();
    expect([turns, lease.bytes]).toEqual([[], 60]);
  });

  test("brings everybody's turn, whatever they want and in whatever order they end", () => {
    const lengths = fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(lengths, fc.infiniteStream(fc.nat()), (wishes, choices) => {
        const budget = new LineBudget(130, 100);
        const commands = wishes.map((length) => ({ length, lease: budget.open(() => undefined), done: false }));
        const next = () => choices.next().value ?? 0;
        const canGo = ({ lease, done }: { lease: LineLease; done: boolean }) => !done && !lease.waiting;
        for (let steps = 0; commands.some(({ done }) => !done); steps++) {
          const able = commands.filter(canGo);
          // Somebody always can.
          expect(able.length).toBeGreaterThan(0);
          expect(steps).toBeLessThan(20_000);
          const command = able[next() % able.length];
          if (command === undefined) continue;
          const { lease, length } = command;
          if (lease.whole || lease.bytes >= length) {
            if (!lease.whole && next() % 2 === 0) lease.end(length);
            else {
              lease.release();
              command.done = true;
            }
          } else lease.want(Math.min(length, lease.bytes + 1 + (next() % 40)));
          expect(budget.takenBytes).toBeLessThanOrEqual(130);
        }
        expect(budget.takenBytes).toBe(0);
      }),
    );
  });
});
