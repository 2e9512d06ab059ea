import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { RE2JS, RE2JSException } from "re2js";
import { nameTest } from "./regex.ts";
import { programSize } from "./regex-size.ts";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

describe("an expression of a client's", () => {
  test.each([
    ["phone", "public:phone.wavi@alice", true],
    ["^public:", "phone.wavi@alice", false],
    ["PHONE", "phone.wavi@alice", false],
    ["\\.wavi@(?:alice|bob)$", "phone.wavi@bob", true],
    ["^.{1,20}@.{1,20}$", "phone.wavi@alice", true],
    ["\\d{4}-\\d{2}-\\d{2}", "log.2026-11-23.demo@alice", true],
    ["(?<name>[a-z]+)\\.demo", "x.demo@alice", true],
  ])("%s is searched in %s", async (regex, name, found) => {
    expect((await nameTest(regex))(name)).toBe(found);
    // Once more, as it was kept.
    expect((await nameTest(regex))(name)).toBe(found);
  });

  test("takes time linear in the name", async () => {
    const matches = await nameTest("(a*)*(a|aa)*[bc]$");
    const began = performance.now();
    expect(matches("a".repeat(20_000))).toBe(false);
    expect(performance.now() - began).toBeLessThan(2_000);
  });

  test.each([
    ["is not closed", "(", /FormatException/],
    ["looks ahead", "a(?=b)", /FormatException/],
    ["is too long", "a".repeat(1_001), /longer than 1000/],
    ["repeats too often", "a{1000}".repeat(3), /too many repetitions/],
    ["repeats something long", `(${"ab".repeat(400)}){1000}`, /too many repetitions/],
    ["repeats in repetitions", "((a{20}){20}){20}", /too many repetitions/],
    ["repeats classes", "\\p{L}{1000}[^\\]x]{999}[a-z]{3}", /too many repetitions/],
    ["hides its repetitions behind quotes", "\\Q[\\Ea{1000}b{1000}c{1000}\\Q]\\E", /too many repetitions/],
    ["hides its repetitions behind an empty class", "[]a{1000}b{1000}c{1000}]", /too many repetitions/],
    ["hides its repetitions behind a class of everything", "[^]a{1000}b{1000}c{1000}]", /too many repetitions/],
    ["hides its repetitions behind flags", "a{100}(?i){100}", /too many repetitions/],
    ["hides its repetitions behind escapes", "\\\\{1000}\\){1000}\\p{L}{2}", /too many repetitions/],
  ])("is refused when it %s", async (_what, regex, message) => {
    await expect(nameTest(regex)).rejects.toMatchObject({ code: "AT0011", message: expect.stringMatching(message) });
  });

  test("does not keep more than a few, so that thousands take no memory", async () => {
    const used = async (from: number, to: number) => {
      for (let index = from; index < to; index++) await nameTest(`x{900}${index}`);
      collect();
      return process.memoryUsage().heapUsed;
    };
    const before = await used(0, 300);
    expect((await used(300, 600)) - before).toBeLessThan(20_000_000);
  });

  test("remembers little of the names it has seen, and is compiled again when it was forgotten", async () => {
    // Each of these would like to know all combinations of the last twenty characters.
    const tests = await Promise.all(
      Array.from({ length: 20 }, (_, index) => nameTest(`(a|b)*a(a|b){${20 + (index % 5)}}[c-f]{${1 + index}}`)),
    );
    let state = 1;
    const letter = () => {
      state = (state * 48_271) % 2_147_483_647;
      return state % 2 === 0 ? "a" : "b";
    };
    const names = Array.from({ length: 120 }, () => Array.from({ length: 100 }, letter).join(""));
    collect();
    const before = process.memoryUsage().heapUsed;
    for (const matches of tests) for (const name of names) expect(matches(name)).toBe(false);
    for (const [index, matches] of tests.entries()) {
      expect(matches(`${"a".repeat(30)}${"c".repeat(1 + index)}`)).toBe(true);
    }
    collect();
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(20_000_000);
  }, 20_000);

  test("is never larger than was thought, by far", () => {
    const piece = fc.constantFrom(
      ...[
        "a",
        "b",
        ".",
        "[",
        "]",
        "^",
        "(",
        ")",
        "(?:",
        "|",
        "*",
        "+",
        "?",
        "{2}",
        "{30}",
        "{0,9}",
        "{3,}",
        "\\",
        "\\d",
      ],
      ...["\\Q", "\\E", "\\p{L}", "\\x{61}", "[a-c]", "[]", "[^]", "[[:alpha:]]", "(?i)", "\\b", "$", "{", "}", "-"],
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const regex = RE2JS.translateRegExp(pieces.join(""));
        const expected = programSize(regex);
        if (expected > 5_000) return;
        try {
          expect(RE2JS.compile(regex).programSize()).toBeLessThanOrEqual(3 * expected + 10);
        } catch (error) {
          if (!(error instanceof RE2JSException)) throw error;
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

test.each([
  ["abc", 3],
  ["a{3}", 3],
  ["(ab){3}", 12],
  ["(a{10}){10}", 120],
  ["[abc]{2,5}", 5],
  ["a{2,}", 2],
  ["a{30}(?i){0,9}", 270],
  ["\\{3}", 3],
  ["\\p{L}{4}", 4],
  ["(((", 0],
  ["a{", 2],
])("%s becomes about %i instructions", (regex, size) => {
  expect(programSize(regex)).toBe(size);
});
