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
    const waitMs = this.waitMs(key);
    if (waitMs === 0) this.count(key);
    return waitMs;
  }

  /** @returns 0 when it may be done; else after how many milliseconds it may be */
  waitMs(key: string): number {
    const missing = 1 - this.#level(key);
    return missing <= 0 ? 0 : Math.ceil((missing / this.#rate.perSecond) * 1000);
  }

  /** Counts what was done, whether or not it should have been. */
  count(key: string): void {
    const nowMs = this.#monotonic();
    const level = Math.max(0, this.#level(key) - 1);
    // Set anew, it goes last: the first one is the one that was used longest ago.
    this.#buckets.delete(key);
    this.#buckets.set(key, { level, atMs: nowMs });
    this.#forget(nowMs);
  }

  #level(key: string): number {
    const { burst, perSecond } = this.#rate;
    const bucket = this.#buckets.get(key);
    if (bucket === undefined) return burst;
    return Math.min(burst, bucket.level + ((this.#monotonic() - bucket.atMs) / 1000) * perSecond);
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
