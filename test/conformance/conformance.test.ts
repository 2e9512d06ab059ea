import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type LocalTarget, startLocalTarget } from "./local.ts";
import type { Row } from "./row.ts";
import { rows } from "./rows/index.ts";
import { type Result, runRows } from "./run.ts";

let target: LocalTarget;
const results = new Map<Row, Result>();

// All at once, since rows wait for clocks and other atServers, and share what was set up.
beforeAll(async () => {
  target = await startLocalTarget();
  for (const result of await runRows(rows, target)) results.set(result.row, result);
}, 240_000);

afterAll(async () => {
  await target?.[Symbol.asyncDispose]();
});

test("every row has an id of its own", () => {
  expect(new Set(rows.map(({ id }) => id)).size).toBe(rows.length);
});

const documents = Map.groupBy(rows, ({ from }) => from.split(" ", 1)[0] ?? "");

describe.each([...documents])("%s", (_document, ofDocument) => {
  test.each(ofDocument.map((row) => [row.id, row] as const))("%s", (_id, row) => {
    const result = results.get(row);
    expect(result?.why).toBeUndefined();
    expect(result?.outcome).toBe("ok");
  });
});
