import type { AtSign } from "@atrium/protocol";
import { backoffMs } from "@atrium/runtime/backoff.ts";
import type { Log } from "@atrium/runtime/log.ts";
import { type Action, desired, type Plan } from "./desired.ts";
import type { Observed } from "./observe.ts";

/** Where AtSigns run: processes of this machine. */
export interface Adapter {
  /** @returns undefined when there is nothing to do for this AtSign any more */
  observe(atSign: AtSign, now: number): Observed | undefined;
  /** May be repeated. When it changes what `observe` sees, now or later, the adapter pokes the reconciler. */
  apply(atSign: AtSign, action: Action): Promise<void>;
  /** Is told of each look, before anything is done. */
  report(atSign: AtSign, observed: Observed, plan: Plan): void;
}

export interface Reconciler extends AsyncDisposable {
  /** Looks at an AtSign soon; many pokes are one look. */
  poke(atSign: AtSign): void;
}

const retry = { minMs: 200, maxMs: 30_000 };

/** Reads, decides, does: for each AtSign one at a time, after each poke, at the times that a plan asks for, and again after a fault. */
export function reconciler({ adapter, log }: { adapter: Adapter; log: Log }): Reconciler {
  const loops = new Map<AtSign, Loop>();
  let closed = false;
  return {
    poke(atSign) {
      if (closed) return;
      let loop = loops.get(atSign);
      if (loop === undefined) {
        loop = new Loop(atSign, adapter, log, () => loops.delete(atSign));
        loops.set(atSign, loop);
      }
      loop.poke();
    },
    async [Symbol.asyncDispose]() {
      closed = true;
      await Promise.all([...loops.values()].map((loop) => loop.end()));
    },
  };
}

class Loop {
  readonly #atSign: AtSign;
  readonly #adapter: Adapter;
  readonly #log: Log;
  readonly #onIdle: () => void;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #again = false;
  #ended = false;
  #faults = 0;

  constructor(atSign: AtSign, adapter: Adapter, log: Log, onIdle: () => void) {
    this.#atSign = atSign;
    this.#adapter = adapter;
    this.#log = log;
    this.#onIdle = onIdle;
  }

  poke(): void {
    if (this.#ended) return;
    if (this.#running !== undefined) {
      this.#again = true;
      return;
    }
    clearTimeout(this.#timer);
    this.#running = this.#look().finally(() => {
      this.#running = undefined;
      if (!this.#again) return;
      this.#again = false;
      this.poke();
    });
  }

  async end(): Promise<void> {
    this.#ended = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  /** Never rejects: a fault is tried again, later and later. */
  async #look(): Promise<void> {
    // Later, so that whoever pokes because of this look finds it running.
    await undefined;
    if (this.#ended) return;
    try {
      const observed = this.#adapter.observe(this.#atSign, Date.now());
      if (observed === undefined) {
        // Whoever poked before this look was heard; whoever does from now on gets another loop.
        this.#again = false;
        this.#onIdle();
        return;
      }
      const plan = desired(observed);
      this.#adapter.report(this.#atSign, observed, plan);
      if (plan.requeueAt !== undefined) this.#lookAt(plan.requeueAt);
      for (const action of plan.actions) {
        if (this.#ended) return;
        this.#log.debug({ atSign: this.#atSign, action: action.do }, "applying");
        await this.#adapter.apply(this.#atSign, action);
      }
      this.#faults = 0;
    } catch (error) {
      const delayMs = backoffMs(this.#faults++, retry);
      this.#log.warn({ atSign: this.#atSign, error: String(error), delayMs: Math.round(delayMs) }, "will try again");
      this.#lookAt(Date.now() + delayMs);
    }
  }

  #lookAt(time: number): void {
    clearTimeout(this.#timer);
    if (!this.#ended) this.#timer = setTimeout(() => this.poke(), Math.max(0, time - Date.now()));
  }
}
