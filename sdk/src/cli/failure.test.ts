import { expect, test } from "@jest/globals";
import { ClientError } from "../errors.ts";
import { exitCodeOf, failureOf, formatFailure, formatFailureJson } from "./failure.ts";

const error = new ClientError("not_found", "there is no record a.b@alice", { code: "AT0015", advice: "Look again." });

test("says what failed, at which step and what to do", () => {
  const failure = failureOf(error, "reading a.b@alice");
  expect(formatFailure(failure)).toBe(
    "at: there is no record a.b@alice\n    while reading a.b@alice\n    Look again.\n",
  );
  expect(JSON.parse(formatFailureJson(failure))).toEqual({
    error: {
      reason: "not_found",
      message: "there is no record a.b@alice",
      step: "reading a.b@alice",
      advice: "Look again.",
      code: "AT0015",
    },
  });
});

test("keeps what a server says from acting on the terminal", () => {
  const failure = failureOf(new ClientError("refused", "no\u001b[2J\nat: all is well\u202e"), undefined);
  expect(formatFailure(failure)).toBe("at: no\ufffd[2J\ufffdat: all is well\ufffd\n");
});

test("names no step where the command line is at fault", () => {
  expect(failureOf(new ClientError("invalid", "no"), "logging in").step).toBeUndefined();
});

test("shows a fault of its own whole", () => {
  const failure = failureOf(new TypeError("x is undefined"), undefined);
  expect(formatFailure(failure)).toContain("TypeError: x is undefined\n    at ");
  expect(exitCodeOf(failure)).toBe(1);
});

test.each([
  ["invalid", 2],
  ["not_found", 3],
  ["authentication", 4],
  ["unreachable", 5],
  ["timeout", 5],
  ["untrusted", 6],
  ["refused", 1],
  ["corrupt", 1],
  ["local", 1],
] as const)("%s ends with %i", (reason, code) => {
  expect(exitCodeOf(failureOf(new ClientError(reason, ""), undefined))).toBe(code);
});
