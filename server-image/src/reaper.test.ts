import { describe, expect, jest, test } from "@jest/globals";
import { Reaper } from "./reaper.ts";

type Fake = Parameters<typeof fake>[0];

function fake(given: {
  state?: "anonymous" | "owner";
  lastActiveMs?: number;
  lineDueMs?: number;
  loginDueMs?: number;
  busy?: boolean;
}) {
  const ended: string[] = [];
  return {
    lastActiveMs: 0,
    lineDueMs: undefined,
    loginDueMs: undefined,
    busy: false,
    connection: { state: given.state ?? "anonymous" },
    ...given,
    ended,
    get ending() {
      return ended.length > 0;
    },
    end: () => void ended.push("idle"),
    expire: () => void ended.push("line"),
  };
}

function reaped(sessions: Fake[], { capacity = 200 } = {}) {
  jest.useFakeTimers({ now: 0 });
  const all = new Set(sessions.map(fake));
  let idle = 0;
  const reaper = new Reaper({ sessions: all, capacity, monotonic: () => Date.now(), onIdle: () => idle++ });
  reaper.loadRose();
  return {
    all: [...all],
    reaper,
    idle: () => idle,
    [Symbol.dispose]() {
      reaper[Symbol.dispose]();
      jest.useRealTimers();
    },
  };
}

describe("the reaper", () => {
  test("ends who was idle for ten minutes, by a timer and not before", () => {
    using run = reaped([{ lastActiveMs: 0 }, { lastActiveMs: 0, busy: true }]);
    jest.advanceTimersByTime(599_999);
    expect(run.all.map(({ ended }) => ended)).toEqual([[], []]);
    jest.advanceTimersByTime(1);
    expect(run.all.map(({ ended }) => ended)).toEqual([["idle"], []]);
    expect(run.idle()).toBe(1);
  });

  test("looks again when the load rises", () => {
    using run = reaped(
      [
        { lastActiveMs: 0 },
        { lastActiveMs: 0, state: "owner" },
        { lastActiveMs: 50_000 },
        { lastActiveMs: 50_000, state: "owner" },
      ],
      { capacity: 4 },
    );
    jest.advanceTimersByTime(5_000);
    expect(run.all.map(({ ended }) => ended)).toEqual([["idle"], [], [], []]);
    jest.advanceTimersByTime(55_000);
    expect(run.all.map(({ ended }) => ended)).toEqual([["idle"], ["idle"], ["idle"], []]);
  });

  test("keeps other times too", () => {
    using run = reaped([{ lineDueMs: 3_000 }, { loginDueMs: 4_000 }]);
    jest.advanceTimersByTime(3_000);
    expect(run.all.map(({ ended }) => ended)).toEqual([["line"], []]);
    jest.advanceTimersByTime(1_000);
    expect(run.all.map(({ ended }) => ended)).toEqual([["line"], ["idle"]]);
    jest.advanceTimersByTime(1_000_000);
    expect(run.all.map(({ ended }) => ended)).toEqual([["line"], ["idle"]]);
  });

  test("is told of times that come before the next look", () => {
    using run = reaped([{}]);
    const [session] = run.all;
    if (session !== undefined) Object.assign(session, { lineDueMs: 30_000 });
    run.reaper.dueAt(30_000);
    run.reaper.dueAt(90_000);
    jest.advanceTimersByTime(30_000);
    expect(session?.ended).toEqual(["line"]);
  });
});
