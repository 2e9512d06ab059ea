/** How many, of each key: a bucket of `burst` that is filled by `perSecond`. */
export interface Rate {
  readonly burst: number;
  readonly perSecond: number;
}

interface Bucket {
  level: number;
  atMs: number;
}

/**
 * Token buckets by key. A bucket that is full again is forgotten; of more than `maxKeys` the one that was used longest ago
 * is, which gives its key a full one at worst.
 */
export class RateLimit {
  readonly #buckets = new Map<string, Bucket>();
  readonly #rate: Rate;
  readonly #maxKeys: number;
  readonly #monotonic: () => number;

  constructor(rate: Rate, { maxKeys = 50_000, monotonic = () => performance.now() } = {}) {
    this.#rate = rate;
    this.#maxKeys = maxKeys;
    this.#monotonic = monotonic;
  }

  /** @returns 0 when it may be done, and was counted; else after how many milliseconds it may be */
  take(key: string): number {
    const { burst, perSecond } = this.#rate;
    const nowMs = this.#monotonic();
    const before = this.#buckets.get(key) ?? { level: burst, atMs: nowMs };
    const level = Math.min(burst, before.level + ((nowMs - before.atMs) / 1000) * perSecond);
    if (level < 1) return Math.ceil(((1 - level) / perSecond) * 1000);
    // Set anew, it goes last: the first one is the one that was used longest ago.
    this.#buckets.delete(key);
    this.#buckets.set(key, { level: level - 1, atMs: nowMs });
    this.#forget(nowMs);
    return 0;
  }

  get size(): number {
    return this.#buckets.size;
  }

  #forget(nowMs: number): void {
    const { burst, perSecond } = this.#rate;
    const fullAfterMs = (burst / perSecond) * 1000;
    for (const [key, { atMs }] of this.#buckets) {
      if (this.#buckets.size <= this.#maxKeys && nowMs - atMs < fullAfterMs) return;
      this.#buckets.delete(key);
    }
  }
}
