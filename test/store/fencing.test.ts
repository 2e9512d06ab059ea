import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { StoreProcess } from "./store-process.ts";

let directory = "";

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "atrium-fencing-"));
});

afterEach(() => rmSync(directory, { recursive: true }));

describe("an older process that was stopped", () => {
  test("outside of a transaction writes nothing when it goes on, and learns that it must end", async () => {
    await using older = new StoreProcess();
    await using newer = new StoreProcess();
    await older.open({ directory, epoch: 1 });
    await older.put("a", "older");

    older.stop();
    const late = older.put("a", "late").catch((error) => error);
    await newer.open({ directory, epoch: 2 });
    expect(await newer.put("a", "newer")).toBe(1);

    const stale = older.event("stale");
    older.continue();
    expect(await late).toMatchObject({ name: "StaleEpochError" });
    await stale;
    await expect(older.put("b", "later")).rejects.toMatchObject({ name: "StaleEpochError" });
    expect(await older.state()).toMatchObject({ writable: false });
    expect(await newer.readAll()).toEqual({ records: [["a", "newer"]], log: [["a", 1]], lastCommitId: 1 });
  });

  test("inside a transaction is waited for; when it goes on, its write is there before the newer one's", async () => {
    await using older = new StoreProcess();
    await using newer = new StoreProcess();
    await older.open({ directory, epoch: 1 });
    const inside = older.event("inside");
    const interrupted = older.putAndStopInside("a", "older");
    await inside;

    const waiting = newer.event("waiting");
    const opening = newer.open({ directory, epoch: 2 });
    await waiting;
    older.continue();
    expect(await interrupted).toBe(0);
    await opening;

    expect(await newer.get("a")).toBe("older");
    expect(await newer.put("a", "newer")).toBe(1);
    await expect(older.put("a", "later")).rejects.toMatchObject({ name: "StaleEpochError" });
    expect(await newer.get("a")).toBe("newer");
  });

  test("inside a transaction is waited for; when it is killed, its write never happened", async () => {
    await using older = new StoreProcess();
    await using newer = new StoreProcess();
    await older.open({ directory, epoch: 1 });
    await older.put("a", "acknowledged");
    const inside = older.event("inside");
    const interrupted = older.putAndStopInside("a", "unfinished").catch((error) => error);
    await inside;

    const waiting = newer.event("waiting");
    const opening = newer.open({ directory, epoch: 2 });
    await waiting;
    await older.kill();
    await opening;

    expect(await interrupted).toMatchObject({ name: "Gone" });
    expect(await newer.readAll()).toEqual({ records: [["a", "acknowledged"]], log: [["a", 0]], lastCommitId: 0 });
  });

  test("inside a transaction for longer than the deadline makes the newer one give up", async () => {
    await using older = new StoreProcess();
    await using newer = new StoreProcess();
    await older.open({ directory, epoch: 1 });
    const inside = older.event("inside");
    const interrupted = older.putAndStopInside("a", "older");
    await inside;
    const opening = newer.open({ directory, epoch: 2, openDeadlineMs: 200 });
    await expect(opening).rejects.toMatchObject({ name: "StoreError", reason: "busy" });
    older.continue();
    expect(await interrupted).toBe(0);
    expect(await older.put("a", "again")).toBe(1);
  });
});

test("of two processes that start on a new volume at once, the newer one owns the data", async () => {
  await using older = new StoreProcess();
  await using newer = new StoreProcess();
  const opened = await Promise.allSettled([
    older.open({ directory, epoch: 1 }).then(() => older.put("a", "older")),
    newer.open({ directory, epoch: 2 }),
  ]);
  expect(opened[1].status).toBe("fulfilled");
  await expect(older.put("b", "older")).rejects.toThrow();
  // Only if it was acknowledged, it is there.
  expect(await newer.get("a")).toBe(opened[0].status === "fulfilled" ? "older" : null);
});
