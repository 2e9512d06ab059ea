import { expect, test } from "@jest/globals";
import { isPassing, storeFailure } from "./sqlite-failure.ts";
import { StaleEpochError, StoreError } from "./store.ts";

/** @param errcode an extended result code: the primary one is its lowest byte */
function sqliteError(errcode: number): Error {
  return Object.assign(new Error("detail"), { code: "ERR_SQLITE_ERROR", errcode });
}

test.each([
  ["SQLITE_BUSY_RECOVERY", 261, "busy", false],
  ["SQLITE_FULL", 13, "full", true],
  ["SQLITE_IOERR_FSYNC", 1034, "io", true],
  ["SQLITE_IOERR_SHMSIZE", 4874, "io", true],
  ["SQLITE_READONLY_DBMOVED", 1032, "io", true],
  ["SQLITE_CORRUPT_INDEX", 779, "corrupt", false],
  ["SQLITE_NOTADB", 26, "corrupt", false],
] as const)("%s means that the store is %s", (_name, errcode, reason, passing) => {
  const cause = sqliteError(errcode);
  const failure = storeFailure(cause);
  expect(failure).toBeInstanceOf(StoreError);
  expect(failure).toMatchObject({ reason, cause });
  expect(isPassing(failure)).toBe(passing);
});

test.each([
  ["a constraint that a change has violated", sqliteError(2067)],
  ["an error without a code", new Error("no")],
  ["no error at all", undefined],
])("%s is not a failure of the store", (_what, error) => {
  expect(storeFailure(error)).toBeUndefined();
});

test.each([new StoreError("full", ""), new StaleEpochError(1, 2)])("%s stays what it is", (error) => {
  expect(storeFailure(error)).toBe(error);
});
