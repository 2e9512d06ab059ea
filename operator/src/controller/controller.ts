import { traced } from "@atrium/runtime/tracing.ts";
import { type Term, TermOverError } from "./term.ts";
import { type Outcome, type Priority, WorkQueue, type WorkQueueOptions } from "./work-queue.ts";

export interface ControllerOptions extends WorkQueueOptions {
  /**
   * Brings what a key stands for nearer to what it should be. It may be called at any time, and for what is gone.
   *
   * @param term everything that it writes is written in it
   */
  readonly reconcile: (key: string, term: Term) => Promise<Outcome | undefined>;
  /** every key that there is, as the stores know them */
  readonly keys: () => Iterable<string>;
  /** of the reflectors: before that nothing is decided */
  readonly synced: Promise<unknown>;
}

/**
 * Reconciles while this process leads. Reflectors run all the time, and add what changed; when a term begins, everything
 * that there is is looked at, behind what changes now.
 */
export class Controller {
  readonly #options: ControllerOptions;
  #queue: WorkQueue | undefined;

  constructor(options: ControllerOptions) {
    this.#options = options;
  }

  /** Of this term; undefined while this process does not lead. */
  get queue(): Pick<WorkQueue, "length" | "size" | "waiting" | "working"> | undefined {
    return this.#queue;
  }

  /** Something changed that the key depends on. Nothing is remembered while this process does not lead. */
  add(key: string, priority?: Priority): void {
    this.#queue?.add(key, priority);
  }

  /** For {@link Leader.run}. @returns once the term shall end and what was begun has ended */
  async lead(term: Term): Promise<void> {
    const { reconcile, onError, keys, synced } = this.#options;
    const ended = new Promise<void>((resolve) => {
      if (term.signal.aborted) resolve();
      term.signal.addEventListener("abort", () => resolve(), { once: true });
    });
    await Promise.race([synced, ended]);
    if (term.signal.aborted) return;
    const queue = new WorkQueue(
      (key) => traced("operator.reconcile", { "atrium.key": key }, () => reconcile(key, term)),
      {
        ...this.#options,
        // What could not be written any more is the next leader's.
        onError: (key, error) => {
          if (!(error instanceof TermOverError)) onError(key, error);
        },
      },
    );
    this.#queue = queue;
    for (const key of keys()) queue.add(key, 2);
    queue.start();
    await ended;
    this.#queue = undefined;
    await queue.stop();
  }
}
