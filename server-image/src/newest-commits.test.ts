import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silent } from "@atrium/runtime/log.ts";
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { NewestCommits, type Selection } from "./newest-commits.ts";
import { Pace } from "./pace.ts";
import { serverMetadata } from "./records.ts";
import { openDiskStore } from "./store/disk.ts";
import { memoryStore } from "./store/memory.ts";
import type { Store } from "./store/store.ts";

const selections: readonly Selection[] = [
  { name: "even", has: (key) => Number(key.slice(1)) % 2 === 0 },
  { name: "k1", has: (key) => key === "k1" },
  { name: "none", has: () => false },
  { name: "all", has: () => true },
];

async function put(store: Store, key: string): Promise<void> {
  await store.write((tx) => tx.put({ key, value: "v", metadata: serverMetadata("@a", 0) }, "*"));
}

const command = fc.oneof(
  fc.record({ do: fc.constantFrom("put", "delete", "drop"), key: fc.constantFrom("k0", "k1", "k2", "k3") }),
  fc.record({ do: fc.constant("ask"), of: fc.constantFrom(...selections) }),
);

test("the newest commits are those of the log, whatever was asked before", async () => {
  const directory = mkdtempSync(join(tmpdir(), "atrium-newest-"));
  await using disk = await openDiskStore({ directory, epoch: 1, log: silent });
  const stores = { memory: () => memoryStore(), disk: () => disk };
  for (const open of Object.values(stores)) {
    await fc.assert(
      fc.asyncProperty(fc.array(command, { maxLength: 30 }), async (commands) => {
        const store = open();
        const newest = new NewestCommits(store);
        for (const each of commands) {
          if ("of" in each) {
            const log = store.changes({ after: -1, limit: 1_000 }).filter(({ key }) => each.of.has(key));
            expect(await newest.of(each.of, new Pace())).toBe(log.at(-1)?.commitId ?? -1);
          } else if (each.do === "put") await put(store, each.key);
          else await store.write((tx) => tx.delete(each.key, each.do === "delete" ? "-" : null));
        }
      }),
      { numRuns: 100 },
    );
  }
  rmSync(directory, { recursive: true });
});

test("what was looked through once is not looked through again", async () => {
  const store = memoryStore();
  for (let index = 0; index < 1_200; index++) await put(store, `k${index}`);
  let read = 0;
  const newest = new NewestCommits({
    changes: (range) => store.changes(range),
    changesBefore(range) {
      const page = store.changesBefore(range);
      read += page.length;
      return page;
    },
    get lastCommitId() {
      return store.lastCommitId;
    },
  });
  const nothing: Selection = { name: "none", has: () => false };
  expect(await newest.of(nothing, new Pace())).toBe(-1);
  expect(read).toBe(1_200);
  for (let round = 0; round < 10; round++) expect(await newest.of(nothing, new Pace())).toBe(-1);
  expect(read).toBe(1_200);
});

test("what is written while the log is looked through counts", async () => {
  const store = memoryStore();
  for (let index = 0; index < 20; index++) await put(store, `k${index}`);
  const newest = new NewestCommits(store);
  let moved = false;
  const pace = { next: () => (moved ? undefined : move()) } as unknown as Pace;
  const move = () => {
    moved = true;
    // What would have been found goes to the end of the log behind the back of the search.
    return put(store, "k3");
  };
  expect(await newest.of({ name: "k3", has: (key) => key === "k3" }, pace)).toBe(20);
});
