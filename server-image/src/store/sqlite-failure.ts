import { StaleEpochError, StoreError, type StoreFailure } from "./store.ts";

/** @see https://www.sqlite.org/rescode.html: primary result codes */
const reasons: Readonly<Record<number, StoreFailure>> = {
  1: "corrupt", // SQLITE_ERROR: our statements do not fit the schema, so it is not what we wrote
  5: "busy", // SQLITE_BUSY
  6: "busy", // SQLITE_LOCKED
  7: "io", // SQLITE_NOMEM
  8: "io", // SQLITE_READONLY: the file system was mounted read-only after an error
  10: "io", // SQLITE_IOERR
  11: "corrupt", // SQLITE_CORRUPT
  13: "full", // SQLITE_FULL
  14: "io", // SQLITE_CANTOPEN
  15: "busy", // SQLITE_PROTOCOL: lost races for the log's locks
  26: "corrupt", // SQLITE_NOTADB
};

const messages: Readonly<Record<StoreFailure, string>> = {
  full: "no room left",
  io: "input or output failed",
  busy: "another process holds the lock",
  corrupt: "the data is damaged",
  newer: "the data was written by a newer release",
  closed: "the store is closed",
};

/**
 * What a failure means for the store: SQLite's own become a {@link StoreError}.
 *
 * @returns undefined for an error that is not the store's, for instance one that a change has thrown
 */
export function storeFailure(error: unknown): StoreError | StaleEpochError | undefined {
  if (error instanceof StoreError || error instanceof StaleEpochError) return error;
  if (typeof error !== "object" || error === null || !("errcode" in error)) return undefined;
  const reason = reasons[Number(error.errcode) & 0xff];
  if (reason === undefined) return undefined;
  return new StoreError(reason, messages[reason], { cause: error });
}

export function hasReason<R extends StoreFailure>(
  error: unknown,
  ...reasons: R[]
): error is StoreError & { reason: R } {
  return error instanceof StoreError && (reasons as StoreFailure[]).includes(error.reason);
}

/** Whether it is a failure of the disk, which may pass. */
export function isPassing(error: unknown): error is StoreError & { reason: "full" | "io" } {
  return hasReason(error, "full", "io");
}
