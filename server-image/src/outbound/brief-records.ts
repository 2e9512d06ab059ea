/** How long the other side has for its part of a handshake. */
const lifeMs = 60_000;
/** More than there can be connections in their handshake. */
const maxRecords = 1_000;

/**
 * Public records that are of use for one handshake between atServers, so they live in memory alone: the signatures by
 * which this one proves whose it is, and the challenges that it gives to others. Times are of a monotonic clock, in
 * milliseconds.
 */
export class BriefRecords {
  readonly #records = new Map<string, { readonly value: string; readonly endsAtMs: number }>();
  readonly #monotonic: () => number;

  constructor(monotonic: () => number) {
    this.#monotonic = monotonic;
  }

  /** @param name under which anybody may look it up for a minute: `_<uuid>@alice` */
  publish(name: string, value: string): void {
    const nowMs = this.#monotonic();
    this.#records.delete(name);
    for (const [key, { endsAtMs }] of this.#records) {
      // In the order in which they end.
      if (endsAtMs > nowMs && this.#records.size < maxRecords) break;
      this.#records.delete(key);
    }
    this.#records.set(name, { value, endsAtMs: nowMs + lifeMs });
  }

  withdraw(name: string): void {
    this.#records.delete(name);
  }

  /** @returns undefined when there is none, or none any more */
  get(name: string): string | undefined {
    const record = this.#records.get(name);
    return record !== undefined && this.#monotonic() < record.endsAtMs ? record.value : undefined;
  }
}
