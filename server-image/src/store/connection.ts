import type { DatabaseSync, StatementSync } from "node:sqlite";
import { NotificationTables } from "./notification-tables.ts";
import { storeFailure } from "./sqlite-failure.ts";
import { StaleEpochError } from "./store.ts";
import { type Meta, Tables } from "./tables.ts";

/** Transactions on the data of one Atsign by one process of a given epoch. */
export class Connection {
  readonly tables: Tables;
  readonly notifications: NotificationTables;
  readonly #db: DatabaseSync;
  readonly #epoch: number;
  readonly #begin: StatementSync;
  readonly #beginRead: StatementSync;
  readonly #endRead: StatementSync;
  readonly #commit: StatementSync;
  readonly #savepoint: StatementSync;
  readonly #release: StatementSync;
  #reading: NodeJS.Immediate | undefined;

  constructor(db: DatabaseSync, epoch: number) {
    this.#db = db;
    this.#epoch = epoch;
    this.tables = new Tables(db);
    this.notifications = new NotificationTables(db);
    this.#begin = db.prepare("BEGIN IMMEDIATE");
    this.#beginRead = db.prepare("BEGIN");
    this.#endRead = db.prepare("ROLLBACK");
    this.#commit = db.prepare("COMMIT");
    this.#savepoint = db.prepare("SAVEPOINT change");
    this.#release = db.prepare("RELEASE change");
  }

  /**
   * Runs `work` in a transaction. It is durable when this returns, and undone when this throws.
   *
   * The epoch is compared inside, under the write lock, so that a process which was stopped anywhere and continued
   * later cannot write once another has taken over. A lower one is raised here: an atServer that started on a full disk
   * could not do so.
   *
   * @throws {StaleEpochError}
   * @throws {StoreError}
   */
  transaction<T>(work: (meta: Meta) => T): T {
    this.#endReading();
    try {
      this.#begin.run();
      const meta = this.checkEpoch();
      if (meta.epoch < this.#epoch) this.tables.setEpoch(this.#epoch);
      const result = work(meta);
      this.#commit.run();
      return result;
    } catch (error) {
      // SQLite has undone it by itself after some failures, for instance of a full disk.
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
      throw storeFailure(error) ?? error;
    }
  }

  /**
   * Lets the reads of one turn of the event loop share a transaction: each one for itself would take and give back a
   * file lock. The epoch is compared inside: what another has taken over is not read any more, for it may have changed.
   * Within a write transaction there is nothing to do.
   *
   * @throws {StaleEpochError}
   */
  reading(): void {
    if (this.#reading !== undefined || this.#db.isTransaction) return;
    this.#beginRead.run();
    this.#reading = setImmediate(this.#endReading);
    try {
      this.checkEpoch();
    } catch (error) {
      this.#endReading();
      throw error;
    }
  }

  readonly #endReading = (): void => {
    if (this.#reading === undefined) return;
    clearImmediate(this.#reading);
    this.#reading = undefined;
    // SQLite has ended it by itself after some failures, which the read that met them has told.
    if (this.#db.isTransaction) this.#endRead.run();
  };

  /** Begins a part of a transaction that can be undone alone. */
  savepoint(): void {
    this.#savepoint.run();
  }

  release(): void {
    this.#release.run();
  }

  /** Undoes what came after the savepoint. */
  rewind(): void {
    this.#db.exec("ROLLBACK TO change; RELEASE change");
  }

  /** @throws {StaleEpochError} when a newer process owns the data */
  checkEpoch(): Meta {
    const meta = this.tables.meta();
    if (meta.epoch > this.#epoch) throw new StaleEpochError(this.#epoch, meta.epoch);
    return meta;
  }

  close(): void {
    this.#endReading();
    this.#db.close();
  }
}
