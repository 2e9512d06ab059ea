import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import { Progress } from "./progress.ts";

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

test("tells of a step that takes more than two seconds, once", () => {
  const lines: string[] = [];
  using progress = new Progress((line) => lines.push(line));
  progress.begin("connecting");
  jest.advanceTimersByTime(1999);
  expect(lines).toEqual([]);
  jest.advanceTimersByTime(60_000);
  expect(lines).toEqual(["connecting …"]);
});

test("does not tell of steps that are over in time, and remembers the last", () => {
  const lines: string[] = [];
  const progress = new Progress((line) => lines.push(line));
  for (const step of ["one", "two", "three"]) {
    progress.begin(step);
    jest.advanceTimersByTime(1500);
  }
  progress[Symbol.dispose]();
  jest.advanceTimersByTime(60_000);
  expect(lines).toEqual([]);
  expect(progress.step).toBe("three");
});
