import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { nameOf } from "./names.ts";

test.each([
  ["alice", "alice"],
  ["@alice", "alice"],
  ["ALICE", "alice"],
  ["@Al.Ice", "alice"],
  ["ÉMILE", "émile"],
  ["😀", "😀"],
  ["ping", "ping"],
  ["@@alice", undefined],
  ["al ice", undefined],
  ["...", undefined],
  ["@", undefined],
  ["", undefined],
  ["a:b", undefined],
  ["{x}", undefined],
  ["a\u0000", undefined],
])("the name of %j is %j", (text, name) => {
  expect(nameOf(text)).toBe(name);
});

test("a name that is found is its own name", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const name = nameOf(text);
      if (name !== undefined) expect(nameOf(name)).toBe(name);
    }),
  );
});
