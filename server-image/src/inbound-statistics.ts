import type { AtSign } from "@atrium/protocol";
import type { State } from "./connection.ts";
import type { Parts } from "./verbs/verb.ts";

/** An inbound connection; times in milliseconds of the monotonic clock. */
export interface InboundSummary {
  readonly state: State;
  /** the atSign that was proven by pol */
  readonly peer: AtSign | undefined;
  readonly createdMs: number;
  readonly lastActiveMs: number;
}

type Known = Pick<Parts, "inbound" | "atSign" | "now" | "monotonic">;

/** How the states are called in the statistics. */
const kinds = [
  ["self", "owner"],
  ["other", "peer"],
  ["anon", "anonymous"],
] as const satisfies readonly (readonly [string, State])[];

/** How many connections there are of each kind, as statistic 16 says it. */
export function summarised({ inbound }: Pick<Known, "inbound">): object {
  const all = inbound();
  const counts = kinds.map(([kind, wanted]) => [kind, all.filter(({ state }) => state === wanted).length]);
  return { total: all.length, ...Object.fromEntries(counts) };
}

/** Each connection by its kind, as statistic 17 says it. */
export function detailed(parts: Known): object {
  const all = parts.inbound();
  const lists = kinds.map(([kind, wanted]) => {
    const list = all.filter(({ state }) => state === wanted).map((each) => described(each, parts));
    return [kind, { count: list.length, list }];
  });
  return { total: all.length, ...Object.fromEntries(lists) };
}

function described({ state, peer, createdMs, lastActiveMs }: InboundSummary, parts: Known): object {
  const { atSign, now, monotonic } = parts;
  const moment = (ms: number) => new Date(now() - (monotonic() - ms)).toISOString();
  const from = state === "owner" ? atSign : (peer ?? null);
  return { from, created: moment(createdMs), lastAccessed: moment(lastActiveMs) };
}
