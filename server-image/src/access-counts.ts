import type { AtSign } from "@atrium/protocol";

/** As many keys are counted; the rest is forgotten from the rarest on. */
const maxKeys = 1_000;
const topCount = 5;

/** What the statistics tell of how this atServer was used since it started; bounded, however many keys there are. */
export class AccessCounts {
  readonly #lookups = new Map<string, number>();
  readonly #proofs = new Map<string, number>();
  readonly #owner: AtSign;
  readonly #now: () => number;
  #lastLoginMs: number | undefined;
  #lastPkamMs: number | undefined;

  constructor({ owner, now }: { owner: AtSign; now: () => number }) {
    this.#owner = owner;
    this.#now = now;
  }

  /** Someone said who they are. */
  login(atSign: AtSign): void {
    if (atSign === this.#owner) this.#lastLoginMs = this.#now();
  }

  /** The owner, or an app, let itself in by a signature. */
  pkam(): void {
    this.#lastPkamMs = this.#now();
  }

  /** The atServer of another atSign showed that it is. */
  proven(atSign: AtSign): void {
    this.#proofs.set(atSign, (this.#proofs.get(atSign) ?? 0) + 1);
    if (this.#proofs.size > 2 * maxKeys) forget(this.#proofs);
  }

  /** @param key is not counted when it begins with `_` */
  lookup(key: string): void {
    if (key.startsWith("_")) return;
    this.#lookups.set(key, (this.#lookups.get(key) ?? 0) + 1);
    if (this.#lookups.size > 2 * maxKeys) forget(this.#lookups);
  }

  /** epoch milliseconds */
  get lastLoginMs(): number | undefined {
    return this.#lastLoginMs;
  }

  /** epoch milliseconds */
  get lastPkamMs(): number | undefined {
    return this.#lastPkamMs;
  }

  /** The keys that were looked up most, with how often, the first one most. */
  topKeys(): Record<string, number> {
    return Object.fromEntries(ranked(this.#lookups).slice(0, topCount));
  }

  /** The atSigns whose atServers proved themselves most often, with how often, the first one most. */
  topAtSigns(): Record<string, number> {
    return Object.fromEntries(ranked(this.#proofs).slice(0, topCount));
  }
}

function ranked(counts: ReadonlyMap<string, number>): [string, number][] {
  return [...counts].sort(([, a], [, b]) => b - a);
}

function forget(counts: Map<string, number>): void {
  for (const [key] of ranked(counts).slice(maxKeys)) counts.delete(key);
}
