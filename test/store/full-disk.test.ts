import { spawnSync } from "node:child_process";
import { closeSync, fsyncSync, mkdtempSync, openSync, rmdirSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { need } from "../kit/need.ts";
import { StoreProcess } from "./store-process.ts";

const missing = need("tmpfs");
const testOnTmpfs = missing === undefined ? test : test.skip;

/** A small file system of its own. */
function smallDisk(bytes: number): { directory: string } & Disposable {
  const directory = mkdtempSync(join(tmpdir(), "atrium-full-"));
  run("mount", "-t", "tmpfs", "-o", `size=${bytes}`, "tmpfs", directory);
  return {
    directory,
    [Symbol.dispose]: () => {
      run("umount", directory);
      rmdirSync(directory);
    },
  };
}

function run(command: string, ...args: string[]): void {
  const { status, stderr } = spawnSync(command, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${command}: ${stderr}`);
}

/** Takes all the room that is left. */
function fillUp(directory: string): { file: string } {
  const file = join(directory, "filler");
  const descriptor = openSync(file, "w");
  const block = Buffer.alloc(4096);
  try {
    for (;;) writeSync(descriptor, block);
  } catch (error) {
    expect(error).toMatchObject({ code: "ENOSPC" });
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  return { file };
}

/** Puts until one write fails. @returns what was acknowledged, and the failure */
async function putUntilFailure(
  store: StoreProcess,
  round: string,
): Promise<{ acknowledged: string[]; error: unknown }> {
  const acknowledged: string[] = [];
  for (let index = 0; ; index++) {
    const key = `${round}${index}`;
    try {
      await store.put(key, key.repeat(1000));
      acknowledged.push(key);
    } catch (error) {
      return { acknowledged, error };
    }
  }
}

/** There is no event in another process to wait for, and its own pauses are seconds at most. */
async function untilWritable(store: StoreProcess): Promise<void> {
  const deadline = performance.now() + 15_000;
  while (!(await store.state()).writable) {
    expect(performance.now()).toBeLessThan(deadline);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

testOnTmpfs("a full disk refuses writes, answers reads, and is written again when there is room", async () => {
  using disk = smallDisk(8_000_000);
  {
    await using store = new StoreProcess();
    await store.open({ directory: disk.directory, epoch: 1 });
    await store.put("before", "1");
    const { file } = fillUp(disk.directory);

    const { acknowledged, error } = await putUntilFailure(store, "a");
    expect(error).toMatchObject({ name: "StoreError", reason: "full" });
    expect(await store.state()).toMatchObject({ writable: false });
    await expect(store.put("while full", "1")).rejects.toMatchObject({ reason: "full" });
    expect(await store.get("before")).toBe("1");
    await store.check();

    rmSync(file);
    await untilWritable(store);
    await store.put("after", "2");
    const { records } = await store.readAll();
    expect(records.map(([key]) => key).toSorted()).toEqual(["after", "before", ...acknowledged].toSorted());
    for (const [key, value] of records.filter(([name]) => name.startsWith("a") && name !== "after")) {
      expect(value).toBe(key.repeat(1000));
    }
  }
  await using store = new StoreProcess();
  await store.open({ directory: disk.directory, epoch: 2 });
  expect(await store.get("after")).toBe("2");
});

testOnTmpfs("a value for which there is no room does not keep smaller ones from being written", async () => {
  using disk = smallDisk(8_000_000);
  await using store = new StoreProcess();
  await store.open({ directory: disk.directory, epoch: 1 });
  const results = await Promise.allSettled([
    store.put("small", "1"),
    store.put("large", "x".repeat(9_000_000)),
    store.put("small too", "2"),
  ]);
  expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  expect(results[1]).toMatchObject({ reason: { reason: "full" } });
  expect(await store.state()).toMatchObject({ writable: true });
  expect((await store.readAll()).records).toEqual([
    ["small", "1"],
    ["small too", "2"],
  ]);
});

testOnTmpfs("a process that starts on a full disk serves reads, and takes over when there is room", async () => {
  using disk = smallDisk(8_000_000);
  await using older = new StoreProcess();
  await older.open({ directory: disk.directory, epoch: 1 });
  await older.put("a", "1");
  const { file } = fillUp(disk.directory);
  await putUntilFailure(older, "b");
  await older.kill();
  fillUp(disk.directory);

  await using store = new StoreProcess();
  await store.open({ directory: disk.directory, epoch: 2 });
  expect(await store.get("a")).toBe("1");
  expect(await store.state()).toMatchObject({ writable: false });
  rmSync(file);
  await untilWritable(store);
  await store.put("c", "3");
  await using late = new StoreProcess();
  await expect(late.open({ directory: disk.directory, epoch: 1 })).rejects.toMatchObject({ name: "StaleEpochError" });
});
