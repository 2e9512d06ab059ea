/** How long the other side has to ask for one. */
const lifeMs = 60_000;
/** More than there can be outbound connections in their handshake. */
const maxProofs = 1_000;

/**
 * The signatures by which this atServer proves to others whose it is, until they have been fetched: they are of use for
 * one handshake, so they live in memory alone. Times are of a monotonic clock, in milliseconds.
 */
export class Proofs {
  readonly #proofs = new Map<string, { readonly signature: string; readonly endsAtMs: number }>();
  readonly #monotonic: () => number;

  constructor(monotonic: () => number) {
    this.#monotonic = monotonic;
  }

  /** @param name under which the other side looks it up: `_<uuid>@alice` */
  publish(name: string, signature: string): void {
    const nowMs = this.#monotonic();
    for (const [key, { endsAtMs }] of this.#proofs) {
      // In the order in which they end.
      if (endsAtMs > nowMs && this.#proofs.size < maxProofs) break;
      this.#proofs.delete(key);
    }
    this.#proofs.set(name, { signature, endsAtMs: nowMs + lifeMs });
  }

  withdraw(name: string): void {
    this.#proofs.delete(name);
  }

  /** @returns undefined when there is none, or none any more */
  get(name: string): string | undefined {
    const proof = this.#proofs.get(name);
    return proof !== undefined && this.#monotonic() < proof.endsAtMs ? proof.signature : undefined;
  }
}
