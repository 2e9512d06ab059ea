import type { AtSign, Syntax } from "@atrium/protocol";
import type { Log } from "@atrium/runtime/log.ts";
import type { AccessCounts } from "../access-counts.ts";
import type { BlockList } from "../block-list.ts";
import type { ByteBudget } from "../byte-budget.ts";
import type { Connection, State } from "../connection.ts";
import type { Enrollments } from "../enrollment/enrollments.ts";
import type { Passcodes } from "../enrollment/passcodes.ts";
import type { Registrar } from "../enrollment/registrar.ts";
import type { Identity } from "../identity/identity.ts";
import type { InboundSummary } from "../inbound-statistics.ts";
import type { NewestCommits } from "../newest-commits.ts";
import type { Notifications } from "../notifications/notifications.ts";
import type { BriefRecords } from "../outbound/brief-records.ts";
import type { PeerKeys } from "../outbound/peer-keys.ts";
import type { Peers } from "../outbound/peers.ts";
import type { Store } from "../store/store.ts";

/** What verbs work with; each takes the few that it needs. */
export interface Parts {
  /** whose atServer this is */
  readonly atSign: AtSign;
  readonly store: Store;
  readonly identity: Pick<Identity, "activationSecret" | "activated" | "current">;
  readonly blockList: BlockList;
  readonly access: AccessCounts;
  readonly enrollments: Enrollments;
  readonly registrar: Registrar;
  readonly passcodes: Pick<Passcodes, "issue" | "keep">;
  readonly peers: Pick<Peers, "ask" | "askAs" | "find" | "findAnew">;
  readonly peerKeys: Pick<PeerKeys, "seen">;
  /** by which this atServer proves whose it is */
  readonly proofs: Pick<BriefRecords, "get">;
  /** by which others are to */
  readonly challenges: BriefRecords;
  readonly notifications: Notifications;
  /** memory for the owner's long replies */
  readonly ownerReplies: Pick<ByteBudget, "tryTake">;
  /** Runs one more command, as the dispatcher would. */
  readonly run: (line: string, connection: Connection) => Reply | Promise<Reply>;
  /** Closes the connections for which `test` holds. */
  readonly endConnections: (test: (connection: Connection) => boolean) => void;
  readonly newestCommits: NewestCommits;
  readonly inbound: () => readonly InboundSummary[];
  readonly connections: () => { readonly inbound: number; readonly outbound: number };
  readonly log: Log;
  /** epoch milliseconds: the time of records */
  readonly now: () => number;
  /** milliseconds of a clock that never jumps: the time of deadlines */
  readonly monotonic: () => number;
  /** of {@link monotonic}, when the process began */
  readonly startedMs: number;
}

/**
 * What a verb answers: the payload behind `data:`; null is written as `null`. A long one may be asked for again when there
 * is no memory for it yet, so it must come of reading alone, or be a {@link OnceReply}.
 */
export type Reply = string | null | SpecialReply;

/** Only the prompt, without a newline, as `pol` answers; nothing at all, as `monitor` does; or what must not be run twice. */
export type SpecialReply = { readonly kind: "prompt" | "nothing" } | OnceReply;

/** The payload of a command that changed something; it has the memory that it needs. */
export interface OnceReply {
  readonly kind: "once";
  readonly text: string;
  /** to be called when it is written, or will never be */
  release(): void;
}

/** What an enrolled app must have been granted for a command. */
export interface Need {
  readonly access: "r" | "rw";
  /** the stored form of the record's name */
  readonly key: string;
  /** for the refusal: `update`, `local lookup` */
  readonly doing: string;
}

export interface Verb<P> {
  readonly syntax: Syntax<P>;
  /** in which states of a connection it may be used; checked before `handle` */
  readonly allow: readonly State[];
  /**
   * What an enrolled app needs for it, judged before `handle`; undefined: nothing.
   *
   * @throws {ProtocolError} for what is to be said before that
   */
  needs?(params: P, parts: Parts): Need | undefined;
  handle(params: P, parts: Parts, connection: Connection): Reply | Promise<Reply>;
}

export function verb<P>(definition: Verb<P>): Verb<P> {
  return definition;
}
