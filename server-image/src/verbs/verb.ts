import type { AtSign, Syntax } from "@atrium/protocol";
import type { Log } from "@atrium/runtime/log.ts";
import type { AccessCounts } from "../access-counts.ts";
import type { BlockList } from "../block-list.ts";
import type { Connection, State } from "../connection.ts";
import type { Identity } from "../identity/identity.ts";
import type { Peers } from "../outbound/peers.ts";
import type { Store } from "../store/store.ts";

/** What verbs work with; each takes the few that it needs. */
export interface Parts {
  /** whose atServer this is */
  readonly atSign: AtSign;
  readonly store: Store;
  readonly identity: Pick<Identity, "activationSecret" | "activated">;
  readonly blockList: BlockList;
  readonly access: AccessCounts;
  readonly peers: Pick<Peers, "ask">;
  readonly connections: () => { readonly inbound: number; readonly outbound: number };
  readonly log: Log;
  /** epoch milliseconds: the time of records */
  readonly now: () => number;
  /** milliseconds of a clock that never jumps: the time of deadlines */
  readonly monotonic: () => number;
  /** of {@link monotonic}, when the process began */
  readonly startedMs: number;
}

/** What a verb answers: the payload behind `data:`; null is written as `null`. */
export type Reply = string | null;

export interface Verb<P> {
  readonly syntax: Syntax<P>;
  /** in which states of a connection it may be used; checked before `handle` */
  readonly allow: readonly State[];
  handle(params: P, parts: Parts, connection: Connection): Reply | Promise<Reply>;
}

export function verb<P>(definition: Verb<P>): Verb<P> {
  return definition;
}
