import { notificationSchema } from "./notification-schema.ts";

/** Marks the file as an Atrium store: "AtSt". */
export const applicationId = 0x41745374;

/** Raised with every change of the schema that an older release cannot work with. */
export const schemaVersion = 2;

/**
 * A record carries its own entry of the commit log, so that an update touches two pages and no second table; entries of
 * deleted records are tombstones. `meta.last_commit_id` is what makes ids unique for ever, because the entry with the
 * highest id may go.
 *
 * `available_at` and `expires_at` repeat what is in `metadata`, for SQL. `checksum` is over key, metadata and value:
 * SQLite does not notice when bits of a value change on the disk.
 */
export const schema = `
  CREATE TABLE meta (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    epoch INTEGER NOT NULL,
    last_commit_id INTEGER NOT NULL,
    probe BLOB,
    last_notified_at INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  INSERT INTO meta (id, epoch, last_commit_id) VALUES (1, 0, -1);

  CREATE TABLE record (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    metadata TEXT NOT NULL,
    available_at INTEGER,
    expires_at INTEGER,
    commit_id INTEGER,
    operation TEXT,
    checksum INTEGER NOT NULL,
    value TEXT
  ) STRICT;
  CREATE UNIQUE INDEX record_by_commit ON record (commit_id) WHERE commit_id IS NOT NULL;
  CREATE INDEX record_by_expiry ON record (expires_at, key) WHERE expires_at IS NOT NULL;

  CREATE TABLE tombstone (
    commit_id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE
  ) STRICT;

  ${notificationSchema}
`;

/** By the version that it begins with: what makes data of that version such of the next one. */
export const migrations: ReadonlyMap<number, string> = new Map([
  [1, `ALTER TABLE meta ADD COLUMN last_notified_at INTEGER NOT NULL DEFAULT 0; ${notificationSchema}`],
]);
