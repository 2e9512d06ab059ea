import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import type { RecordMetadata } from "@atrium/protocol";
import {
  type CommitEntry,
  type KeyPage,
  type KeyRange,
  type Operation,
  type StoredRecord,
  StoreError,
} from "./store.ts";
import { compareCodePoints, endOfPrefix } from "./text-order.ts";

const largeCharacters = 65_536;
const smallCharacters = 4_096;
/** In the place of a record: does nothing. */
const nothing = [null, null, null, null, null, null, null, null];

/** The one row of `meta`. */
export interface Meta {
  readonly epoch: number;
  readonly lastCommitId: number;
}

/** The tables and the statements that use them, prepared once. Knows no transactions. Throws SQLite's errors. */
export class Tables {
  readonly #meta: StatementSync;
  readonly #setEpoch: StatementSync;
  readonly #setLastCommitId: StatementSync;
  readonly #probe: StatementSync;
  readonly #pages: StatementSync;
  readonly #get: StatementSync;
  readonly #getLive: StatementSync;
  readonly #committed: StatementSync;
  readonly #following: StatementSync;
  readonly #replace: StatementSync;
  readonly #upsert: StatementSync;
  readonly #delete: StatementSync;
  readonly #bury: StatementSync;
  readonly #unbury: StatementSync;
  readonly #keys: StatementSync;
  readonly #expired: StatementSync;
  readonly #changes: StatementSync;
  readonly #changesBefore: StatementSync;

  constructor(db: DatabaseSync) {
    const prepare = (sql: string): StatementSync => {
      const statement = db.prepare(sql);
      statement.setReturnArrays(true);
      return statement;
    };
    this.#meta = prepare("SELECT epoch, last_commit_id FROM meta");
    this.#setEpoch = prepare("UPDATE meta SET epoch = ?");
    this.#setLastCommitId = prepare("UPDATE meta SET last_commit_id = ?");
    // Several pages: room for less than that is as good as none.
    this.#probe = prepare("UPDATE meta SET probe = zeroblob(16384)");
    this.#pages = prepare("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size");
    this.#get = prepare("SELECT value, metadata, checksum FROM record WHERE key = ?");
    this.#getLive = prepare("SELECT value, metadata, checksum, available_at, expires_at FROM record WHERE key = ?");
    // Its neighbours in the index are those of its commits: by its key it would be far away from them.
    this.#committed = prepare("SELECT value, metadata, checksum FROM record WHERE commit_id = ?");
    this.#following = prepare("SELECT value, metadata, checksum, key, id FROM record WHERE id > ? ORDER BY id LIMIT 1");
    // The frequent case, in one statement: a committed record is committed again.
    this.#replace = prepare(`
      UPDATE record SET metadata = ?, available_at = ?, expires_at = ?, commit_id = ?, operation = ?, checksum = ?, value = ?
      WHERE key = ? AND commit_id IS NOT NULL`);
    // Without a key it does nothing, which forgets a large value.
    this.#upsert = prepare(`
      INSERT INTO record (metadata, available_at, expires_at, commit_id, operation, checksum, value, key)
      SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 WHERE ?8 IS NOT NULL
      ON CONFLICT (key) DO UPDATE SET
        metadata = excluded.metadata, available_at = excluded.available_at, expires_at = excluded.expires_at,
        commit_id = coalesce(excluded.commit_id, commit_id), operation = coalesce(excluded.operation, operation),
        checksum = excluded.checksum, value = excluded.value`);
    this.#delete = prepare("DELETE FROM record WHERE key = ?");
    this.#bury = prepare("INSERT OR REPLACE INTO tombstone (commit_id, key) VALUES (?, ?)");
    this.#unbury = prepare("DELETE FROM tombstone WHERE key = ?");
    this.#keys = prepare(`
      SELECT key, available_at, expires_at FROM record WHERE key >= ? AND key <> ? AND key < ? ORDER BY key LIMIT ?`);
    this.#expired = prepare("SELECT key FROM record WHERE expires_at <= ? ORDER BY expires_at, key LIMIT ?");
    this.#changes = prepare(`
      SELECT commit_id, key, operation FROM record WHERE commit_id > ?1
      UNION ALL SELECT commit_id, key, '-' FROM tombstone WHERE commit_id > ?1
      ORDER BY commit_id LIMIT ?2`);
    this.#changesBefore = prepare(`
      SELECT commit_id, key, operation FROM record WHERE commit_id < ?1
      UNION ALL SELECT commit_id, key, '-' FROM tombstone WHERE commit_id < ?1
      ORDER BY commit_id DESC LIMIT ?2`);
  }

  meta(): Meta {
    const row = one<[number, number]>(this.#meta);
    if (row === undefined) throw damaged();
    return { epoch: row[0], lastCommitId: row[1] };
  }

  setEpoch(epoch: number): void {
    this.#setEpoch.run(epoch);
  }

  setLastCommitId(commitId: number): void {
    this.#setLastCommitId.run(commitId);
  }

  /** A change that takes room and says nothing. */
  probe(): void {
    this.#probe.run();
  }

  bytes(): number {
    return one<[number]>(this.#pages)?.[0] ?? 0;
  }

  get(key: string): StoredRecord | undefined {
    const row = one<RecordRow>(this.#get, key);
    return row === undefined ? undefined : toRecord(key, row);
  }

  getLive(key: string, now: number): StoredRecord | undefined {
    const row = one<[...RecordRow, availableAt: number | null, expiresAt: number | null]>(this.#getLive, key);
    if (row === undefined || (row[3] !== null && now < row[3]) || (row[4] !== null && row[4] <= now)) return undefined;
    return new LazyRecord(key, row[0], row[1], row[2]);
  }

  /**
   * Reads the record behind row `id` and checks it.
   *
   * @returns its row; undefined when there is none
   */
  verifyFollowing(id: number): number | undefined {
    const row = one<[...RecordRow, key: string, id: number]>(this.#following, id);
    if (row === undefined) return undefined;
    toRecord(row[3], [row[0], row[1], row[2]]);
    return row[4];
  }

  /** @param entry null leaves the entry of the commit log as it is */
  put(record: StoredRecord, entry: { commitId: number; operation: Operation } | null): void {
    const { key, metadata } = record;
    const value = record.value ?? null;
    const text = JSON.stringify(metadata);
    const row = [
      text,
      metadata.availableAt ?? null,
      metadata.expiresAt ?? null,
      entry?.commitId ?? null,
      entry?.operation ?? null,
      checksum(key, text, value),
      value,
      key,
    ];
    const large = value !== null && value.length > largeCharacters;
    // Each statement that is tried has a copy of the value.
    const replaced = entry !== null && !large && this.#replace.run(...row).changes === 1;
    if (!replaced) this.#upsert.run(...row);
    // A statement keeps what it was last given: for an atServer at rest that can be ten megabytes for nothing.
    if (large) this.#upsert.run(...nothing);
    if (!replaced && entry !== null) this.#unbury.run(key);
  }

  delete(key: string, commitId: number | null): void {
    this.#delete.run(key);
    if (commitId !== null) this.#bury.run(commitId, key);
  }

  keys({ prefix = "", after = "", limit, liveAt }: KeyRange): KeyPage {
    const from = compareCodePoints(after, prefix) > 0 ? after : prefix;
    const rows = all<[string, number | null, number | null]>(this.#keys, from, after, endOfPrefix(prefix), limit);
    const keys: string[] = [];
    for (const [key, availableAt, expiresAt] of rows) {
      // As isLive says; most have no times.
      if ((availableAt === null || availableAt <= liveAt) && (expiresAt === null || liveAt < expiresAt)) keys.push(key);
    }
    return { keys, next: rows.length < limit ? undefined : rows.at(-1)?.[0] };
  }

  expired(now: number, limit: number): string[] {
    return all<[string]>(this.#expired, now, limit).map(([key]) => key);
  }

  changes({ after, limit }: { after: number; limit: number }): CommitEntry[] {
    return all<EntryRow>(this.#changes, after, limit).map(toEntry);
  }

  committed({ commitId, key }: CommitEntry): StoredRecord | undefined {
    const row = one<RecordRow>(this.#committed, commitId);
    return row === undefined ? undefined : toRecord(key, row);
  }

  changesBefore({ before, limit }: { before: number; limit: number }): CommitEntry[] {
    return all<EntryRow>(this.#changesBefore, before, limit).map(toEntry);
  }
}

type EntryRow = [commitId: number, key: string, operation: Operation];

function toEntry([commitId, key, operation]: EntryRow): CommitEntry {
  return { commitId, key, operation };
}

type RecordRow = [value: string | null, metadata: string, checksum: number];

function toRecord(key: string, [value, text, sum]: RecordRow): StoredRecord {
  if (checksum(key, text, value) !== sum) throw damaged();
  return { key, value: value ?? undefined, metadata: JSON.parse(text) as RecordMetadata };
}

/** A record whose metadata is parsed when somebody asks for it: most lookups want the value alone. */
class LazyRecord implements StoredRecord {
  readonly key: string;
  readonly value: string | undefined;
  readonly #text: string;

  /** @throws {StoreError} */
  constructor(key: string, value: string | null, text: string, sum: number) {
    if (checksum(key, text, value) !== sum) throw damaged();
    this.key = key;
    this.value = value ?? undefined;
    this.#text = text;
  }

  get metadata(): RecordMetadata {
    return JSON.parse(this.#text) as RecordMetadata;
  }
}

/** One call for small records: each has a price of its own. */
function checksum(key: string, metadata: string, value: string | null): number {
  if (value === null) return crc32(key + metadata);
  return value.length < smallCharacters ? crc32(key + metadata + value) : crc32(value, crc32(key + metadata));
}

function damaged(): StoreError {
  return new StoreError("corrupt", "the data is damaged");
}

/** The types of `node:sqlite` do not know that these statements return arrays. */
function one<Row>(statement: StatementSync, ...parameters: SQLInputValue[]): Row | undefined {
  return statement.get(...parameters) as Row | undefined;
}

function all<Row>(statement: StatementSync, ...parameters: SQLInputValue[]): Row[] {
  return statement.all(...parameters) as unknown as Row[];
}
