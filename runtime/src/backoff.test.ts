import { expect, test } from "@jest/globals";
import { backoffMs } from "./backoff.ts";

test.each([
  [0, 0, 50],
  [0, 1, 100],
  [3, 1, 800],
  [10, 0, 500],
  [10, 1, 1000],
  [5000, 1, 1000],
])("after attempt %i with random %d it waits %i ms", (attempt, random, expected) => {
  expect(backoffMs(attempt, { minMs: 100, maxMs: 1000, random: () => random })).toBe(expected);
});
