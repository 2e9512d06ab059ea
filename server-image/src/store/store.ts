import type { RecordMetadata } from "@atrium/protocol";
import type { NotificationChanges, NotificationReads } from "./notifications.ts";

export interface StoredRecord {
  readonly key: string;
  /** undefined for a record that has metadata only */
  readonly value: string | undefined;
  readonly metadata: RecordMetadata;
}

/**
 * What a commit did: `+` a value written by the server, `*` value and metadata, `#` metadata only, `-` deleted.
 *
 * @see protocol: commit log
 */
export type Operation = "+" | "*" | "#" | "-";

/** The one live entry of a key in the commit log. */
export interface CommitEntry {
  readonly commitId: number;
  readonly key: string;
  readonly operation: Operation;
}

export interface KeyRange {
  /** only keys that begin with it */
  readonly prefix?: string;
  /** only keys behind it: `next` of the page before */
  readonly after?: string | undefined;
  /** how many keys to look at, which bounds the time that a page takes; it may hold fewer */
  readonly limit: number;
  /** epoch milliseconds: only records that are born and not expired then */
  readonly liveAt: number;
}

export interface KeyPage {
  /** ascending by code point */
  readonly keys: readonly string[];
  /** where the next page begins; undefined when this is the last one */
  readonly next: string | undefined;
}

/** The data of one Atsign: its records, the log of what changed, and notifications. Reads see what is durable, and nothing else. */
export interface Store extends AsyncDisposable {
  /** A record whatever its age: callers decide with `isLive`. */
  get(key: string): StoredRecord | undefined;

  /** As `get`, but only a record that is born and not expired at `now` (epoch milliseconds). The way of the lookups. */
  getLive(key: string, now: number): StoredRecord | undefined;

  keys(range: KeyRange): KeyPage;

  /** Keys of at most `limit` records that had expired at `now` (epoch milliseconds), the longest expired first. */
  expired(now: number, limit: number): string[];

  /** At most `limit` entries of the commit log with ids above `after`, ascending. */
  changes(range: { after: number; limit: number }): CommitEntry[];

  /** The record that a live entry is of; undefined for a deletion, and when it has a newer entry. */
  committed(entry: CommitEntry): StoredRecord | undefined;

  /** At most `limit` entries with ids below `before`, descending. */
  changesBefore(range: { before: number; limit: number }): CommitEntry[];

  readonly notifications: NotificationReads;

  /** -1 when nothing was ever committed */
  readonly lastCommitId: number;

  /**
   * Changes the store. Changes that are queued in one turn of the event loop become durable together.
   *
   * @param change runs soon, in a transaction; it may run more than once, so it has no other effects, and it is not
   *   asynchronous. What it throws undoes its own changes alone, and rejects.
   * @returns what `change` returned, once it is durable
   * @throws {StoreError} when it could not be stored
   * @throws {StaleEpochError} when a newer process owns the data
   */
  write<T>(change: (tx: Transaction) => T): Promise<T>;

  /** bytes that the data takes, to within a few pages */
  size(): number;

  /** false while the disk is full or fails, and for ever once the data is known to be damaged or taken over */
  readonly writable: boolean;

  /** Resolves when this process learned that a newer one owns the data: it must stop. */
  readonly stale: Promise<StaleEpochError>;

  /**
   * Reads from the disk.
   *
   * @throws {StoreError} when that fails or the data is known to be damaged
   * @throws {StaleEpochError} when a newer process owns the data
   */
  check(): void;
}

/** Valid while the change runs that it was given to. */
export interface Transaction {
  /** Sees what this change and those before it wrote. */
  get(key: string): StoredRecord | undefined;

  /**
   * @param operation its entry in the commit log; null writes none, and an older entry stays
   * @returns the commit id; -1 without an entry
   */
  put(record: StoredRecord, operation: "+" | "*" | "#" | null): number;

  /**
   * An absent key is no fault, and gets its entry too.
   *
   * @returns the commit id; -1 without an entry
   */
  delete(key: string, operation: "-" | null): number;

  readonly notifications: NotificationChanges;
}

/**
 * Why the store failed: no room left; the device or the file system failed; another process holds the lock for too
 * long or too much is waiting; the data is damaged; the data was written by a newer release; the store was closed.
 */
export type StoreFailure = "full" | "io" | "busy" | "corrupt" | "newer" | "closed";

/** Nothing of the write that it rejects is acknowledged. The message names no key and no value. */
export class StoreError extends Error {
  override readonly name = "StoreError";
  readonly reason: StoreFailure;

  constructor(reason: StoreFailure, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

/** A newer process owns the data; this one must stop. */
export class StaleEpochError extends Error {
  override readonly name = "StaleEpochError";

  constructor(own: number, stored: number) {
    super(`a process of epoch ${stored} owns the data; this one is of epoch ${own}`);
  }
}

/**
 * @throws {RangeError} for an empty key, and for text that UTF-8 cannot express: it would come back as another text
 */
export function assertStorable({ key, value }: Pick<StoredRecord, "key" | "value">): void {
  if (key === "") throw new RangeError("a key is not empty");
  if (!key.isWellFormed() || !(value ?? "").isWellFormed()) throw new RangeError("not well-formed Unicode");
}
