import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RecordMetadata } from "@atrium/protocol";
import { silent } from "@atrium/runtime/log.ts";
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { openDiskStore } from "./disk.ts";
import { memoryStore } from "./memory.ts";
import type { Store, Transaction } from "./store.ts";

type Put = { do: "put"; key: string; value: string | undefined; times: Times; operation: "+" | "*" | "#" | null };
type Delete = { do: "delete"; key: string; operation: "-" | null };
type Get = { do: "get"; key: string };
type Throw = { do: "throw" };
type Step = Put | Delete | Get | Throw;
type Times = { availableAt?: number; expiresAt?: number };

/** What is written in one turn of the event loop: some changes, each of some steps. */
type Command = { do: "group"; changes: Step[][] } | { do: "reopen" };

const key = fc.constantFrom("a", "b", "public:c", "public:d\u{1f600}", "public:d\uffee", "private:e", "ab");
const time = fc.integer({ min: 0, max: 20 });

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("put"),
      key,
      value: fc.oneof(fc.constant(undefined), fc.string({ unit: "grapheme", maxLength: 20 })),
      times: fc.record({ availableAt: time, expiresAt: time }, { requiredKeys: [] }),
      operation: fc.constantFrom("+", "*", "#", null),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("delete"), key, operation: fc.constantFrom("-", null) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("get"), key }) },
  { weight: 1, arbitrary: fc.constant({ do: "throw" }) },
);

const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 9,
    arbitrary: fc.record({
      do: fc.constant("group"),
      changes: fc.array(fc.array(step, { maxLength: 5 }), { minLength: 1, maxLength: 4 }),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ do: "reopen" }) },
);

function metadata(times: Times): RecordMetadata {
  return { createdBy: "@a", updatedBy: "@a", createdAt: 1, updatedAt: 2, status: "active", version: 3, ...times };
}

function take(tx: Transaction, chosen: Step): unknown {
  switch (chosen.do) {
    case "put":
      return tx.put({ key: chosen.key, value: chosen.value, metadata: metadata(chosen.times) }, chosen.operation);
    case "delete":
      return tx.delete(chosen.key, chosen.operation);
    case "get":
      return tx.get(chosen.key);
    case "throw":
      throw new Error("wanted");
  }
}

/** What the changes returned or threw. */
function write(store: Store, changes: Step[][]): Promise<PromiseSettledResult<unknown>[]> {
  return Promise.allSettled(changes.map((steps) => store.write((tx) => steps.map((each) => take(tx, each)))));
}

/** Everything that can be read, in small pages. */
function contents(store: Store): unknown {
  const pages: unknown[] = [];
  for (const prefix of ["", "a", "public:", "x"]) {
    for (const liveAt of [0, 10, 21]) {
      for (let after: string | undefined; ; ) {
        const page = store.keys({ prefix, after, limit: 2, liveAt });
        pages.push(page);
        if (page.next === undefined) break;
        after = page.next;
      }
    }
  }
  const log = store.changes({ after: -1, limit: 100 });
  return {
    pages,
    log,
    later: store.changes({ after: 3, limit: 2 }),
    expired: [store.expired(10, 100), store.expired(20, 1)],
    records: log.map((entry) => store.get(entry.key)),
    committed: log.map((entry) => store.committed(entry)),
    superseded: log.map(({ commitId, ...entry }) => store.committed({ ...entry, commitId: commitId + 1_000 })),
    uncommitted: store.get("private:e"),
    lastCommitId: store.lastCommitId,
  };
}

test("the store on disk does what the one in memory does, whatever is asked of them", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(command, { minLength: 1, maxLength: 12 }), async (commands) => {
      const directory = mkdtempSync(join(tmpdir(), "atrium-model-"));
      const open = () => openDiskStore({ directory, epoch: 1, log: silent });
      const memory = memoryStore();
      let disk = await open();
      try {
        for (const each of commands) {
          if (each.do === "reopen") {
            await disk[Symbol.asyncDispose]();
            disk = await open();
          } else {
            expect(await write(disk, each.changes)).toEqual(await write(memory, each.changes));
          }
          expect(contents(disk)).toEqual(contents(memory));
          disk.check();
        }
      } finally {
        await disk[Symbol.asyncDispose]();
        rmSync(directory, { recursive: true });
      }
    }),
    { numRuns: 100 },
  );
}, 60_000);
