import type { ProtocolError } from "@atrium/protocol";

interface Options {
  /** that may be taken at the same time */
  readonly places: number;
  /** how long to wait for one */
  readonly waitMs: number;
  /** what is thrown then */
  readonly refusal: () => ProtocolError;
}

/** Places at something of which only so many may be used at a time; who comes later waits for a turn, in order. */
export class Turns {
  readonly #options: Options;
  readonly #waiting = new Set<() => void>();
  #taken = 0;

  constructor(options: Options) {
    this.#options = options;
  }

  /** Whether nobody has a place. */
  get unused(): boolean {
    return this.#taken === 0;
  }

  /**
   * @returns what gives the place back
   * @throws {ProtocolError} the refusal, when the turn did not come in time
   */
  async take(): Promise<Disposable> {
    if (this.#taken < this.#options.places) this.#taken++;
    else await this.#turn();
    return { [Symbol.dispose]: () => this.#giveBack() };
  }

  #turn(): Promise<void> {
    return new Promise((resolve, reject) => {
      const granted = () => {
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(() => {
        this.#waiting.delete(granted);
        reject(this.#options.refusal());
      }, this.#options.waitMs);
      this.#waiting.add(granted);
    });
  }

  /** A place passes from hand to hand while somebody waits. */
  #giveBack(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#taken--;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}
