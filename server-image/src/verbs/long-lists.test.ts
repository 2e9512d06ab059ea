import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { silent } from "@atrium/runtime/log.ts";
import { afterAll, beforeAll, describe, expect, jest, test } from "@jest/globals";
import { serverMetadata } from "../records.ts";
import { openDiskStore } from "../store/disk.ts";
import type { Store } from "../store/store.ts";
import { testServer } from "../testing/atserver.ts";

const count = 20_000;
/** It costs the engine much at each name, and is found in none. */
const expensive = "(?:[a-z.]?){40}[a-z.]{40}#|(?:.*[0-9]){20}[^a-z@]$";

describe("a long list", () => {
  const directory = mkdtempSync(join(tmpdir(), "atrium-long-"));
  let store: Store;

  beforeAll(async () => {
    store = await openDiskStore({ directory, epoch: 1, log: silent });
    for (let first = 0; first < count; first += 2_000) {
      await store.write((tx) => {
        for (let index = first; index < first + 2_000; index++) {
          const key = `public:name-of-a-record-${index}.wavi@alice`;
          tx.put({ key, value: "v", metadata: serverMetadata("@alice", 0) }, "*");
        }
      });
    }
  }, 30_000);

  afterAll(async () => {
    await store[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true });
  });

  test.each([
    `scan ${expensive}`,
    `scan:cl ${expensive}`,
    `sync:from:-1:limit:25:${expensive}`,
    `sync:from:-1:limit:1:${expensive}`,
    `stats:3:${expensive}`,
    `stats:15:${expensive}`,
  ])("%s lets others in all the time", async (command) => {
    const server = testServer({ store });
    const [client, other] = [await server.owner(), await server.owner()];
    let answered = false;
    client.send(`${command}\n`);
    const reply = client.readReply().finally(() => {
      answered = true;
    });
    let asked = 0;
    let longestMs = 0;
    for (; !answered; asked++) {
      const began = performance.now();
      await turn();
      expect(await other.ask("llookup:public:name-of-a-record-7.wavi@alice")).toBe("data:v\n@alice@");
      longestMs = Math.max(longestMs, performance.now() - began);
    }
    expect(await reply).toMatch(/^data:(?:\[\]| \[\{"id":"\d+","name":"\w+","value":"(?:null|\{\})"\}\])\n@alice@$/);
    expect(asked).toBeGreaterThan(5);
    // A page of names is read in one piece, and other processes want their turn.
    expect(longestMs).toBeLessThan(100);
  });

  test("ends when the client has gone", async () => {
    const looks = jest.spyOn(store, "keys");
    const client = await testServer({ store }).owner();
    client.send(`scan ${expensive}\n`);
    while (looks.mock.calls.length < 2) await turn();
    client.server.destroy();
    await turn();
    const atEnd = looks.mock.calls.length;
    for (let round = 0; round < 50; round++) await turn();
    expect(looks.mock.calls.length).toBeLessThanOrEqual(atEnd + 1);
    expect(atEnd).toBeLessThan(count / 1_000);
    looks.mockRestore();
  });
});
