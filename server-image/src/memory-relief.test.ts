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

  test("collects after every so many large bytes", () => {
    let collected = 0;
    using relief = relieveMemory(
      () => 0,
      () => collected++,
    );
    relief.used(10_000_000);
    relief.used(6_777_215);
    jest.advanceTimersByTime(10);
    expect(collected).toBe(0);
    relief.used(1);
    jest.advanceTimersByTime(10);
    expect(collected).toBe(1);
  });
});
