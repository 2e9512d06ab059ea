import type { Condition } from "./conditions.ts";
import { conditionsOf } from "./conditions.ts";
import type { Listing, Observed } from "./observe.ts";

/** One step towards what should be. Each may be repeated. */
export type Action =
  /** write the directory's record: the claim, and the host unless it is parked */
  | { readonly do: "list"; readonly generation: number; readonly parked: boolean }
  /** give the name back */
  | { readonly do: "release" }
  /** give the name to another claim */
  | { readonly do: "hand-over"; readonly to: string }
  /** start an atServer with an epoch that is stored before it runs */
  | { readonly do: "start"; readonly epoch: number }
  | { readonly do: "stop" }
  | { readonly do: "delete-data" }
  /** nothing is left to do for a withdrawn AtSign */
  | { readonly do: "forget" };

export interface Plan {
  /** in order; when one fails, the rest waits for the next look */
  readonly actions: readonly Action[];
  readonly conditions: readonly Condition[];
  /** look again at this time, epoch milliseconds, if nothing happens before */
  readonly requeueAt?: number;
}

/** Pauses before an atServer that keeps ending is started again, by failures in a row. */
const restartDelaysMs = [0, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000];
/** A name that somebody else holds is asked for again. */
const reclaimMs = 30_000;

/** What should be done, given what was seen. Pure: no client, no clock, no randomness. */
export function desired(observed: Observed): Plan {
  switch (observed.wanted.run) {
    case "Withdrawn":
      return withdrawn(observed);
    case "Released":
      return released(observed);
    case "Suspended":
      return suspended(observed);
    case "Always":
      return serving(observed);
  }
}

function serving(observed: Observed): Plan {
  if (isForeign(observed.listing)) return unclaimed(observed);
  const { listing, server, now } = observed;
  // Who may not run takes nobody's name.
  if (observed.epoch === 0 && observed.obstacle?.preventsStart && listing.state === "unknown")
    return plan(observed, []);
  const start = startOf(observed);
  const end = listing.state === "refused" || ("replace" in server && server.replace === true);
  const run: Action[] = [...(end ? stopping(observed) : []), ...(start.action === undefined ? [] : [start.action])];
  const list = listing.state === "refused" && start.action === undefined ? [] : listingOf(observed, start.action);
  const requeueAt = start.at ?? (listing.state === "ours" ? undefined : now + reclaimMs);
  // An atServer that had the name before does not wait for a directory that is away; hence the record comes last.
  return plan(observed, [...run, ...list], requeueAt);
}

/** Whether an atServer is to be started now, or when. */
function startOf(observed: Observed): { action?: Action & { do: "start" }; at?: number } {
  const { server, listing, obstacle, now } = observed;
  if (server.state !== "absent" && server.state !== "failed") return {};
  if (obstacle?.preventsStart === true) return {};
  // The name first: an atServer that has no right to it must not start.
  if (listing.state === "unknown" && observed.epoch === 0) return {};
  // An end that lies ahead was seen by a clock that has been set back since: how long ago it was, nobody knows.
  const pauses = server.state === "failed" && server.endedAt <= now;
  const at = pauses ? server.endedAt + restartDelay(server.failures) : now;
  return at > now ? { at } : { action: { do: "start", epoch: nextEpoch(observed) } };
}

/** Somebody else has the name: nothing may serve it here. The next look asks the directory again. */
function unclaimed(observed: Observed): Plan {
  const list: Action = { do: "list", generation: nextEpoch(observed), parked: false };
  return plan(observed, [...stopping(observed), list], observed.now + reclaimMs);
}

function suspended(observed: Observed): Plan {
  if (isForeign(observed.listing)) return unclaimed(observed);
  const requeueAt = observed.listing.state === "ours" ? undefined : observed.now + reclaimMs;
  return plan(observed, [...stopping(observed), ...listingOf(observed)], requeueAt);
}

/** Its new holder must find nothing running. */
function released(observed: Observed): Plan {
  const { listing, server, wanted } = observed;
  if (server.state !== "absent" && server.state !== "failed") return plan(observed, stopping(observed));
  if (isForeign(listing) || wanted.releaseTo === undefined) return plan(observed, []);
  return plan(observed, [{ do: "hand-over", to: wanted.releaseTo }], observed.now + reclaimMs);
}

function withdrawn(observed: Observed): Plan {
  const { server, wanted } = observed;
  const end = stopping(observed);
  // Data and name are touched only when nothing runs that uses them.
  if (server.state !== "absent" && server.state !== "failed") return plan(observed, end);
  if (wanted.deletionPolicy === "Delete") return plan(observed, [...end, ...deletion(observed)]);
  return plan(observed, [...end, ...parking(observed)], observed.now + reclaimMs);
}

/** The name last: until it is free, nobody else can come to own what is being deleted. */
function deletion({ listing }: Observed): Action[] {
  const release: Action[] = isForeign(listing) ? [] : [{ do: "release" }];
  return [{ do: "delete-data" }, ...release, { do: "forget" }];
}

/** Forgotten only when the directory has said that it is parked: until then it would be an address of nothing. */
function parking(observed: Observed): Action[] {
  const { listing } = observed;
  if (isForeign(listing) || (listing.state === "ours" && listing.parked)) return [{ do: "forget" }];
  return [{ do: "list", generation: recordEpoch(observed), parked: true }];
}

function stopping({ server }: Observed): Action[] {
  return server.state === "ready" || server.state === "starting" ? [{ do: "stop" }] : [];
}

/** @param start what is started in the same plan: the record has its epoch then */
function listingOf(observed: Observed, start?: { readonly epoch: number }): Action[] {
  const { listing } = observed;
  const generation = start?.epoch ?? recordEpoch(observed);
  const listed = listing.state === "ours" && !listing.parked && listing.generation >= generation;
  return listed ? [] : [{ do: "list", generation, parked: false }];
}

/** A record that is merely older than what the directory has is still this AtSign's: a new epoch gets past it. */
function isForeign(listing: Listing): boolean {
  return listing.state === "refused" && listing.reason !== "stale-generation";
}

/** Grows with every start, also when the last epoch was lost to an older backup, and past all that was told to anybody. */
function nextEpoch({ epoch, listing, now }: Observed): number {
  const listed = listing.state === "ours" ? listing.generation : 0;
  return Math.max(epoch + 1, listed, now);
}

/** For what is told while nothing runs: the same at each look, or there would be news each time. */
function standingEpoch(observed: Observed): number {
  const { epoch, listing } = observed;
  const listed = listing.state === "ours" ? listing.generation : 0;
  return epoch || listed || nextEpoch(observed);
}

/** A record that was refused as too old needs a newer epoch. */
function recordEpoch(observed: Observed): number {
  return observed.listing.state === "refused" ? nextEpoch(observed) : standingEpoch(observed);
}

function restartDelay(failures: number): number {
  return restartDelaysMs[Math.min(failures, restartDelaysMs.length) - 1] ?? 0;
}

function plan(observed: Observed, actions: readonly Action[], requeueAt?: number): Plan {
  return { actions, conditions: conditionsOf(observed), ...(requeueAt !== undefined && { requeueAt }) };
}
