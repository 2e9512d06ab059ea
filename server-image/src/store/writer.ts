import { backoffMs } from "@atrium/runtime/backoff.ts";
import type { Log } from "@atrium/runtime/log.ts";
import type { Connection } from "./connection.ts";
import { commitGroup, maxChanges, type Waiting } from "./group.ts";
import { hasReason, isPassing, storeFailure } from "./sqlite-failure.ts";
import { StaleEpochError, StoreError, type Transaction } from "./store.ts";

/** Bounds what is in memory while writes wait: a connection has one write under way, or a few when it pipelines. */
const maxWaiting = 4096;

const lockBackoff = { minMs: 5, maxMs: 100 };
const probeBackoff = { minMs: 250, maxMs: 10_000 };

/**
 * Commits what is written in groups, and decides what a failure means: a lock that is held is waited for; a full or
 * failing disk refuses all writes until a small one succeeds; damage and a newer owner refuse them for ever.
 */
export class Writer {
  readonly stale: Promise<StaleEpochError>;
  readonly #resolveStale: (error: StaleEpochError) => void;
  readonly #connection: Connection;
  readonly #log: Log;
  readonly #lockDeadlineMs: number;
  readonly #waiting: Waiting[] = [];
  #lastCommitId: number;
  /** why nothing can be written, now or ever again */
  #refusal: StoreError | StaleEpochError | undefined;
  /** so many of those that wait are committed one by one: together they failed */
  #alone = 0;
  #lock: { readonly heldSince: number; readonly attempts: number } | undefined;
  #flushing: NodeJS.Immediate | NodeJS.Timeout | undefined;
  #probing: NodeJS.Timeout | undefined;
  #drained: (() => void) | undefined;

  /** @param lockDeadlineMs how long a write waits for another process to release the lock */
  constructor(connection: Connection, log: Log, lockDeadlineMs: number) {
    ({ promise: this.stale, resolve: this.#resolveStale } = Promise.withResolvers<StaleEpochError>());
    this.#connection = connection;
    this.#log = log;
    this.#lockDeadlineMs = lockDeadlineMs;
    this.#lastCommitId = connection.checkEpoch().lastCommitId;
  }

  get lastCommitId(): number {
    return this.#lastCommitId;
  }

  get refusal(): Error | undefined {
    return this.#refusal;
  }

  /**
   * Makes this process the owner of the data. A full or failing disk is no reason not to serve what can be read.
   *
   * @throws {StaleEpochError} and {StoreError}
   */
  takeOver(): void {
    try {
      this.#lastCommitId = this.#connection.transaction(({ lastCommitId }) => lastCommitId);
    } catch (error) {
      if (!isPassing(error)) throw error;
      this.refuse(error);
    }
  }

  write<T>(change: (tx: Transaction) => T): Promise<T> {
    if (this.#refusal !== undefined) return Promise.reject(this.#refusal);
    if (this.#waiting.length >= maxWaiting) return Promise.reject(new StoreError("busy", "too many writes wait"));
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.#waiting.push({ change, resolve: resolve as Waiting["resolve"], reject });
    this.#flushing ??= setImmediate(this.#flush);
    return promise;
  }

  /** Refuses this and every later write, until the disk is well again where that can be. */
  refuse(error: StoreError | StaleEpochError): void {
    if (this.#refusal !== undefined && !isPassing(this.#refusal)) return;
    this.#refusal = error;
    this.#rejectWaiting(this.#waiting.length, error);
    if (error instanceof StaleEpochError) this.#resolveStale(error);
    this.#log.error({ err: error }, "the store can not be written");
    if (isPassing(error)) this.#probeLater(0);
    else clearTimeout(this.#probing);
  }

  /** Commits what waits, within the deadlines, and then refuses everything. */
  async close(): Promise<void> {
    if (this.#waiting.length > 0)
      await new Promise<void>((resolve) => {
        this.#drained = resolve;
      });
    clearTimeout(this.#probing);
    this.#refusal = new StoreError("closed", "the store is closed");
  }

  /** Runs once per turn of the event loop, after the turn's input has been read: that is what makes the groups. */
  readonly #flush = (): void => {
    this.#flushing = undefined;
    if (this.#waiting.length > 0) this.#commit();
    if (this.#waiting.length === 0) this.#drained?.();
    else this.#flushing ??= setImmediate(this.#flush);
  };

  #commit(): void {
    try {
      const { lastCommitId, settled } = commitGroup(this.#connection, this.#waiting, this.#groupLimit);
      this.#lastCommitId = lastCommitId;
      this.#lock = undefined;
      this.#dequeue(settled.length);
      for (const settle of settled) settle();
    } catch (error) {
      this.#failed(error);
    }
  }

  get #groupLimit(): number {
    return this.#alone > 0 ? 1 : maxChanges;
  }

  #failed(cause: unknown): void {
    const error = storeFailure(cause);
    if (hasReason(error, "busy")) {
      this.#awaitLock(error);
      return;
    }
    this.#lock = undefined;
    if (isPassing(error)) {
      this.#groupFailed(error);
    } else if (error !== undefined) {
      this.refuse(error);
    } else {
      this.#log.error({ err: cause }, "a group of writes failed");
      this.#rejectWaiting(this.#groupLimit, cause);
    }
  }

  #awaitLock(error: StoreError): void {
    const { heldSince, attempts } = this.#lock ?? { heldSince: performance.now(), attempts: 0 };
    if (performance.now() - heldSince < this.#lockDeadlineMs) {
      this.#lock = { heldSince, attempts: attempts + 1 };
      this.#flushing = setTimeout(this.#flush, backoffMs(attempts, lockBackoff));
    } else {
      this.#lock = undefined;
      this.#rejectWaiting(this.#waiting.length, error);
    }
  }

  /** One large value must not take those down that would fit: what can be written is found out with a small write. */
  #groupFailed(error: StoreError): void {
    const size = Math.min(this.#waiting.length, this.#groupLimit);
    if (size === 1) this.#rejectWaiting(1, error);
    else this.#alone = size;
    const failure = this.#probe();
    if (failure !== undefined) this.refuse(failure);
  }

  /** @returns why a small write failed */
  #probe(): StoreError | StaleEpochError | undefined {
    try {
      this.#connection.transaction(() => this.#connection.tables.probe());
      return undefined;
    } catch (cause) {
      const error = storeFailure(cause);
      if (error === undefined) throw cause;
      return error;
    }
  }

  #probeLater(attempt: number): void {
    clearTimeout(this.#probing);
    this.#probing = setTimeout(() => this.#probeAgain(attempt), backoffMs(attempt, probeBackoff)).unref();
  }

  #probeAgain(attempt: number): void {
    const failure = this.#probe();
    if (failure === undefined) {
      this.#refusal = undefined;
      this.#log.info("the store can be written again");
    } else if (isPassing(failure) || hasReason(failure, "busy")) {
      this.#probeLater(attempt + 1);
    } else {
      this.refuse(failure);
    }
  }

  #rejectWaiting(count: number, error: unknown): void {
    for (const { reject } of this.#dequeue(count)) reject(error);
  }

  #dequeue(count: number): Waiting[] {
    this.#alone = Math.max(0, this.#alone - count);
    return this.#waiting.splice(0, count);
  }
}
