/** One kind of long run. */
export interface Run {
  /** what it does, and its own options, one below the other */
  readonly help: string;
  /** the option that says how much of it, and how much without it */
  readonly count: { readonly option: "rounds" | "lines" | "seconds"; readonly usual: number };
  readonly flag?: "store";
  /** @returns what was found wrong */
  start(options: RunOptions): Promise<readonly string[]>;
}

export interface RunOptions {
  /** empty, for the data */
  readonly directory: string;
  readonly count: number;
  readonly seed: number;
  /** whether the run's flag was given */
  readonly flag: boolean;
  readonly print: (line: string) => void;
}
