import type { NewNotification, NotificationChanges } from "./notifications.ts";
import { storeFailure } from "./sqlite-failure.ts";
import {
  assertStorable,
  type Operation,
  type StaleEpochError,
  type StoredRecord,
  type StoreError,
  type Transaction,
} from "./store.ts";
import type { Tables } from "./tables.ts";

interface AllTables {
  readonly tables: Tables;
  readonly notifications: NotificationChanges;
}

/** Where a transaction stood before a change, so that it can go back there. */
export interface Mark {
  readonly lastCommitId: number;
  readonly writes: number;
}

/** What changes see of one database transaction, which somebody else begins and ends. */
export class DiskTransaction implements Transaction {
  readonly notifications: NotificationChanges;
  readonly #tables: Tables;
  #lastCommitId: number;
  #writes = 0;
  #characters = 0;
  #failure: StoreError | StaleEpochError | undefined;
  #running = false;

  constructor({ tables, notifications }: AllTables, lastCommitId: number) {
    this.#tables = tables;
    this.notifications = this.#guarded(notifications);
    this.#lastCommitId = lastCommitId;
  }

  get lastCommitId(): number {
    return this.#lastCommitId;
  }

  get writes(): number {
    return this.#writes;
  }

  /** of the values written so far */
  get characters(): number {
    return this.#characters;
  }

  /** Runs one change. A failure of the store is thrown even when the change catches it. */
  run<T>(change: (tx: Transaction) => T): T {
    this.#running = true;
    try {
      const value = change(this);
      if (this.#failure === undefined) return value;
    } catch (error) {
      if (this.#failure === undefined) throw error;
    } finally {
      this.#running = false;
    }
    throw this.#failure;
  }

  mark(): Mark {
    return { lastCommitId: this.#lastCommitId, writes: this.#writes };
  }

  /** The database has undone what came after the mark. */
  rewind({ lastCommitId, writes }: Mark): void {
    this.#lastCommitId = lastCommitId;
    this.#writes = writes;
  }

  get(key: string): StoredRecord | undefined {
    return this.#do(() => this.#tables.get(key));
  }

  put(record: StoredRecord, operation: "+" | "*" | "#" | null): number {
    assertStorable(record);
    return this.#write(operation, (commitId) => {
      this.#characters += record.value?.length ?? 0;
      this.#tables.put(record, operation === null ? null : { commitId, operation });
    });
  }

  delete(key: string, operation: "-" | null): number {
    assertStorable({ key, value: undefined });
    return this.#write(operation, (commitId) => this.#tables.delete(key, operation === null ? null : commitId));
  }

  /** The same changes, within the bounds of this transaction. */
  #guarded(tables: NotificationChanges): NotificationChanges {
    const read = <A extends unknown[], T>(access: (...args: A) => T) => {
      return (...args: A): T => this.#do(() => access(...args));
    };
    const write = <A extends unknown[], T>(access: (...args: A) => T) => {
      return read((...args: A): T => {
        this.#writes++;
        return access(...args);
      });
    };
    return {
      add: write((notification: NewNotification, now: number) => {
        assertStorable(notification);
        this.#characters += notification.value?.length ?? 0;
        return tables.add(notification, now);
      }),
      load: read((kind, peer) => tables.load(kind, peer)),
      totals: read((kind) => tables.totals(kind)),
      oldestSettled: read((limit) => tables.oldestSettled(limit)),
      settle: write((time, outcome) => tables.settle(time, outcome)),
      supersede: write((of) => tables.supersede(of)),
      remove: write((time) => tables.remove(time)),
      forget: write((times) => tables.forget(times)),
    };
  }

  #write(operation: Operation | null, access: (commitId: number) => void): number {
    return this.#do(() => {
      this.#writes++;
      const commitId = operation === null ? -1 : ++this.#lastCommitId;
      access(commitId);
      return commitId;
    });
  }

  #do<T>(access: () => T): T {
    if (!this.#running) throw new Error("the change has ended");
    try {
      return access();
    } catch (error) {
      this.#failure ??= storeFailure(error);
      throw this.#failure ?? error;
    }
  }
}
