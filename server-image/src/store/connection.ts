import type { DatabaseSync, StatementSync } from "node:sqlite";
import { storeFailure } from "./sqlite-failure.ts";
import { StaleEpochError } from "./store.ts";
import { type Meta, Tables } from "./tables.ts";

/** Transactions on the data of one Atsign by one process of a given epoch. */
export class Connection {
  readonly tables: Tables;
  readonly #db: DatabaseSync;
  readonly #epoch: number;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  readonly #savepoint: StatementSync;
  readonly #release: StatementSync;

  constructor(db: DatabaseSync, epoch: number) {
    this.#db = db;
    this.#epoch = epoch;
    this.tables = new Tables(db);
    this.#begin = db.prepare("BEGIN IMMEDIATE");
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
    this.#db.close();
  }
}
