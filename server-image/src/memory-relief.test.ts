import { afterEach, beforeEach, describe, expect, jest, test } from "@jest/globals";
import { relieveMemory } from "./memory-relief.ts";

describe("memory relief", () => {
  beforeEach(() => void jest.useFakeTimers());
  afterEach(() => void jest.useRealTimers());

  test("collects once after the start, and once each time the work has stopped", () => {
    let work = 0;
    let collected = 0;
    using _relief = relieveMemory(
      () => work,
      () => collected++,
    );
    jest.advanceTimersByTime(1_000);
    expect(collected).toBe(1);
    jest.advanceTimersByTime(60_000);
    expect(collected).toBe(1);
    for (let i = 0; i < 10; i++) {
      work++;
      jest.advanceTimersByTime(10_000);
    }
    expect(collected).toBe(1);
    jest.advanceTimersByTime(60_000);
    expect(collected).toBe(2);
  });

  test("collects when something large is done, soon, and once for all of a turn", () => {
    let collected = 0;
    using relief = relieveMemory(
      () => 0,
      () => collected++,
    );
    relief.used(3_000_000);
    jest.advanceTimersByTime(10);
    expect(collected).toBe(0);
    relief.used(5_000_000);
    expect(collected).toBe(0);
    jest.advanceTimersByTime(10);
    expect(collected).toBe(1);
  });

  test("collects at once when many things together are much", () => {
    let collected = 0;
    using relief = relieveMemory(
      () => 0,
      () => collected++,
    );
    for (let i = 0; i < 300; i++) relief.used(60_000);
    expect(collected).toBe(2);
    relief.used(10_000_000);
    expect(collected).toBe(3);
    jest.advanceTimersByTime(10);
    expect(collected).toBe(3);
  });

  test("makes room before something large, when there is something to clear away", () => {
    let collected = 0;
    using relief = relieveMemory(
      () => 0,
      () => collected++,
    );
    relief.makeRoom();
    relief.used(1_000_000);
    relief.makeRoom();
    expect(collected).toBe(0);
    relief.used(48_576);
    relief.makeRoom();
    relief.makeRoom();
    expect(collected).toBe(1);
  });

  test("looks now and then at how much small commands leave, and collects when it is much", () => {
    let collected = 0;
    let heap = 10_000_000;
    using relief = relieveMemory(
      () => 0,
      () => {
        collected++;
        heap = 10_000_000;
      },
      () => heap,
    );
    const answer = (times: number) => {
      for (let i = 0; i < times; i++) relief.answered();
    };
    heap += 8_000_000;
    answer(1_500);
    expect(collected).toBe(0);
    heap += 1_000_000;
    answer(547);
    expect(collected).toBe(0);
    answer(1);
    expect(collected).toBe(1);
    answer(10_000);
    expect(collected).toBe(1);
  });
});
