import type { Term } from "./term.ts";

interface LeaseTermOptions {
  /** of the monotonic clock */
  readonly endMs: number;
  /** asks to end in good order */
  readonly stop: AbortSignal;
  readonly monotonic: () => number;
}

/** The term of one who holds a lease and renews it. */
export class LeaseTerm implements Term, Disposable {
  readonly #options: LeaseTermOptions;
  readonly #ending = new AbortController();
  readonly #over = new AbortController();
  #endMs: number;

  constructor(options: LeaseTermOptions) {
    this.#options = options;
    this.#endMs = options.endMs;
    if (options.stop.aborted) this.#ending.abort();
    options.stop.addEventListener("abort", this.#askToEnd, { once: true });
  }

  get signal(): AbortSignal {
    return this.#ending.signal;
  }

  get over(): AbortSignal {
    return this.#over.signal;
  }

  remainingMs(): number {
    return this.#over.signal.aborted ? 0 : Math.max(0, this.#endMs - this.#options.monotonic());
  }

  /** Does nothing when the term has ended meanwhile: what is over stays over. */
  extend(endMs: number): void {
    if (this.remainingMs() > 0) this.#endMs = endMs;
  }

  end(): void {
    this.#over.abort(new Error("the lease is over"));
    this.#ending.abort();
  }

  [Symbol.dispose](): void {
    this.end();
    this.#options.stop.removeEventListener("abort", this.#askToEnd);
  }

  readonly #askToEnd = () => this.#ending.abort();
}
