/**
 * A map of bounded size that keeps what is in use: entries live in two generations, and when the younger is half of the
 * bound, the older goes and the younger takes its place. A hit in the younger costs no more than in a plain map; what
 * has not been asked for during the last `max / 2` other names is forgotten.
 */
export class RecentMap<V> {
  readonly #maxYoung: number;
  #young = new Map<string, V>();
  #old = new Map<string, V>();

  /** @param max entries in all, at least 2 */
  constructor(max: number) {
    this.#maxYoung = Math.max(1, Math.floor(max / 2));
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }

  get(key: string): V | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(key);
    if (old !== undefined) this.set(key, old);
    return old;
  }

  set(key: string, value: V): void {
    this.#old.delete(key);
    this.#young.set(key, value);
    if (this.#young.size < this.#maxYoung) return;
    this.#old = this.#young;
    this.#young = new Map();
  }

  delete(key: string): void {
    this.#young.delete(key);
    this.#old.delete(key);
  }

  /** Keeps only what fulfils the condition. */
  filter(keep: (value: V) => boolean): void {
    for (const map of [this.#young, this.#old]) {
      for (const [key, value] of map) if (!keep(value)) map.delete(key);
    }
  }

  clear(): void {
    this.#young.clear();
    this.#old.clear();
  }
}
