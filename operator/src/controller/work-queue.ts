import { backoffMs } from "@atrium/runtime/backoff.ts";

/** The lower, the sooner. */
export type Priority = 0 | 1 | 2;

export interface WorkQueueOptions {
  /** how many keys are worked on at the same time */
  readonly workers: number;
  /** pauses of a key that fails again and again */
  readonly backoff: { readonly minMs: number; readonly maxMs: number };
}

/** What became of one piece of work: done, to be looked at again later, or failed (by what it threw). */
export interface Outcome {
  /** milliseconds; undefined: not before something changes */
  readonly againAfterMs?: number | undefined;
}

interface Entry {
  /** of the ready queue that it is in; undefined while it is in none */
  priority: Priority | undefined;
  working: boolean;
  /** asked for while it is worked on */
  again: Priority | undefined;
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
  readonly #onError: (key: string, error: unknown) => void;
  readonly #entries = new Map<string, Entry>();
  readonly #ready: readonly Set<string>[] = [new Set(), new Set(), new Set()];
  #working = 0;
  #started = false;
  #stopped = false;
  #idle: (() => void) | undefined;

  constructor(
    work: (key: string) => Promise<Outcome | undefined>,
    { onError, ...options }: WorkQueueOptions & { onError: (key: string, error: unknown) => void },
  ) {
    this.#work = work;
    this.#onError = onError;
    this.#options = options;
  }

  /** Keys that wait to be worked on now, and those worked on. */
  get length(): number {
    return this.#ready.reduce((sum, { size }) => sum + size, this.#working);
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
    clearTimeout(entry.timer);
    entry.timer = undefined;
    if (entry.working) {
      entry.again = entry.again === undefined || priority < entry.again ? priority : entry.again;
      return;
    }
    if (entry.priority !== undefined) {
      if (priority >= entry.priority) return;
      this.#ready[entry.priority]?.delete(key);
    }
    entry.priority = priority;
    this.#ready[priority]?.add(key);
    this.#next();
  }

  /** Adds it after a while, unless it is added before. */
  addAfter(key: string, delayMs: number): void {
    if (this.#stopped) return;
    const entry = this.#entry(key);
    if (entry.priority !== undefined || entry.again !== undefined) return;
    clearTimeout(entry.timer);
    entry.timer = setTimeout(() => {
      entry.timer = undefined;
      this.add(key);
    }, delayMs).unref();
  }

  /** Begins nothing new. @returns once nothing is worked on */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const { timer } of this.#entries.values()) clearTimeout(timer);
    for (const keys of this.#ready) keys.clear();
    if (this.#working === 0) return;
    await new Promise<void>((resolve) => {
      this.#idle = resolve;
    });
  }

  #entry(key: string): Entry {
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      entry = { priority: undefined, working: false, again: undefined, timer: undefined, failures: 0 };
      this.#entries.set(key, entry);
    }
    return entry;
  }

  #next(): void {
    while (this.#started && !this.#stopped && this.#working < this.#options.workers) {
      const keys = this.#ready.find(({ size }) => size > 0);
      const [key] = keys ?? [];
      if (keys === undefined || key === undefined) return;
      keys.delete(key);
      void this.#run(key, this.#entry(key));
    }
  }

  async #run(key: string, entry: Entry): Promise<void> {
    entry.priority = undefined;
    entry.working = true;
    this.#working++;
    let againAfterMs: number | undefined;
    try {
      againAfterMs = (await this.#work(key))?.againAfterMs;
      entry.failures = 0;
    } catch (error) {
      this.#onError(key, error);
      againAfterMs = backoffMs(entry.failures++, this.#options.backoff);
    }
    this.#working--;
    entry.working = false;
    const { again } = entry;
    entry.again = undefined;
    if (this.#stopped) {
      if (this.#working === 0) this.#idle?.();
      return;
    }
    if (again !== undefined) this.add(key, again);
    else if (againAfterMs !== undefined) this.addAfter(key, againAfterMs);
    // A key that nothing is known of costs nothing.
    else this.#entries.delete(key);
    this.#next();
  }
}
