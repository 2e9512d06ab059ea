import type { CaContent, CaEntries } from "./ca-secret.ts";

/** What the change of a CA waits for, and whether there is need for one. */
export interface Circumstances {
  /** epoch milliseconds */
  readonly now: number;
  /** a life of what it issues: who has a certificate has asked again since, or has none any more */
  readonly waitMs: number;
  /** why the root that issues should be replaced; undefined when it should not */
  readonly need: string | undefined;
  /** why the next root could not take its place; undefined when it could */
  readonly nextFault: string | undefined;
}

/** The next step of the change. */
export type Step =
  /** a new root into every bundle */
  | { readonly do: "announce"; readonly because: string }
  /** it is in every bundle that the leader writes: from now on it counts */
  | { readonly do: "wait" }
  /** everybody trusts the next root: it issues from now on */
  | { readonly do: "switch" }
  /** nobody has a certificate of the previous root any more */
  | { readonly do: "retire" };

/**
 * Changes a root without anybody who is not trusted for a moment: the next one is announced, issues after one life, and
 * after another one the previous one is removed. Where it is is in the Secret: what stands there, and since when.
 *
 * @returns undefined when there is nothing to do now
 */
export function nextStep(content: CaContent, { now, waitMs, need, nextFault }: Circumstances): Step | undefined {
  const { next, previous, sinceMs } = content;
  if (next === undefined && previous === undefined) {
    return need !== undefined && content.ownMade ? { do: "announce", because: need } : undefined;
  }
  if (sinceMs === undefined) return { do: "wait" };
  if (now - sinceMs < waitMs) return undefined;
  // One after the other: a next root that came meanwhile begins to wait when the previous one is gone.
  if (previous !== undefined) return { do: "retire" };
  return nextFault === undefined ? { do: "switch" } : undefined;
}

/** What a step that moves roots writes into the Secret, which has `data`. */
export function entriesOf(step: "switch" | "retire", data: Readonly<Record<string, string>>): CaEntries {
  if (step === "retire") return { "previous.crt": undefined };
  const { "ca.crt": previous, "next.crt": certificate, "next.key": key } = data;
  return {
    "ca.crt": certificate,
    "ca.key": key,
    "previous.crt": previous,
    "next.crt": undefined,
    "next.key": undefined,
  };
}
