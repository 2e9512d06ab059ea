import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type AtKeys, activate, Client, ClientError, readPlatform } from "@atrium/sdk";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { ended, isRunning, type LocalPlatform, servicesOf, startPlatform } from "../kit/platform.ts";

let scratch: string;
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), "atrium-crash-"));
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const alone = ["@alice"];

/** What is tried here is any moment: there is no event to wait for. */
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

function own(platform: LocalPlatform, keyFile: string): Promise<AtKeys> {
  const secret = platform.secrets["@alice"] ?? "";
  return activate({ atSign: "@alice", platform: readPlatform(platform.file), secret, keyFile });
}

/** Writes one record after the other, whatever happens, and knows which were acknowledged. */
class Writer {
  readonly acknowledged: string[] = [];
  readonly #options: { file: string; keys: AtKeys };
  #ended = false;
  #running: Promise<void> | undefined;
  #waiting: (() => void)[] = [];

  constructor(options: { file: string; keys: AtKeys }) {
    this.#options = options;
  }

  /** Begins to write to the platform that the file tells of now. */
  start(): void {
    this.#ended = false;
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#ended = true;
    await this.#running;
  }

  /** Waits until so many more records were acknowledged. */
  async more(count: number): Promise<void> {
    const enough = this.acknowledged.length + count;
    while (this.acknowledged.length < enough) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  async #run(): Promise<void> {
    const { file, keys } = this.#options;
    const platform = readPlatform(file);
    for (let next = this.acknowledged.length; !this.#ended; ) {
      try {
        await using client = await Client.open({ atSign: "@alice", platform, keys, timeoutMs: 2_000 });
        for (; !this.#ended; next += 1) {
          await client.put(`n${next}.demo`, `value ${next}`);
          this.acknowledged.push(`n${next}.demo`);
          for (const resume of this.#waiting.splice(0)) resume();
        }
      } catch (error) {
        // Not acknowledged: another name, since nobody knows whether it is there.
        if (!(error instanceof ClientError)) throw error;
        next += 1;
      }
    }
  }
}

async function assertAllThere(platform: LocalPlatform, keys: AtKeys, names: readonly string[]): Promise<void> {
  await using client = await Client.open({ atSign: "@alice", platform: readPlatform(platform.file), keys });
  const values: string[] = [];
  for (const name of names) values.push((await client.get(name)).value ?? "");
  expect(values).toEqual(names.map((name) => name.replace(/^n(\d+)\.demo$/, "value $1")));
}

test("what was acknowledged is there, whatever is killed while a client writes", async () => {
  const data = join(scratch, "load");
  let platform = await startPlatform({ data, atSigns: alone });
  try {
    const keys = await own(platform, join(scratch, "load.atKeys"));
    const writer = new Writer({ file: platform.file, keys });
    for (let round = 0; round < 2; round += 1) {
      writer.start();
      await writer.more(20);
      for (const service of ["@alice", "gateway", "directory", "@alice"]) {
        process.kill(platform.services()[service] ?? 0, "SIGKILL");
        await writer.more(10);
      }
      const pids = Object.values(platform.services());
      await platform.end("SIGKILL");
      await writer.stop();
      await Promise.all(pids.map(ended));
      platform = await startPlatform({ data });
    }
    expect(writer.acknowledged.length).toBeGreaterThan(100);
    await assertAllThere(platform, keys, writer.acknowledged);
  } finally {
    await platform[Symbol.asyncDispose]();
  }
}, 60_000);

describe("a start that is broken off", () => {
  test("by kill -9, at any moment, leaves nothing running, and the next one works", async () => {
    const data = join(scratch, "start");
    const keyFile = join(scratch, "start.atKeys");
    let keys: AtKeys | undefined;
    for (const delayMs of [40, 160, 280, 400, 520]) {
      const broken = await startPlatform({ data, atSigns: alone, wait: false });
      await pause(delayMs);
      const pids = Object.values(servicesOf(broken.child.pid));
      await broken.end("SIGKILL");
      await Promise.all(pids.map(ended));

      await using platform = await startPlatform({ data, atSigns: alone });
      keys ??= await own(platform, keyFile);
      await using client = await Client.open({ atSign: "@alice", platform: readPlatform(platform.file), keys });
      await client.put(`n${delayMs}.demo`, `value ${delayMs}`);
      expect(platform.read().atSigns.map(({ atSign }) => atSign)).toEqual(alone);
    }
    await using platform = await startPlatform({ data });
    if (keys === undefined) throw new Error("nobody was activated");
    await assertAllThere(platform, keys, ["n40.demo", "n280.demo", "n520.demo"]);
  }, 90_000);

  test.each([
    ["SIGINT", 0],
    ["SIGTERM", 143],
  ] as const)("by %s ends in order, at any moment", async (signal, code) => {
    for (const delayMs of [0, 100, 200, 300]) {
      const platform = await startPlatform({ atSigns: alone, wait: false });
      // From its first file on, it knows what signals mean; before, they are the operating system's matter.
      while (!existsSync(join(platform.data, "state.sqlite"))) await pause(5);
      await pause(delayMs);
      const pids = Object.values(servicesOf(platform.child.pid));
      expect(await platform.end(signal)).toBe(code);
      expect(pids.filter(isRunning)).toEqual([]);
      expect(existsSync(platform.file)).toBe(false);
      rmSync(platform.data, { recursive: true, force: true });
    }
  });
});

test("an Atsign whose data were lost can be activated anew", async () => {
  const data = join(scratch, "removed");
  {
    await using platform = await startPlatform({ data, atSigns: alone });
    await own(platform, join(scratch, "before.atKeys"));
    await platform.until(({ atSigns }) => atSigns.every(({ activated }) => activated));
  }
  rmSync(join(data, "tenants", "alice"), { recursive: true });
  await using platform = await startPlatform({ data });
  const keys = await own(platform, join(scratch, "after.atKeys"));
  await using client = await Client.open({ atSign: "@alice", platform: readPlatform(platform.file), keys });
  await client.put("n1.demo", "value 1");
  await assertAllThere(platform, keys, ["n1.demo"]);
});

test("a state that was lost takes no data with it", async () => {
  const data = join(scratch, "lost");
  let keys: AtKeys;
  {
    await using platform = await startPlatform({ data, atSigns: alone });
    keys = await own(platform, join(scratch, "lost.atKeys"));
    await using client = await Client.open({ atSign: "@alice", platform: readPlatform(platform.file), keys });
    await client.put("n1.demo", "value 1");
  }
  rmSync(join(data, "state.sqlite"));
  await using platform = await startPlatform({ data });
  await assertAllThere(platform, keys, ["n1.demo"]);
  // The atServer knows that its activation is over, whatever the platform has forgotten.
  const secret = platform.secrets["@alice"] ?? "";
  await platform.until(({ atSigns }) => atSigns.every(({ activated }) => activated));
  const again = activate({
    atSign: "@alice",
    platform: readPlatform(platform.file),
    secret: secret || "00".repeat(64),
    keyFile: join(scratch, "stolen.atKeys"),
  });
  await expect(again).rejects.toBeInstanceOf(ClientError);
});
