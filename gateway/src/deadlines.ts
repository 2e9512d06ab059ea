/** Something that ends, or does something else, when its time has come. */
export interface Timed {
  /** in ticks of {@link Deadlines}; set as often as one likes, for the price of a number */
  due: number;
  onDue(): void;
  /** Ends politely, at the latest after `lingerMs`: the process wants to go. */
  finish(): void;
}

/**
 * One timer for all connections. A timer each would cost more memory than the rest of an idle connection, and more
 * time than a small packet; looking at a number per connection twice a second costs neither.
 */
export class Deadlines implements Disposable {
  /** how often {@link Timed}s have been looked at */
  tick = 0;
  readonly #periodMs: number;
  readonly #items = new Set<Timed>();
  readonly #timer: NodeJS.Timeout;
  #emptied: (() => void) | undefined;

  constructor({ periodMs }: { periodMs: number }) {
    this.#periodMs = periodMs;
    this.#timer = setInterval(() => this.#sweep(), periodMs).unref();
  }

  get size(): number {
    return this.#items.size;
  }

  /** @returns as many ticks as take at least `ms` */
  ticks(ms: number): number {
    return Math.ceil(ms / this.#periodMs) + 1;
  }

  add(item: Timed): void {
    this.#items.add(item);
  }

  delete(item: Timed): void {
    this.#items.delete(item);
    if (this.#items.size === 0) this.#emptied?.();
  }

  /**
   * Waits until all have ended by themselves, at most `withinMs`; then asks the rest to finish, and waits until they
   * have, at most `lingerMs`.
   */
  async drain({ withinMs, lingerMs }: { withinMs: number; lingerMs: number }): Promise<void> {
    await this.#empty(withinMs);
    for (const item of this.#items) item.finish();
    await this.#empty(lingerMs);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #sweep(): void {
    this.tick += 1;
    for (const item of this.#items) if (item.due <= this.tick) item.onDue();
  }

  #empty(withinMs: number): Promise<void> {
    return new Promise((resolve) => {
      if (this.#items.size === 0) return resolve();
      const timer = setTimeout(resolve, withinMs);
      this.#emptied = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
