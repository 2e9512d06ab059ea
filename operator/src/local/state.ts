import { randomUUID } from "node:crypto";
import { chmodSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { AtSign } from "@atrium/protocol";
import type { ManifestMemory } from "./manifests.ts";
import { StartError } from "./start-error.ts";

/** What the platform remembers of one Atsign. */
export interface TenantState {
  readonly atSign: AtSign;
  /** whose it is: namespace and name of the AtSign resource */
  readonly owner: string;
  /** the last epoch that an atServer was given; 0 before the first */
  readonly epoch: number;
  /** what becomes of data and name when the manifest goes */
  readonly deletionPolicy: "Retain" | "Delete";
  /** whether the file with the activation secret was once written: when it is gone then, the owner has activated */
  readonly activationIssued: boolean;
}

/** What must survive the platform: `state.sqlite` in the data directory. Holding it open is what keeps a second platform out. */
export interface State extends Disposable {
  readonly platformId: string;
  readonly manifests: ManifestMemory;
  tenants(): TenantState[];
  tenant(atSign: AtSign): TenantState | undefined;
  save(tenant: TenantState): void;
  remove(atSign: AtSign): void;
}

const schemaVersion = 1;
const schema = `
  CREATE TABLE platform (id TEXT NOT NULL) STRICT;
  CREATE TABLE tenant (
    at_sign TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    deletion_policy TEXT NOT NULL,
    activation_issued INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE manifest (file TEXT PRIMARY KEY, text TEXT NOT NULL) STRICT, WITHOUT ROWID;
  PRAGMA user_version = ${schemaVersion};
`;

/**
 * Opens the state and takes possession of the data directory, until the process ends, however it ends: the operating
 * system lets go of the file lock.
 *
 * @throws {StartError} when the directory cannot be written, its state is damaged or another platform runs on it
 */
export function openState(data: string): State {
  const database = openDatabase(data);
  try {
    return stateOf(database);
  } catch (cause) {
    database.close();
    throw damaged(data, cause);
  }
}

function stateOf(database: DatabaseSync): State {
  const get = database.prepare("SELECT * FROM tenant WHERE at_sign = ?");
  const all = database.prepare("SELECT * FROM tenant ORDER BY at_sign");
  const put = database.prepare("INSERT OR REPLACE INTO tenant VALUES (?, ?, ?, ?, ?)");
  const drop = database.prepare("DELETE FROM tenant WHERE at_sign = ?");
  return {
    platformId: String(database.prepare("SELECT id FROM platform").get()?.id),
    manifests: manifestMemory(database),
    tenants: () => all.all().map(tenantOf),
    tenant(atSign) {
      const row = get.get(atSign);
      return row === undefined ? undefined : tenantOf(row);
    },
    save({ atSign, owner, epoch, deletionPolicy, activationIssued }) {
      put.run(atSign, owner, epoch, deletionPolicy, activationIssued ? 1 : 0);
    },
    remove: (atSign) => void drop.run(atSign),
    [Symbol.dispose]: () => database.close(),
  };
}

function manifestMemory(database: DatabaseSync): ManifestMemory {
  const all = database.prepare("SELECT file, text FROM manifest ORDER BY file");
  const put = database.prepare("INSERT OR REPLACE INTO manifest VALUES (?, ?)");
  const drop = database.prepare("DELETE FROM manifest WHERE file = ?");
  return {
    all: () => all.all().map(({ file, text }) => ({ file: String(file), text: String(text) })),
    keep: (file, text) => void put.run(file, text),
    drop: (file) => void drop.run(file),
  };
}

function openDatabase(data: string): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    // A directory that was there before may be shared: only what is in it is ours to close.
    mkdirSync(data, { recursive: true, mode: 0o700 });
    const file = join(data, "state.sqlite");
    database = new DatabaseSync(file, { timeout: 0 });
    // In exclusive mode the lock of the first write is kept until the file is closed.
    database.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = FULL; BEGIN IMMEDIATE");
    chmodSync(file, 0o600);
    createTables(database, file);
    // Now, when it can be said in one line, and not in the midst of things.
    const fault = database.prepare("PRAGMA quick_check(1)").get()?.quick_check;
    if (fault !== "ok") throw damaged(data, fault);
    database.exec("COMMIT");
    return database;
  } catch (error) {
    database?.close();
    throw error instanceof StartError ? error : startErrorOf(data, error);
  }
}

function startErrorOf(data: string, cause: unknown): StartError {
  const text = cause instanceof Error ? cause.message : String(cause);
  if (/database is locked/.test(text)) {
    const fault = `another Atrium is running on ${data}. Stop it, or choose another directory with --data DIR.`;
    return new StartError(fault, { cause });
  }
  if (/malformed/.test(text)) return damaged(data, cause);
  return new StartError(`${data} cannot be used: ${text}. Choose another directory with --data DIR.`, { cause });
}

/** What it holds besides can be made again: epochs grow with the clock, and atServers know whether they are activated. */
function damaged(data: string, cause: unknown): StartError {
  const file = join(data, "state.sqlite");
  const fault = `${file} is damaged. Put a copy of it back, or remove it: what has a manifest keeps its data.`;
  return new StartError(fault, { cause });
}

/** @throws {StartError} when another version wrote the tables */
function createTables(database: DatabaseSync, file: string): void {
  const version = database.prepare("PRAGMA user_version").get()?.user_version;
  if (version === schemaVersion) return;
  const tables = database.prepare("SELECT count(*) AS n FROM sqlite_schema").get()?.n;
  if (version !== 0 || tables !== 0) throw new StartError(`${file} was written by another version of Atrium.`);
  database.exec(schema);
  database.prepare("INSERT INTO platform VALUES (?)").run(randomUUID());
}

function tenantOf(row: Record<string, unknown>): TenantState {
  return {
    atSign: row.at_sign as AtSign,
    owner: row.owner as string,
    epoch: row.epoch as number,
    deletionPolicy: row.deletion_policy as TenantState["deletionPolicy"],
    activationIssued: row.activation_issued === 1,
  };
}
