import { expect, test } from "@jest/globals";
import { idleLimitMs } from "./limits.ts";

test.each([
  ["anonymous", 1, 600_000],
  ["anonymous", 100, 600_000],
  ["anonymous", 101, 594_050],
  ["anonymous", 150, 302_500],
  ["anonymous", 200, 5_000],
  ["anonymous", 201, 5_000],
  ["owner", 150, 330_000],
  ["owner", 200, 60_000],
] as const)("%s with %i of 200 connections may idle for %i ms", (state, connections, expected) => {
  expect(idleLimitMs(state, { connections, capacity: 200 })).toBe(expected);
});
