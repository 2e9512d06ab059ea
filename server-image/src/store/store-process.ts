/**
 * A process that serves a store over IPC: for tests that stop, kill and starve the process which holds the data. It is
 * no part of the atServer.
 *
 * Takes `{ id, call, args }`, answers `{ id, result }` or `{ id, error: { name, reason, message } }`, and tells
 * `{ event }` on its own.
 */
import type { RecordMetadata } from "@atrium/protocol";
import { silent } from "@atrium/runtime/log.ts";
import { openDiskStore } from "./disk.ts";
import { type Store, type StoredRecord, StoreError } from "./store.ts";

interface Request {
  readonly id: number;
  readonly call: keyof typeof calls;
  readonly args: never;
}

interface Entry {
  readonly key: string;
  readonly value: string;
}

const metadata: RecordMetadata = {
  createdBy: "@alice",
  updatedBy: "@alice",
  createdAt: 1_000,
  updatedAt: 1_000,
  status: "active",
  version: 0,
};

const pageSize = 500;

let opened: Store | undefined;

function store(): Store {
  if (opened === undefined) throw new Error("not open");
  return opened;
}

const calls = {
  async open(options: { directory: string; epoch: number; openDeadlineMs?: number }): Promise<void> {
    opened = await openDiskStore({ ...options, log: silent, onWait: () => process.send?.({ event: "waiting" }) });
    const tellStale = async (): Promise<void> => {
      await opened?.stale;
      process.send?.({ event: "stale" });
    };
    void tellStale();
  },

  put: (entry: Entry) => store().write((tx) => tx.put(record(entry), "*")),

  remove: ({ key }: { key: string }) => store().write((tx) => tx.delete(key, "-")),

  /** Stops this process in the middle of a transaction, as SIGSTOP from elsewhere might. */
  putAndStopInside: (entry: Entry) =>
    store().write((tx) => {
      const commitId = tx.put(record(entry), "*");
      process.send?.({ event: "inside" });
      process.kill(process.pid, "SIGSTOP");
      return commitId;
    }),

  get: async ({ key }: { key: string }) => store().get(key)?.value ?? null,

  check: async () => store().check(),

  state: async () => ({ writable: store().writable, lastCommitId: store().lastCommitId }),

  /** Everything: `[key, value]` of the records, and `[key, commit id]` of the log. */
  readAll: async () => ({ records: [...records()], log: [...log()], lastCommitId: store().lastCommitId }),

  close: async () => store()[Symbol.asyncDispose](),
};

function record({ key, value }: Entry): StoredRecord {
  return { key, value, metadata };
}

function* records(): Iterable<[string, string]> {
  for (let after: string | undefined; ; ) {
    const { keys, next } = store().keys({ after, limit: pageSize, liveAt: metadata.createdAt });
    for (const key of keys) yield [key, store().get(key)?.value ?? ""];
    if (next === undefined) return;
    after = next;
  }
}

function* log(): Iterable<[string, number]> {
  for (let after = -1; ; ) {
    const entries = store().changes({ after, limit: pageSize });
    for (const { key, commitId } of entries) yield [key, commitId];
    const last = entries.at(-1);
    if (last === undefined) return;
    after = last.commitId;
  }
}

async function answer({ id, call, args }: Request): Promise<object> {
  try {
    return { id, result: await calls[call](args) };
  } catch (error) {
    const { name, message } = error instanceof Error ? error : { name: "Error", message: String(error) };
    return { id, error: { name, message, reason: error instanceof StoreError ? error.reason : undefined } };
  }
}

process.on("message", async (request: Request) => {
  process.send?.(await answer(request));
});
// Nobody is left to ask.
process.on("disconnect", () => process.exit());
