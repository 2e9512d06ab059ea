import type { Connection } from "./connection.ts";
import { storeFailure } from "./sqlite-failure.ts";
import type { Transaction } from "./store.ts";
import { DiskTransaction } from "./transaction.ts";

/** A change that waits for its turn, and who waits for it. */
export interface Waiting {
  readonly change: (tx: Transaction) => unknown;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** What became of the first `settled.length` of the waiting changes. */
export interface Committed {
  readonly lastCommitId: number;
  /** tell those who wait; a change that failed on its own is among them */
  readonly settled: readonly (() => void)[];
}

/**
 * A group holds up whoever waits for the event loop, and its pages stay in memory until it is committed: 256 changes
 * are about 4 ms of work, and values beyond a million characters go into the next group.
 */
export const maxChanges = 256;
const maxCharacters = 1_000_000;

/** Thrown to undo a group in which a change failed after it had written. */
class Contaminated extends Error {}

/**
 * Commits waiting changes together, in their order, as many as make a sensible group.
 *
 * Changes seldom fail after they have written something, and a savepoint costs as much as a statement: so the group
 * is run without them first, and again with them when it turns out that one is needed.
 *
 * @param limit at most so many changes
 * @throws when the store fails; then nothing has happened
 */
export function commitGroup(connection: Connection, waiting: readonly Waiting[], limit: number): Committed {
  const group = waiting.slice(0, limit);
  try {
    return runGroup(connection, group, runChange);
  } catch (error) {
    if (!(error instanceof Contaminated)) throw error;
    return runGroup(connection, group, runIsolated);
  }
}

type Run = (connection: Connection, tx: DiskTransaction, change: Waiting["change"]) => unknown;

function runGroup(connection: Connection, group: readonly Waiting[], run: Run): Committed {
  return connection.transaction((meta) => {
    const tx = new DiskTransaction(connection, meta.lastCommitId);
    const settled: (() => void)[] = [];
    for (const { change, resolve, reject } of group) {
      if (tx.characters > maxCharacters) break;
      try {
        const value = run(connection, tx, change);
        settled.push(() => resolve(value));
      } catch (error) {
        if (error instanceof Contaminated || storeFailure(error) !== undefined) throw error;
        settled.push(() => reject(error));
      }
    }
    if (tx.lastCommitId !== meta.lastCommitId) connection.tables.setLastCommitId(tx.lastCommitId);
    return { lastCommitId: tx.lastCommitId, settled };
  });
}

function runChange(_connection: Connection, tx: DiskTransaction, change: Waiting["change"]): unknown {
  const { writes } = tx;
  try {
    return tx.run(change);
  } catch (error) {
    throw tx.writes === writes || storeFailure(error) !== undefined ? error : new Contaminated("", { cause: error });
  }
}

function runIsolated(connection: Connection, tx: DiskTransaction, change: Waiting["change"]): unknown {
  const mark = tx.mark();
  connection.savepoint();
  try {
    const value = tx.run(change);
    connection.release();
    return value;
  } catch (error) {
    if (storeFailure(error) === undefined) {
      connection.rewind();
      tx.rewind(mark);
    }
    throw error;
  }
}
