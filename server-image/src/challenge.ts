/** How long a client has to answer. */
const lifeMs = 60_000;

/**
 * The challenge of one connection. It lives in memory alone: it is of use to the connection that asked for it, once.
 * Times are of a monotonic clock, in milliseconds.
 */
export class Challenges {
  #current: { readonly text: string; readonly endsAtMs: number } | undefined;
  #issued = false;

  /** Whether the client ever asked for one. */
  get issued(): boolean {
    return this.#issued;
  }

  /** Takes the place of the one before. */
  issue(text: string, nowMs: number): void {
    this.#current = { text, endsAtMs: nowMs + lifeMs };
    this.#issued = true;
  }

  /** Takes back the challenge; none can be answered then. */
  withdraw(): void {
    this.#current = undefined;
    this.#issued = true;
  }

  /** @returns the challenge, which is used up by that; undefined when there is none or it is too old */
  take(nowMs: number): string | undefined {
    const current = this.#current;
    this.#current = undefined;
    return current !== undefined && nowMs < current.endsAtMs ? current.text : undefined;
  }
}
