export interface UnknownNamesSettings {
  /** so many are answered at once to an address that has not asked for a while */
  readonly burst: number;
  /** so many per second afterwards */
  readonly perSecond: number;
  /** an answer that would have to wait longer is refused; shorter than the patience of clients, which is 3 s */
  readonly maxDelayMs: number;
  /** so many addresses are remembered */
  readonly maxAddresses: number;
}

/**
 * How fast an address may ask for names that nobody has: a token bucket per address, which may be overdrawn by what
 * comes back within `maxDelayMs`. Keeps someone from finding out by trial which names exist, and costs those nothing
 * who ask for names that do.
 */
export class UnknownNames {
  readonly #settings: UnknownNamesSettings;
  readonly #nowMs: () => number;
  /** Until when each address has spent its tokens; absent and in the past are a full bucket. Oldest use first. */
  readonly #spentUntilMs = new Map<string, number>();
  readonly #tokenMs: number;

  /** @param nowMs milliseconds of a clock that never goes back */
  constructor(settings: UnknownNamesSettings, nowMs: () => number = () => performance.now()) {
    this.#settings = settings;
    this.#nowMs = nowMs;
    this.#tokenMs = 1_000 / settings.perSecond;
  }

  /**
   * Takes a token.
   * @returns how long the answer has to wait, in milliseconds; undefined when there shall be none
   */
  take(address: string): number | undefined {
    const nowMs = this.#nowMs();
    const delayMs = this.#delayMs(address, nowMs);
    if (delayMs > this.#settings.maxDelayMs) return undefined;
    const from = Math.max(nowMs, this.#spentUntilMs.get(address) ?? 0);
    this.#remember(address, from + this.#tokenMs, nowMs);
    return delayMs;
  }

  /** Would the next be refused? */
  exhausted(address: string): boolean {
    return this.#delayMs(address, this.#nowMs()) > this.#settings.maxDelayMs;
  }

  get addresses(): number {
    return this.#spentUntilMs.size;
  }

  /** A bucket holds `burst` tokens; each one that is spent takes a token's time to come back. */
  #delayMs(address: string, nowMs: number): number {
    const spentMs = Math.max(0, (this.#spentUntilMs.get(address) ?? 0) - nowMs);
    return Math.max(0, spentMs + this.#tokenMs - this.#settings.burst * this.#tokenMs);
  }

  #remember(address: string, untilMs: number, nowMs: number): void {
    this.#spentUntilMs.delete(address);
    this.#spentUntilMs.set(address, untilMs);
    // From the front: what is full again is as good as forgotten, and beyond the bound the longest unused goes.
    for (const [oldest, until] of this.#spentUntilMs) {
      if (until > nowMs && this.#spentUntilMs.size <= this.#settings.maxAddresses) break;
      this.#spentUntilMs.delete(oldest);
    }
  }
}
