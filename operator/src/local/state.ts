import { randomUUID } from "node:crypto";
import { chmodSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { AtSign } from "@atrium/protocol";
import { StartError } from "./start-error.ts";

/** What the platform remembers of one Atsign. */
export interface TenantState {
  readonly atSign: AtSign;
  /** hash that claims the name in the directory */
  readonly claim: string;
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
  /** whether this data directory was used before */
  readonly isNew: boolean;
  tenants(): TenantState[];
  tenant(atSign: AtSign): TenantState | undefined;
  save(tenant: TenantState): void;
  remove(atSign: AtSign): void;
}

/**
 * Opens the state and takes possession of the data directory, until the process ends, however it ends: the operating
 * system lets go of the file lock.
 *
 * @throws {StartError} when the directory cannot be written or another platform runs on it
 */
export function openState(data: string): State {
  const database = openDatabase(data);
  const isNew = database.prepare("SELECT count(*) AS n FROM sqlite_schema WHERE name = 'tenant'").get()?.n === 0;
  database.exec(`
    CREATE TABLE IF NOT EXISTS platform (id TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS tenant (
      at_sign TEXT PRIMARY KEY,
      claim TEXT NOT NULL,
      epoch INTEGER NOT NULL,
      deletion_policy TEXT NOT NULL,
      activation_issued INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
  `);
  const get = database.prepare("SELECT * FROM tenant WHERE at_sign = ?");
  const all = database.prepare("SELECT * FROM tenant ORDER BY at_sign");
  const put = database.prepare("INSERT OR REPLACE INTO tenant VALUES (?, ?, ?, ?, ?)");
  const drop = database.prepare("DELETE FROM tenant WHERE at_sign = ?");
  return {
    platformId: platformIdOf(database),
    isNew,
    tenants: () => all.all().map(tenantOf),
    tenant(atSign) {
      const row = get.get(atSign);
      return row === undefined ? undefined : tenantOf(row);
    },
    save({ atSign, claim, epoch, deletionPolicy, activationIssued }) {
      put.run(atSign, claim, epoch, deletionPolicy, activationIssued ? 1 : 0);
    },
    remove: (atSign) => void drop.run(atSign),
    [Symbol.dispose]: () => database.close(),
  };
}

function openDatabase(data: string): DatabaseSync {
  try {
    mkdirSync(data, { recursive: true, mode: 0o700 });
    chmodSync(data, 0o700);
    const database = new DatabaseSync(join(data, "state.sqlite"), { timeout: 0 });
    // In exclusive mode the lock of the first write is kept until the file is closed.
    database.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = FULL; BEGIN IMMEDIATE; COMMIT");
    chmodSync(join(data, "state.sqlite"), 0o600);
    return database;
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    if (/database is locked/.test(text)) {
      throw new StartError(
        `another Atrium is running on ${data}. Stop it, or choose another directory with --data DIR.`,
      );
    }
    throw new StartError(`${data} cannot be used: ${text}. Choose another directory with --data DIR.`, {
      cause: error,
    });
  }
}

function platformIdOf(database: DatabaseSync): string {
  const id = database.prepare("SELECT id FROM platform").get()?.id;
  if (typeof id === "string") return id;
  const made = randomUUID();
  database.prepare("INSERT INTO platform VALUES (?)").run(made);
  return made;
}

function tenantOf(row: Record<string, unknown>): TenantState {
  return {
    atSign: row.at_sign as AtSign,
    claim: row.claim as string,
    epoch: row.epoch as number,
    deletionPolicy: row.deletion_policy as TenantState["deletionPolicy"],
    activationIssued: row.activation_issued === 1,
  };
}
