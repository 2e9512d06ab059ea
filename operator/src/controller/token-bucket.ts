export interface Rate {
  readonly perSecond: number;
  /** so many at once, after a pause */
  readonly burst: number;
}

/** So many in a time. */
export class TokenBucket {
  readonly #rate: Rate;
  readonly #monotonic: () => number;
  #tokens: number;
  #atMs: number;

  constructor(rate: Rate, monotonic: () => number = () => performance.now()) {
    this.#rate = rate;
    this.#monotonic = monotonic;
    this.#tokens = rate.burst;
    this.#atMs = monotonic();
  }

  /** Takes one, which may not be there yet. @returns milliseconds until it is */
  take(): number {
    const { perSecond, burst } = this.#rate;
    const nowMs = this.#monotonic();
    this.#tokens = Math.min(burst, this.#tokens + ((nowMs - this.#atMs) / 1000) * perSecond) - 1;
    this.#atMs = nowMs;
    return Math.max(0, (-this.#tokens / perSecond) * 1000);
  }
}
