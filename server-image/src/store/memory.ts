import { isLive } from "@atrium/protocol";
import { NotificationMemory } from "./notification-memory.ts";
import type { NotificationChanges, NotificationReads } from "./notifications.ts";
import {
  assertStorable,
  type CommitEntry,
  type KeyPage,
  type KeyRange,
  type Operation,
  type Store,
  type StoredRecord,
  StoreError,
  type Transaction,
} from "./store.ts";
import { compareCodePoints } from "./text-order.ts";

/** What the store was before one key was touched. */
interface Undo {
  readonly key: string;
  readonly record: StoredRecord | undefined;
  readonly entry: CommitEntry | undefined;
}

/** A store for tests, with the behaviour of the one on disk except that nothing outlives it. */
export function memoryStore(): Store {
  return new MemoryStore();
}

class MemoryStore implements Store {
  readonly stale = new Promise<never>(() => undefined);
  readonly #records = new Map<string, StoredRecord>();
  readonly #log = new Map<string, CommitEntry>();
  readonly #notifications = new NotificationMemory();
  #lastCommitId = -1;
  #closed = false;

  get lastCommitId(): number {
    return this.#lastCommitId;
  }

  get writable(): boolean {
    return !this.#closed;
  }

  get(key: string): StoredRecord | undefined {
    this.#assertOpen();
    return this.#records.get(key);
  }

  getLive(key: string, now: number): StoredRecord | undefined {
    const record = this.get(key);
    return record !== undefined && isLive(record.metadata, now) ? record : undefined;
  }

  keys({ prefix = "", after = "", limit, liveAt }: KeyRange): KeyPage {
    this.#assertOpen();
    const inRange = [...this.#records.values()]
      .filter(({ key }) => key.startsWith(prefix) && compareCodePoints(key, after) > 0)
      .sort((a, b) => compareCodePoints(a.key, b.key));
    const looked = inRange.slice(0, limit);
    return {
      keys: looked.filter(({ metadata }) => isLive(metadata, liveAt)).map(({ key }) => key),
      next: looked.length < limit ? undefined : looked.at(-1)?.key,
    };
  }

  expired(now: number, limit: number): string[] {
    this.#assertOpen();
    return [...this.#records.values()]
      .map(({ key, metadata: { expiresAt = Number.POSITIVE_INFINITY } }) => ({ key, expiresAt }))
      .filter(({ expiresAt }) => expiresAt <= now)
      .sort((a, b) => a.expiresAt - b.expiresAt || compareCodePoints(a.key, b.key))
      .slice(0, limit)
      .map(({ key }) => key);
  }

  changes({ after, limit }: { after: number; limit: number }): CommitEntry[] {
    this.#assertOpen();
    return [...this.#log.values()]
      .filter(({ commitId }) => commitId > after)
      .sort((a, b) => a.commitId - b.commitId)
      .slice(0, limit);
  }

  committed({ key, commitId }: CommitEntry): StoredRecord | undefined {
    this.#assertOpen();
    const live = this.#log.get(key);
    return live?.commitId === commitId && live.operation !== "-" ? this.#records.get(key) : undefined;
  }

  changesBefore({ before, limit }: { before: number; limit: number }): CommitEntry[] {
    this.#assertOpen();
    return [...this.#log.values()]
      .filter(({ commitId }) => commitId < before)
      .sort((a, b) => b.commitId - a.commitId)
      .slice(0, limit);
  }

  get notifications(): NotificationReads {
    this.#assertOpen();
    return this.#notifications;
  }

  async write<T>(change: (tx: Transaction) => T): Promise<T> {
    this.#assertOpen();
    await turn();
    const before = this.#lastCommitId;
    const undo: Undo[] = [];
    const undoNotifications = this.#notifications.mark();
    const parts = { records: this.#records, log: this.#log, notifications: this.#notifications };
    const tx = new MemoryTransaction(parts, undo, () => ++this.#lastCommitId);
    try {
      return change(tx);
    } catch (error) {
      this.#undo(undo);
      undoNotifications();
      this.#lastCommitId = before;
      throw error;
    } finally {
      tx.end();
    }
  }

  size(): number {
    this.#assertOpen();
    let bytes = 0;
    for (const { key, value = "" } of this.#records.values()) bytes += key.length + value.length;
    return bytes;
  }

  check(): void {
    this.#assertOpen();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await turn();
  }

  #undo(undo: readonly Undo[]): void {
    for (const { key, record, entry } of undo.toReversed()) {
      restore(this.#records, key, record);
      restore(this.#log, key, entry);
    }
  }

  #assertOpen(): void {
    if (this.#closed) throw new StoreError("closed", "the store is closed");
  }
}

interface Contents {
  readonly records: Map<string, StoredRecord>;
  readonly log: Map<string, CommitEntry>;
  readonly notifications: NotificationChanges;
}

class MemoryTransaction implements Transaction {
  readonly #records: Map<string, StoredRecord>;
  readonly #log: Map<string, CommitEntry>;
  readonly #notifications: NotificationChanges;
  readonly #undo: Undo[];
  readonly #nextCommitId: () => number;
  #ended = false;

  constructor({ records, log, notifications }: Contents, undo: Undo[], nextCommitId: () => number) {
    this.#records = records;
    this.#log = log;
    this.#notifications = notifications;
    this.#undo = undo;
    this.#nextCommitId = nextCommitId;
  }

  get(key: string): StoredRecord | undefined {
    this.#assertRunning();
    return this.#records.get(key);
  }

  put(record: StoredRecord, operation: Exclude<Operation, "-"> | null): number {
    assertStorable(record);
    this.#remember(record.key);
    this.#records.set(record.key, structuredClone(record));
    return this.#commit(record.key, operation);
  }

  delete(key: string, operation: "-" | null): number {
    assertStorable({ key, value: undefined });
    this.#remember(key);
    this.#records.delete(key);
    // The entry of a record that is gone says nothing any more, unless it is the one that says so.
    if (operation === null && this.#log.get(key)?.operation !== "-") this.#log.delete(key);
    return this.#commit(key, operation);
  }

  get notifications(): NotificationChanges {
    this.#assertRunning();
    return this.#notifications;
  }

  end(): void {
    this.#ended = true;
  }

  #commit(key: string, operation: Operation | null): number {
    if (operation === null) return -1;
    const commitId = this.#nextCommitId();
    this.#log.set(key, { commitId, key, operation });
    return commitId;
  }

  #remember(key: string): void {
    this.#assertRunning();
    this.#undo.push({ key, record: this.#records.get(key), entry: this.#log.get(key) });
  }

  #assertRunning(): void {
    if (this.#ended) throw new Error("the change has ended");
  }
}

/** As with a disk, nothing has happened yet when the caller goes on. */
function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

function restore<T>(map: Map<string, T>, key: string, value: T | undefined): void {
  if (value === undefined) map.delete(key);
  else map.set(key, value);
}
