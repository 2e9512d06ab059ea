import type { Resources } from "./resources.ts";

/** One reading of one side. */
export interface Sample {
  /** in the figure's unit */
  readonly value: number;
  /** cores that the measured server used; about 1 means that it, not the load, was the limit (each is one thread) */
  readonly serverCores?: number;
  /** cores that all load generators together used, and how many processes they are */
  readonly loadCores?: number;
  readonly loadProcesses?: number;
}

export interface Comparison {
  readonly ours: readonly Sample[];
  /** empty where there is nothing to compare with */
  readonly peer: readonly Sample[];
  /** what both sides had in common and a reader needs to judge the figure: cipher, sizes, connections */
  readonly conditions: string;
}

/** One number that is measured, against a peer in the same run. */
export interface Figure {
  /** what `npm run bench -- NAME` selects it by */
  readonly name: string;
  readonly title: string;
  readonly unit: string;
  readonly peer?: string;
  /** what was promised: a bound of ours/peer or of ours alone */
  readonly target: { readonly of: "ratio" | "ours"; readonly bound: "≤" | "≥"; readonly value: number };
  measure(resources: Resources, say: (progress: string) => void): Promise<Comparison>;
}
