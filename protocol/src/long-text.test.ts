import { expect, test } from "@jest/globals";
import { groupsOf } from "./long-text.ts";
import { batch } from "./verbs/batch.ts";
import { notify } from "./verbs/notify.ts";
import { update } from "./verbs/update.ts";

// An engine that backtracks has no room for so many places to go back to.
const value = `${"v".repeat(20_000_000)} :end`;

test("a value may be longer than a pattern can be matched against", () => {
  expect(update.parse(`update:ttl:1:x.y@alice ${value}`).value === value).toBe(true);
  expect(notify.parse(`notify:id:1:update:@bob:x.y@alice:${value}`).value === value).toBe(true);
  const command = `update:x@alice ${value}`;
  expect(batch.parse(`batch:[{"id":1,"command":"${command}"}]`).entries[0]?.command === command).toBe(true);
});

test("what stands before the value must be within reach, and is not mistaken", () => {
  expect(() => update.parse(`update:${"k".repeat(100_000)}@alice ${value}`)).toThrow(/Invalid syntax/);
  expect(() => update.parse(`update:${"k".repeat(100_000)}`)).toThrow(/Invalid syntax/);
  expect(groupsOf(/^(?<head>a+)(?<tail>b*)$/, `${"a".repeat(100_000)}b`)).toBeUndefined();
  expect(groupsOf(/^(?<head>a+)(?<tail>b*)$/, `a${"b".repeat(100_000)}`)?.tail).toHaveLength(100_000);
});
