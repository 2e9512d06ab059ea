import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { type Arrived, LineReader } from "./lines.ts";

/** All that comes of some bytes, however they are cut. */
function read(bytes: Uint8Array, cuts: readonly number[] = []): Arrived {
  const reader = new LineReader();
  const lines: string[] = [];
  const ends = [...cuts, bytes.length];
  let start = 0;
  for (const end of ends) {
    const arrived = reader.push(Buffer.from(bytes.subarray(start, end)));
    lines.push(...arrived.lines);
    if (arrived.ending !== undefined) return { lines, ending: arrived.ending };
    start = end;
  }
  return { lines, ending: undefined };
}

function readText(text: string): Arrived {
  return read(Buffer.from(text));
}

const long = "a".repeat(255);

describe("lines", () => {
  test.each<[string, string[], Arrived["ending"]]>([
    ["alice\n", ["alice"], undefined],
    ["alice\r\n", ["alice"], undefined],
    ["  alice \t\r\n", ["alice"], undefined],
    ["\n\r\n", ["", ""], undefined],
    ["alice\nbob\ncar", ["alice", "bob"], undefined],
    ["@exit", [], "exit"],
    ["@exit\r\n", [], "exit"],
    ["@EXIT\nalice\n", [], "exit"],
    ["alice\n@exit", ["alice"], "exit"],
    ["exit\n@exi", ["exit"], undefined],
    [`${long}\n`, [long], undefined],
    [`${long}\r\n`, [long], undefined],
    [`${long}\r`, [], undefined],
    [long, [], undefined],
    [`${long}a`, [], "too-long"],
    [`alice\n${long}a\n`, ["alice"], "too-long"],
    [`${"😀".repeat(255)}\n`, ["😀".repeat(255)], undefined],
    ["😀".repeat(256), [], "too-long"],
    [`${" ".repeat(256)}\n`, [], "too-long"],
  ])("of %j", (text, lines, ending) => {
    expect(readText(text)).toEqual({ lines, ending });
  });

  test.each([
    ["a lone continuation byte", [0x80, 0x0a]],
    ["a byte that is never used", [0x61, 0xff, 0x0a]],
    ["half a character before the newline", [0xf0, 0x9f, 0x98, 0x0a]],
    ["an overlong form", [0xc0, 0xaf]],
    ["a surrogate", [0xed, 0xa0, 0x80]],
    ["the second half without the first", [0x61, 0x9f, 0x98, 0x80]],
  ])("that are not UTF-8: %s", (_name, bytes) => {
    expect(read(Uint8Array.from(bytes)).ending).toBe("not-utf8");
  });

  test("with half a character at the end wait for the other half", () => {
    const bytes = Buffer.from("😀\n");
    expect(read(bytes, [1, 2, 3])).toEqual({ lines: ["😀"], ending: undefined });
  });

  test("are the same however the bytes are cut, but for an @exit that may still go on", () => {
    const text = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.constantFrom("alice", "@exi", "\r\n", "\n", "é", long, "😀".repeat(64)),
    );
    fc.assert(
      fc.property(fc.array(text), fc.array(fc.nat(2_000)), (texts, places) => {
        const bytes = Buffer.from(texts.join("").replaceAll(/@exit/gi, ""));
        const cuts = places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b);
        expect(read(bytes, cuts)).toEqual(read(bytes));
      }),
    );
  });

  test("of any bytes are read or refused, and never held beyond the limit", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 2_000 }), { maxLength: 5 }), (chunks) => {
        const reader = new LineReader();
        for (const chunk of chunks) {
          const { lines, ending } = reader.push(Buffer.from(chunk));
          for (const line of lines) expect([...line].length).toBeLessThanOrEqual(255);
          if (ending !== undefined) return;
        }
      }),
    );
  });
});
