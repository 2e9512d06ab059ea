import type { AtSign } from "@atrium/protocol";

/** As many keys are counted; the rest is forgotten from the rarest on. */
const maxKeys = 1_000;
const topCount = 5;

/** What the statistics tell of how this atServer was used since it started; bounded, however many keys there are. */
export class AccessCounts {
  readonly #lookups = new Map<string, number>();
  readonly #owner: AtSign;
  readonly #now: () => number;
  #lastLoginMs: number | undefined;

  constructor({ owner, now }: { owner: AtSign; now: () => number }) {
    this.#owner = owner;
    this.#now = now;
  }

  /** Someone said who they are. */
  login(atSign: AtSign): void {
    if (atSign === this.#owner) this.#lastLoginMs = this.#now();
  }

  /** @param key is not counted when it begins with `_` */
  lookup(key: string): void {
    if (key.startsWith("_")) return;
    this.#lookups.set(key, (this.#lookups.get(key) ?? 0) + 1);
    if (this.#lookups.size > 2 * maxKeys) this.#forget();
  }

  /** epoch milliseconds */
  get lastLoginMs(): number | undefined {
    return this.#lastLoginMs;
  }

  /** The keys that were looked up most, with how often, the first one most. */
  topKeys(): Record<string, number> {
    return Object.fromEntries(this.#ranked().slice(0, topCount));
  }

  #ranked(): [string, number][] {
    return [...this.#lookups].sort(([, a], [, b]) => b - a);
  }

  #forget(): void {
    for (const [key] of this.#ranked().slice(maxKeys)) this.#lookups.delete(key);
  }
}
