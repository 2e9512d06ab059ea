import { backoffMs } from "@atrium/runtime/backoff.ts";
import { FairQueue, type Priority } from "./fair-queue.ts";
import { splitKey } from "./store.ts";

export type { Priority } from "./fair-queue.ts";

export interface WorkQueueOptions {
  /** how many keys are worked on at the same time */
  readonly workers: number;
  /** pauses of a key that fails again and again */
  readonly backoff: { readonly minMs: number; readonly maxMs: number };
  /** keys of one group take turns with those of others; by default the namespace */
  readonly groupOf?: (key: string) => string;
  /** is told of every piece of work, when it is done: how long the key had waited for a worker, and how long it took */
  readonly onWorked?: (work: { readonly waitedMs: number; readonly tookMs: number; readonly failed: boolean }) => void;
  readonly onError: (key: string, error: unknown) => void;
  readonly random?: () => number;
}

/** What became of one piece of work: done, to be looked at again later, or failed (by what it threw). */
export interface Outcome {
  /** milliseconds; undefined: not before something changes */
  readonly againAfterMs?: number | undefined;
}

interface Entry {
  /** with which it waits, is worked on, or was worked on last */
  priority: Priority;
  /** waits for a worker since then, in milliseconds of the monotonic clock */
  waitsSinceMs: number | undefined;
  working: boolean;
  /** asked for while it is worked on */
  again: Priority | undefined;
  /** waits for its time until then, in the same milliseconds */
  dueMs: number;
  timer: NodeJS.Timeout | undefined;
  failures: number;
}

/**
 * Keys to work on. A key waits once however often it is added, is worked on by one worker at a time, and again when it was
 * added meanwhile. A failure is tried again after a pause that grows with each one in a row.
 *
 * As client-go's workqueue with rate limiting, in one process.
 */
export class WorkQueue {
  readonly #options: WorkQueueOptions;
  readonly #work: (key: string) => Promise<Outcome | undefined>;
  /** of the keys that wait, for a worker or for their time, and of those worked on */
  readonly #entries = new Map<string, Entry>();
  readonly #ready: FairQueue;
  #working = 0;
  #started = false;
  #stopped = false;
  readonly #idle: PromiseWithResolvers<void> = Promise.withResolvers();

  constructor(work: (key: string) => Promise<Outcome | undefined>, options: WorkQueueOptions) {
    this.#work = work;
    this.#options = options;
    this.#ready = new FairQueue(options.groupOf ?? ((key) => splitKey(key).namespace ?? ""));
  }

  /** Keys that wait to be worked on now, and those worked on. */
  get length(): number {
    return this.waiting(0) + this.waiting(1) + this.waiting(2) + this.#working;
  }

  get working(): number {
    return this.#working;
  }

  /** Keys that something is known of: those that wait for their time too. */
  get size(): number {
    return this.#entries.size;
  }

  /** Keys of one priority that wait for a worker. */
  waiting(priority: Priority): number {
    return this.#ready.size(priority);
  }

  /** What waits for nothing is worked on from now on. */
  start(): void {
    this.#started = true;
    this.#next();
  }

  /** @param priority keeps the higher one when it waits already */
  add(key: string, priority: Priority = 1): void {
    if (this.#stopped) return;
    const entry = this.#entry(key);
    cancel(entry);
    if (entry.working) {
      entry.again = priority < (entry.again ?? 2) ? priority : (entry.again ?? priority);
      return;
    }
    if (entry.waitsSinceMs !== undefined) {
      if (priority >= entry.priority) return;
      this.#ready.delete(key, entry.priority);
    }
    entry.priority = priority;
    entry.waitsSinceMs ??= performance.now();
    this.#ready.add(key, priority);
    this.#next();
  }

  /** Adds it after a while, unless it is added before. The earliest of several counts. */
  addAfter(key: string, delayMs: number, priority: Priority = 1): void {
    if (this.#stopped) return;
    const entry = this.#entry(key);
    const dueMs = performance.now() + delayMs;
    if (entry.waitsSinceMs !== undefined || entry.again !== undefined || entry.dueMs <= dueMs) return;
    cancel(entry);
    entry.dueMs = dueMs;
    entry.timer = setTimeout(() => this.add(key, priority), delayMs).unref();
  }

  /** Begins nothing new. @returns once nothing is worked on */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const entry of this.#entries.values()) cancel(entry);
    this.#entries.clear();
    this.#ready.clear();
    if (this.#working === 0) this.#idle.resolve();
    await this.#idle.promise;
  }

  #entry(key: string): Entry {
    const known = this.#entries.get(key);
    if (known !== undefined) return known;
    const entry: Entry = {
      priority: 1,
      waitsSinceMs: undefined,
      working: false,
      again: undefined,
      dueMs: Number.POSITIVE_INFINITY,
      timer: undefined,
      failures: 0,
    };
    this.#entries.set(key, entry);
    return entry;
  }

  #next(): void {
    while (this.#started && !this.#stopped && this.#working < this.#options.workers) {
      const key = this.#ready.take();
      if (key === undefined) return;
      void this.#run(key, this.#entry(key));
    }
  }

  async #run(key: string, entry: Entry): Promise<void> {
    const beganMs = performance.now();
    const waitedMs = beganMs - (entry.waitsSinceMs ?? beganMs);
    entry.waitsSinceMs = undefined;
    entry.working = true;
    this.#working++;
    let againAfterMs: number | undefined;
    let failed = false;
    try {
      againAfterMs = (await this.#work(key))?.againAfterMs;
      entry.failures = 0;
    } catch (error) {
      failed = true;
      againAfterMs = this.#pauseMs(entry);
      this.#options.onError(key, error);
    }
    this.#working--;
    entry.working = false;
    this.#options.onWorked?.({ waitedMs, tookMs: performance.now() - beganMs, failed });
    if (!this.#stopped) this.#afterwards(key, entry, againAfterMs);
    else if (this.#working === 0) this.#idle.resolve();
  }

  /** What was added while it failed is not worked on at once: work that changes what it is told of would fail for ever. */
  #pauseMs(entry: Entry): number {
    const { backoff, random = Math.random } = this.#options;
    const pauseMs = backoffMs(entry.failures++, { ...backoff, random });
    if (entry.again === undefined) return pauseMs;
    entry.priority = entry.again;
    entry.again = undefined;
    return Math.min(pauseMs, backoff.minMs);
  }

  #afterwards(key: string, entry: Entry, againAfterMs: number | undefined): void {
    const { again, priority } = entry;
    entry.again = undefined;
    if (again !== undefined) this.add(key, again);
    else if (againAfterMs !== undefined) this.addAfter(key, againAfterMs, priority);
    // A key that nothing is known of costs nothing.
    else if (entry.timer === undefined) this.#entries.delete(key);
    this.#next();
  }
}

function cancel(entry: Entry): void {
  clearTimeout(entry.timer);
  entry.timer = undefined;
  entry.dueMs = Number.POSITIVE_INFINITY;
}
