import { randomUUID } from "node:crypto";
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
} from "node:fs";
import { basename, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { applicationId, migrations, schema, schemaVersion } from "./schema.ts";
import { StaleEpochError, StoreError } from "./store.ts";

/**
 * How long SQLite itself waits for a lock, and with it the whole process: just long enough for the lock to change hands
 * between two processes that both live. Longer waits belong to the callers, who give the event loop its turn.
 */
const lockTimeoutMs = 5;

const pageBytes = 4096;

/**
 * The data of one atServer is one file, `store.db`, beside the files that SQLite keeps while it is open. Waits for no
 * lock and changes nothing, except that it makes the file when there is none, and brings one of an older release up to
 * date.
 *
 * @param epoch of this process
 * @throws SQLite's errors; {StoreError} `corrupt` or `newer` when the file is not one that this release can serve;
 *   {StaleEpochError} when the file is of an older release, and a newer process owns it
 */
export function openDatabase(directory: string, epoch: number): DatabaseSync {
  mkdirSync(directory, { recursive: true });
  const path = databasePath(directory);
  if (!existsSync(path)) create(directory, path);
  assertWhole(path);
  const url = pathToFileURL(path);
  url.searchParams.set("mode", "rw");
  const db = new DatabaseSync(url, { timeout: lockTimeoutMs, enableDoubleQuotedStringLiterals: false });
  try {
    configure(db);
    verify(db, epoch);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

function databasePath(directory: string): string {
  return join(directory, "store.db");
}

/**
 * What SQLite does not mind: an empty file, which it would make a new database (this one never is, not even the moment
 * it appears, see create), and a last page that is cut off (which a crash can leave only where the log can mend it).
 */
function assertWhole(path: string): void {
  const { size } = statSync(path);
  const logSize = statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  if (size === 0 || (size % pageBytes !== 0 && logSize === 0)) {
    throw new StoreError("corrupt", `the data is damaged: its file ends at byte ${size}`);
  }
}

/**
 * The file appears under its name with all it needs in it, durably. Of two processes that do this at once one wins, and
 * its file is never replaced.
 */
function create(directory: string, path: string): void {
  const temporary = `${path}.new-${randomUUID()}`;
  const db = new DatabaseSync(temporary);
  try {
    // The mode is kept in the file: nobody has to change it later, which takes a lock that excludes everybody.
    db.exec(`PRAGMA page_size = ${pageBytes}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
      BEGIN; PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${schemaVersion}; ${schema} COMMIT`);
  } finally {
    db.close();
  }
  link(temporary, path);
  syncDirectory(directory);
  // Those of processes that were killed in here, too.
  for (const file of readdirSync(directory)) {
    if (file.startsWith(`${basename(path)}.new-`)) rmSync(join(directory, file), { force: true });
  }
}

function link(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    // Somebody else was faster: its file is as good as this one.
    if (!existsSync(to)) throw error;
  }
}

function syncDirectory(directory: string): void {
  const descriptor = openSync(directory, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/**
 * `synchronous = FULL`: a commit returns when the log is on the disk. The rest keeps a process small that exists once
 * per Atsign: 512 KiB of pages, no memory mapping, a log that is folded into the database at 4 MiB and cut back to that
 * after a larger change.
 */
function configure(db: DatabaseSync): void {
  db.exec(`
    PRAGMA synchronous = FULL;
    PRAGMA cache_size = -512;
    PRAGMA mmap_size = 0;
    PRAGMA temp_store = MEMORY;
    PRAGMA wal_autocheckpoint = 1000;
    PRAGMA journal_size_limit = 4194304;
    PRAGMA cell_size_check = ON;
    PRAGMA trusted_schema = OFF;
  `);
}

function verify(db: DatabaseSync, epoch: number): void {
  if (pragma(db, "application_id") !== applicationId)
    throw new StoreError("corrupt", "the file is not an Atrium store");
  const version = Number(pragma(db, "user_version"));
  if (migrations.has(version)) migrate(db, epoch);
  else if (version !== schemaVersion) {
    const message = `the data has schema ${version}, this release knows ${schemaVersion}`;
    throw new StoreError(version > schemaVersion ? "newer" : "corrupt", message);
  }
  if (pragma(db, "journal_mode") !== "wal") throw new StoreError("corrupt", "the file has lost its write-ahead log");
}

/**
 * All in one transaction, which also takes the data over: a process of the older release that still runs cannot write
 * into the newer form. It needs room on the disk, and fails without.
 */
function migrate(db: DatabaseSync, epoch: number): void {
  db.exec("BEGIN IMMEDIATE");
  try {
    const { epoch: owner } = db.prepare("SELECT epoch FROM meta").get() ?? {};
    if (Number(owner) > epoch) throw new StaleEpochError(epoch, Number(owner));
    db.prepare("UPDATE meta SET epoch = ?").run(epoch);
    // Another process may have done it meanwhile.
    for (let version = Number(pragma(db, "user_version")); migrations.has(version); version++) {
      db.exec(`${migrations.get(version)}; PRAGMA user_version = ${version + 1}`);
    }
    db.exec("COMMIT");
  } catch (error) {
    // SQLite has undone it by itself after some failures.
    if (db.isTransaction) db.exec("ROLLBACK");
    throw error;
  }
}

function pragma(db: DatabaseSync, name: string): unknown {
  return db.prepare(`PRAGMA ${name}`).get()?.[name];
}
