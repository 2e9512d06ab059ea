/** Something that ends, or does something else, when its time has come. */
export interface Timed {
  /** in ticks of {@link Deadlines}; set as often as one likes, for the price of a number */
  due: number;
  /** where it is in the list of all; for {@link Deadlines} alone */
  place: number;
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
  readonly #items: Timed[] = [];
  readonly #timer: NodeJS.Timeout;
  #emptied: (() => void) | undefined;

  constructor({ periodMs }: { periodMs: number }) {
    this.#periodMs = periodMs;
    this.#timer = setInterval(() => this.#sweep(), periodMs).unref();
  }

  get size(): number {
    return this.#items.length;
  }

  /** @returns as many ticks as take at least `ms` */
  ticks(ms: number): number {
    return Math.ceil(ms / this.#periodMs) + 1;
  }

  add(item: Timed): void {
    item.place = this.#items.push(item) - 1;
  }

  delete(item: Timed): void {
    if (this.#items[item.place] !== item) return;
    const last = this.#items.pop();
    if (last !== undefined && last !== item) {
      this.#items[item.place] = last;
      last.place = item.place;
    }
    if (this.#items.length === 0) this.#emptied?.();
  }

  /**
   * Waits until all have ended by themselves, at most `withinMs`; then asks the rest to finish, and waits until they
   * have, at most `lingerMs`.
   */
  async drain({ withinMs, lingerMs }: { withinMs: number; lingerMs: number }): Promise<void> {
    await this.#empty(withinMs);
    for (const item of [...this.#items]) item.finish();
    await this.#empty(lingerMs);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #sweep(): void {
    this.tick += 1;
    // From the end: what ends meanwhile has its place taken by the last, which has been looked at already.
    for (let place = this.#items.length - 1; place >= 0; place -= 1) {
      const item = this.#items[place];
      if (item !== undefined && item.due <= this.tick) item.onDue();
    }
  }

  #empty(withinMs: number): Promise<void> {
    return new Promise((resolve) => {
      if (this.#items.length === 0) return resolve();
      const timer = setTimeout(resolve, withinMs);
      this.#emptied = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
