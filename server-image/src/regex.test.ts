import { describe, expect, test } from "@jest/globals";
import { nameTest } from "./regex.ts";
import { programSize } from "./regex-size.ts";

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
    const matches = await nameTest("(a*)*(a|aa)*b$");
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
    ["hides its repetitions behind escapes", "\\\\{1000}\\){1000}\\p{L}{2}", /too many repetitions/],
  ])("is refused when it %s", async (_what, regex, message) => {
    await expect(nameTest(regex)).rejects.toMatchObject({ code: "AT0011", message: expect.stringMatching(message) });
  });

  test("does not keep more than a few, so that thousands take no memory", async () => {
    for (let index = 0; index < 500; index++) await nameTest(`x{1000}${index}`);
    const before = process.memoryUsage().heapUsed;
    for (let index = 500; index < 1_000; index++) await nameTest(`x{1000}${index}`);
    globalThis.gc?.();
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(200_000_000);
  });
});

test.each([
  ["abc", 3],
  ["a{3}", 3],
  ["(ab){3}", 12],
  ["(a{10}){10}", 120],
  ["[abc]{2,5}", 5],
  ["a{2,}", 2],
  ["\\{3}", 3],
  ["\\p{L}{4}", 4],
  ["(((", 0],
  ["a{", 2],
])("%s becomes about %i instructions", (regex, size) => {
  expect(programSize(regex)).toBe(size);
});
