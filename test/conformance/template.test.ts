import { describe, expect, test } from "@jest/globals";
import { filled, matched, named } from "./template.ts";

describe("what is expected", () => {
  test.each([
    ["data:<int>", "data:-1"],
    ["data:[<any>]", "data:[]"],
    ["a.b(c)[d]{e}|^$?+*\\", "a.b(c)[d]{e}|^$?+*\\"],
    ['{"id":"<uuid>"}', '{"id":"0d6a5b2e-4b1c-4e52-9d7d-0e4f3f1c2a3b"}'],
    ["data:<true|false>", "data:false"],
    ["<date>", "2024-10-24 01:35:02.123Z"],
  ])("%s is %s", (template, text) => {
    expect(matched(template, text)).toBeDefined();
  });

  test.each([
    ["data:<int>", "data:1x"],
    ["data:<int>", "data:1\n"],
    ["a.b", "axb"],
    ["data:<any>", "data:a\nb"],
    ["<date>", "2024-10-24T01:35:02.123Z"],
    ["<otp>", "ABCDEF"],
  ])("%s is not %s", (template, text) => {
    expect(matched(template, text)).toBeUndefined();
  });

  test("it captures", () => {
    expect(matched("data:<id:int>:<x:word>", "data:12:ab")).toEqual(
      new Map([
        ["id", "12"],
        ["x", "ab"],
      ]),
    );
  });

  test("a placeholder that there is none of is a mistake of the row", () => {
    expect(() => matched("<nothing>", "")).toThrow("there is no pattern <nothing>");
  });
});

test("variables and functions are filled in, and what is unknown is a mistake of the row", () => {
  const functions = { twice: (argument: string) => argument.repeat(2) };
  expect(filled('{"a":{x}}{twice(b)}', new Map([["x", "1"]]), functions)).toBe('{"a":1}bb');
  expect(() => filled("{y}", new Map(), functions)).toThrow("there is no {y} in this row");
});

test("the Atsigns of the target take the place of those of the rows, whole names alone", () => {
  const actual = { alice: "owner1", bob: "other2" };
  expect(named("shared_key.bob@alice bobby malice", actual)).toBe("shared_key.other2@owner1 bobby malice");
});
