import { expect, test } from "@jest/globals";
import { type Found, Ledger } from "./ledger.ts";

function found(entries: Record<string, [value: string, commitId: number]>, lastCommitId: number): Found {
  const rows = Object.entries(entries);
  return {
    values: new Map(rows.map(([key, [value]]) => [key, value])),
    commitIds: new Map(rows.map(([key, [, commitId]]) => [key, commitId])),
    lastCommitId,
  };
}

/** `a` acknowledged as 1 with id 0; `b` under way as 2. */
function ledger(): Ledger {
  const made = new Ledger();
  made.acknowledge(made.sent("a", "1"), 0);
  made.sent("b", "2");
  return made;
}

test.each([
  ["what was under way did not happen", found({ a: ["1", 0] }, 0)],
  ["what was under way happened", found({ a: ["1", 0], b: ["2", 1] }, 1)],
])("finds no fault when %s", (_what, restarted) => {
  const made = ledger();
  made.compare(restarted);
  made.compare(restarted);
  expect(made.faults).toEqual([]);
});

test.each([
  ["an acknowledged write is lost", found({}, 0)],
  ["an acknowledged write has another value", found({ a: ["0", 0] }, 0)],
  ["an acknowledged write has another id", found({ a: ["1", 1] }, 1)],
  ["the last id went back", found({ a: ["1", 0] }, -1)],
  ["a value was invented", found({ a: ["1", 0], b: ["3", 1] }, 1)],
  ["a key was invented", found({ a: ["1", 0], c: ["3", 1] }, 1)],
])("finds one fault when %s", (_what, restarted) => {
  const made = ledger();
  made.compare(restarted);
  expect(made.faults).toHaveLength(1);
});

test("finds what was once found and is lost later", () => {
  const made = ledger();
  made.compare(found({ a: ["1", 0], b: ["2", 1] }, 1));
  made.compare(found({ a: ["1", 0] }, 1));
  expect(made.faults).toHaveLength(1);
});

test("finds a deletion that is undone", () => {
  const made = new Ledger();
  made.acknowledge(made.sent("a", "1"), 0);
  made.acknowledge(made.sent("a", undefined), 1);
  made.compare(found({ a: ["1", 0] }, 1));
  expect(made.faults).toHaveLength(1);
});

test("finds an id that is used again, or given out late", () => {
  const made = new Ledger();
  const early = made.sent("a", "1");
  made.acknowledge(made.sent("b", "1"), 5);
  made.acknowledge(early, 4);
  expect(made.faults).toEqual([]);
  made.acknowledge(made.sent("c", "1"), 3);
  made.acknowledge(made.sent("d", "1"), 5);
  expect(made.faults).toHaveLength(3);
});
