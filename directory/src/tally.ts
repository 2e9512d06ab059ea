/**
 * Counts of what happened, as plain numbers: adding one on the way of every answer must cost nothing. metrics.ts reads
 * them when somebody asks.
 */
export interface Tally {
  readonly answers: Record<Source, Record<Outcome, number>>;
  /** of the answers above: given from memory while the registry was away */
  answersWhileAway: number;
  readonly refusedConnections: Record<"total" | "address", number>;
  readonly endedConversations: Record<
    "exit" | "too-long" | "not-utf8" | "no-answer" | "too-many-unknown" | "idle",
    number
  >;
  failedHandshakes: number;
  openConnections: number;
}

/** Who knew. */
export type Source = "memory" | "registry" | "upstream";
/** `unknown` is an answer (`null`), `none` is not. */
export type Outcome = "address" | "unknown" | "none";

export function newTally(): Tally {
  const outcomes = () => ({ address: 0, unknown: 0, none: 0 });
  return {
    answers: { memory: outcomes(), registry: outcomes(), upstream: outcomes() },
    answersWhileAway: 0,
    refusedConnections: { total: 0, address: 0 },
    endedConversations: { exit: 0, "too-long": 0, "not-utf8": 0, "no-answer": 0, "too-many-unknown": 0, idle: 0 },
    failedHandshakes: 0,
    openConnections: 0,
  };
}
