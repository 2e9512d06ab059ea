/** What the bench asks of a load generator's process, one at a time, over IPC. */
export type Question = { readonly open: object } | { readonly runMs: number };

export interface Answer {
  readonly description?: string;
  readonly operations?: number;
  readonly error?: string;
}

export interface Generator {
  readonly description: string;
  /** Works until `milliseconds` have passed and the last answers are there. @returns the number of operations done */
  run(milliseconds: number): Promise<number>;
}

/** The main loop of a load generator's process. It ends with its parent. */
export function serve<O>(open: (options: O) => Promise<Generator>): void {
  let generator: Generator | undefined;
  async function perform(question: Question): Promise<Answer> {
    if ("open" in question) {
      generator = await open(question.open as O);
      return { description: generator.description };
    }
    if (generator === undefined) throw new Error("asked to run before it was opened");
    return { operations: await generator.run(question.runMs) };
  }
  async function answer(question: Question): Promise<void> {
    const reply = await perform(question).catch((error: unknown) => ({
      error: error instanceof Error ? error.message : String(error),
    }));
    process.send?.(reply);
  }
  process.on("message", (question: Question) => void answer(question));
  process.on("disconnect", () => process.exit());
}

/**
 * `workers` loops side by side, each starting its next operation when the last one is done, until the time is over.
 * @returns how many operations were done
 */
export async function closedLoop(
  workers: number,
  milliseconds: number,
  operation: (worker: number) => Promise<void>,
): Promise<number> {
  const end = performance.now() + milliseconds;
  let done = 0;
  const loop = async (worker: number) => {
    while (performance.now() < end) {
      await operation(worker);
      done += 1;
    }
  };
  await Promise.all(Array.from({ length: workers }, (_, worker) => loop(worker)));
  return done;
}
