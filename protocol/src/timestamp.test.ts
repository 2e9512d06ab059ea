import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { formatTimestamp, parseTimestamp, writableInstant } from "./timestamp.ts";

test.each([
  ["2024-10-24 01:35:02.123Z", 1_729_733_702_123],
  ["2024-10-24T01:35:02.123Z", 1_729_733_702_123],
  ["2024-10-24 01:35:02.123999Z", 1_729_733_702_123],
  ["2024-10-24 01:35:02.1Z", 1_729_733_702_100],
  ["2024-10-24 01:35:02Z", 1_729_733_702_000],
  ["2024-10-24 01:35:02.123", 1_729_733_702_123],
  ["2024-13-24 01:35:02.123Z", undefined],
  ["2024-10-24 25:35:02.123Z", undefined],
  ["2024-10-24", undefined],
  ["null", undefined],
  ["", undefined],
])("%s is the instant %s", (text, epochMs) => {
  expect(parseTimestamp(text)).toBe(epochMs);
});

test("instants have three digits of fraction and four of year, and can be read back", () => {
  expect(formatTimestamp(1_729_733_702_120)).toBe("2024-10-24 01:35:02.120Z");
  expect(formatTimestamp(writableInstant(Number.MAX_SAFE_INTEGER * 1000))).toBe("9999-12-31 23:59:59.999Z");
  fc.assert(
    fc.property(fc.integer({ min: 0, max: Date.UTC(9999, 11, 31) }), (epochMs) => {
      expect(formatTimestamp(epochMs)).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}Z$/);
      expect(parseTimestamp(formatTimestamp(epochMs))).toBe(epochMs);
    }),
  );
});
