import { expect, test } from "@jest/globals";
import { BriefRecords } from "./brief-records.ts";

test("there is a record for a minute, or until it is withdrawn", () => {
  let nowMs = 0;
  const records = new BriefRecords(() => nowMs);
  records.publish("_a@alice", "1");
  records.publish("_b@alice", "2");
  nowMs = 59_999;
  expect(records.get("_a@alice")).toBe("1");
  records.withdraw("_b@alice");
  expect(records.get("_b@alice")).toBeUndefined();
  records.publish("_a@alice", "3");
  nowMs = 60_000;
  expect(records.get("_a@alice")).toBe("3");
  nowMs = 119_999;
  expect(records.get("_a@alice")).toBeUndefined();
});

test("there are so many, and the oldest go first", () => {
  const records = new BriefRecords(() => 0);
  for (let i = 0; i < 1_001; i++) records.publish(`_${i}@alice`, "v");
  expect(records.get("_0@alice")).toBeUndefined();
  expect(records.get("_1@alice")).toBe("v");
  expect(records.get("_1000@alice")).toBe("v");
});
