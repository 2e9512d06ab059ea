const longestMs = 55_000;

/**
 * How long the answer to a wrong passcode waits: 1, 2, 3, 5, 8 … up to 55 seconds, whoever sent it, and from the
 * beginning again after a time without one. Nobody else waits for that.
 */
export class Pauses {
  #beforeMs = 0;
  #lastMs = 1_000;
  #wrongAtMs = Number.NEGATIVE_INFINITY;

  /** @param nowMs of a monotonic clock */
  next(nowMs: number): number {
    if (nowMs - this.#wrongAtMs >= longestMs) {
      this.#beforeMs = 0;
      this.#lastMs = 1_000;
    }
    this.#wrongAtMs = nowMs;
    if (this.#lastMs < longestMs) [this.#beforeMs, this.#lastMs] = [this.#lastMs, this.#beforeMs + this.#lastMs];
    return this.#lastMs;
  }
}
