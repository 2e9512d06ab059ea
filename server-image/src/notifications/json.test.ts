import { expect, test } from "@jest/globals";
import fc from "fast-check";
import type { StoredNotification } from "../store/notifications.ts";
import { notificationJson, notificationLine, notificationPieces } from "./json.ts";

const notification: StoredNotification = {
  kind: "received",
  id: "1",
  from: "@bob",
  to: "@alice",
  key: "@alice:a@bob",
  value: undefined,
  operation: "update",
  messageType: "key",
  priority: "low",
  strategy: "all",
  latestN: 1,
  notifier: "SYSTEM",
  lifeMs: 1,
  isEncrypted: true,
  metadata: {},
  time: 1,
  expiresAt: 2,
  status: "delivered",
  attempts: 0,
};

test("a long line is the same in pieces, each of them small", () => {
  const text = fc.oneof(
    fc.string({ unit: "grapheme" }),
    fc.constantFrom("", '"', '"key":"","value":null', "\\", "\n"),
    fc
      .tuple(fc.nat({ max: 3 }), fc.constantFrom("a", '"', "é", "😀"))
      .map(([shift, unit]) => "x".repeat(shift) + unit.repeat(70_000)),
  );
  fc.assert(
    fc.property(text, fc.option(text, { nil: undefined }), (key, value) => {
      const long = { ...notification, key, value };
      const pieces = [...notificationPieces(long)];
      expect(pieces.join("") === `${notificationLine(notificationJson(long))}\n`).toBe(true);
      expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThan(200_000);
    }),
    { numRuns: 60 },
  );
});
