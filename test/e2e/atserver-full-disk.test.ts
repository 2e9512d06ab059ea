import { spawnSync } from "node:child_process";
import { closeSync, fsyncSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { need } from "../kit/need.ts";
import type { AtServerClient } from "../soak/atserver-client.ts";
import { AtServerHome, type AtServerProcess } from "../soak/atserver-process.ts";

const missing = need("tmpfs");
const testOnTmpfs = missing === undefined ? test : test.skip;

let scratch = "";
let disk = "";

beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), "atrium-full-"));
  disk = join(scratch, "disk");
  mkdirSync(disk);
  if (missing === undefined) run("mount", "-t", "tmpfs", "-o", "size=8000000", "tmpfs", disk);
});

afterAll(() => {
  if (missing === undefined) run("umount", disk);
  rmSync(scratch, { recursive: true });
});

function run(command: string, ...args: string[]): void {
  const { status, stderr } = spawnSync(command, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${command}: ${stderr}`);
}

/** Takes all the room that is left. @returns the file to remove for it to be there again */
function fillUp(): string {
  const file = join(disk, "filler");
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
  return file;
}

/** Updates until one is refused. @returns the keys of what was acknowledged, and the refusal */
async function updateUntilRefused(client: AtServerClient): Promise<{ acknowledged: string[]; refusal: string }> {
  const acknowledged: string[] = [];
  for (let index = 0; ; index++) {
    const key = `k${index}.test@alice`;
    const reply = await client.ask(`update:${key} ${textOf(key)}`);
    if (!reply.startsWith("data:")) return { acknowledged, refusal: reply };
    acknowledged.push(key);
  }
}

function textOf(key: string): string {
  return key.repeat(500);
}

async function untilReady(server: AtServerProcess): Promise<void> {
  const deadline = performance.now() + 15_000;
  while ((await server.get("/readyz")).status !== 200) {
    expect(performance.now()).toBeLessThan(deadline);
    await delay(50);
  }
}

testOnTmpfs(
  "a full disk is told to writers and probes, reads go on, and writes come back when there is room",
  async () => {
    const home = new AtServerHome({ directory: scratch, data: join(disk, "data") });
    let kept: string[];
    {
      await using server = home.start();
      using client = await server.login();
      expect(await client.ask("update:before.test@alice 1")).toMatch(/^data:\d+$/);
      const filler = fillUp();
      const { acknowledged, refusal } = await updateUntilRefused(client);
      expect(refusal).toMatch(/^error:AT0002-.*no room left for data$/);
      kept = acknowledged;

      expect(await server.get("/readyz")).toEqual({ status: 503, text: "store\n" });
      expect(await server.get("/livez")).toEqual({ status: 200, text: "ok\n" });
      // With this error the protocol closes the connection.
      await client.closed;
      using reader = await server.login();
      expect(await reader.ask("llookup:before.test@alice")).toBe("data:1");
      expect(await reader.ask("scan before")).toBe('data:["before.test@alice"]');
      expect(await reader.ask("update:while.test@alice 1")).toBe(refusal);

      rmSync(filler);
      await untilReady(server);
      using writer = await server.login();
      expect(await writer.ask("update:after.test@alice 2")).toMatch(/^data:\d+$/);
      await server.kill();
    }
    await using server = home.start();
    using client = await server.login();
    for (const key of kept) expect(await client.ask(`llookup:${key}`)).toBe(`data:${textOf(key)}`);
    expect(await client.ask("llookup:after.test@alice")).toBe("data:2");
    expect(await client.ask("llookup:while.test@alice")).toMatch(/^error:AT0015/);
  },
);
