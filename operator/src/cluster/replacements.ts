/** How many atServers may be down at a time because their pods are not as they should be any more. */
const atOnce = 10;

/**
 * Whose turn it is to be replaced. A place is kept until the new pod serves: what does not start any more stops the rest
 * from being replaced too.
 */
export class Replacements {
  readonly #places = new Set<string>();
  readonly #waiting = new Set<string>();
  readonly #poke: (key: string) => void;

  /** @param poke is told whose turn has come */
  constructor(poke: (key: string) => void) {
    this.#poke = poke;
  }

  /** @returns whether it is its turn; if not, it is told when it is */
  mayReplace(key: string): boolean {
    if (this.#places.has(key)) return true;
    if (this.#places.size < atOnce) {
      this.#waiting.delete(key);
      this.#places.add(key);
      return true;
    }
    this.#waiting.add(key);
    return false;
  }

  /** It serves, or there is nothing to serve any more. */
  done(key: string): void {
    this.#waiting.delete(key);
    if (!this.#places.delete(key)) return;
    const [next] = this.#waiting;
    if (next === undefined) return;
    this.#waiting.delete(next);
    this.#poke(next);
  }
}
