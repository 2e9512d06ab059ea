import { setTimeout as delay } from "node:timers/promises";
import { backoffMs } from "@atrium/runtime/backoff.ts";
import type { Log } from "@atrium/runtime/log.ts";
import { Connection } from "./connection.ts";
import { openDatabase } from "./database.ts";
import type { NotificationReads } from "./notifications.ts";
import { hasReason, storeFailure } from "./sqlite-failure.ts";
import {
  type CommitEntry,
  type KeyPage,
  type KeyRange,
  StaleEpochError,
  type Store,
  type StoredRecord,
  StoreError,
  type Transaction,
} from "./store.ts";
import type { Tables } from "./tables.ts";
import { Writer } from "./writer.ts";

export interface DiskStoreOptions {
  /** made when it is not there */
  readonly directory: string;
  /** of this process: a higher one takes the data over from a lower one */
  readonly epoch: number;
  readonly log: Log;
  /** how long to wait at start for another process to release the lock */
  readonly openDeadlineMs?: number;
  /** how long a write waits for that */
  readonly writeDeadlineMs?: number;
  /** told about once a second while waiting at start */
  readonly onWait?: (waitedMs: number) => void;
  /** gives up waiting at start */
  readonly signal?: AbortSignal;
}

const lockBackoff = { minMs: 10, maxMs: 250 };

/**
 * Opens the data of one Atsign, once the process before has let go of the lock, and shuts out those of a lower epoch.
 * On a full disk it opens too, for reading.
 *
 * @throws {StaleEpochError} when a process of a higher epoch has owned the data
 * @throws {StoreError} `busy` after `openDeadlineMs`; `corrupt`, `newer` or `io` when the data cannot be served
 */
export async function openDiskStore(options: DiskStoreOptions): Promise<Store> {
  const { log, openDeadlineMs = 60_000, onWait, signal } = options;
  const began = performance.now();
  let saidAtMs = 0;
  for (let attempt = 0; ; attempt++) {
    try {
      return open(options);
    } catch (cause) {
      const error = storeFailure(cause);
      const waitedMs = Math.round(performance.now() - began);
      if (!hasReason(error, "busy") || waitedMs >= openDeadlineMs) throw error ?? cause;
      if (waitedMs - saidAtMs >= 1000) {
        saidAtMs = waitedMs;
        log.warn({ waitedMs }, "waiting for another process to release the store");
        onWait?.(waitedMs);
      }
    }
    await delay(backoffMs(attempt, lockBackoff), undefined, { signal });
  }
}

function open({ directory, epoch, log, writeDeadlineMs = 5_000 }: DiskStoreOptions): Store {
  const db = openDatabase(directory, epoch);
  try {
    const connection = new Connection(db, epoch);
    const writer = new Writer(connection, log, writeDeadlineMs);
    writer.takeOver();
    return new DiskStore(connection, writer);
  } catch (error) {
    db.close();
    throw error;
  }
}

class DiskStore implements Store {
  readonly #connection: Connection;
  readonly #writer: Writer;
  /** the row of the record that `check` read last */
  #checkedRow = 0;
  #damage: StoreError | undefined;
  #closed = false;

  constructor(connection: Connection, writer: Writer) {
    this.#connection = connection;
    this.#writer = writer;
  }

  get lastCommitId(): number {
    return this.#writer.lastCommitId;
  }

  get writable(): boolean {
    return !this.#closed && this.#writer.refusal === undefined;
  }

  get stale(): Promise<StaleEpochError> {
    return this.#writer.stale;
  }

  get(key: string): StoredRecord | undefined {
    return this.#read((tables) => tables.get(key));
  }

  getLive(key: string, now: number): StoredRecord | undefined {
    return this.#read((tables) => tables.getLive(key, now));
  }

  keys(range: KeyRange): KeyPage {
    return this.#read((tables) => tables.keys(range));
  }

  expired(now: number, limit: number): string[] {
    return this.#read((tables) => tables.expired(now, limit));
  }

  changes(range: { after: number; limit: number }): CommitEntry[] {
    return this.#read((tables) => tables.changes(range));
  }

  committed(entry: CommitEntry): StoredRecord | undefined {
    return this.#read((tables) => tables.committed(entry));
  }

  changesBefore(range: { before: number; limit: number }): CommitEntry[] {
    return this.#read((tables) => tables.changesBefore(range));
  }

  readonly notifications: NotificationReads = {
    lastTime: () => this.#read(() => this.#connection.notifications.lastTime()),
    byId: (id) => this.#read(() => this.#connection.notifications.byId(id)),
    get: (time) => this.#read(() => this.#connection.notifications.get(time)),
    inbox: (range) => this.#read(() => this.#connection.notifications.inbox(range)),
    firstWaiting: (to, now) => this.#read(() => this.#connection.notifications.firstWaiting(to, now)),
    recipients: (range) => this.#read(() => this.#connection.notifications.recipients(range)),
    waiting: (range) => this.#read(() => this.#connection.notifications.waiting(range)),
    expired: (now, limit) => this.#read(() => this.#connection.notifications.expired(now, limit)),
    counts: () => this.#read(() => this.#connection.notifications.counts()),
  };

  size(): number {
    return this.#read((tables) => tables.bytes());
  }

  write<T>(change: (tx: Transaction) => T): Promise<T> {
    if (this.#closed) return Promise.reject(closed());
    return this.#writer.write(change);
  }

  /** Each call reads and checks another record, so that in time damage is found that nobody asks for. */
  check(): void {
    this.#read((tables) => {
      if (this.#damage !== undefined) throw this.#damage;
      this.#checkedRow = tables.verifyFollowing(this.#checkedRow) ?? 0;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#writer.close();
    this.#connection.close();
  }

  #read<T>(read: (tables: Tables) => T): T {
    if (this.#closed) throw closed();
    try {
      this.#connection.reading();
      return read(this.#connection.tables);
    } catch (cause) {
      const error = storeFailure(cause);
      if (error === undefined) throw cause;
      if (hasReason(error, "corrupt")) this.#damage ??= error;
      if (hasReason(error, "corrupt") || error instanceof StaleEpochError) this.#writer.refuse(error);
      throw error;
    }
  }
}

function closed(): StoreError {
  return new StoreError("closed", "the store is closed");
}
