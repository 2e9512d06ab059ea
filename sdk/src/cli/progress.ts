/** How long a step may take before the user is told what is going on. */
const patienceMs = 2000;

/** Tells what is being done, once it takes long. */
export class Progress implements Disposable {
  readonly #tell: (line: string) => void;
  #timer: NodeJS.Timeout | undefined;
  #step: string | undefined;

  constructor(tell: (line: string) => void) {
    this.#tell = tell;
  }

  /** What was being done last, for messages. */
  get step(): string | undefined {
    return this.#step;
  }

  /** A new step begins; the one before is over. */
  begin(step: string): void {
    this[Symbol.dispose]();
    this.#step = step;
    this.#timer = setTimeout(() => this.#tell(`${step} …`), patienceMs);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}
