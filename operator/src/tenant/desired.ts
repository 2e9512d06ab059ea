import { type Condition, condition } from "./conditions.ts";
import type { Listing, Observed, Route } from "./observe.ts";

/** One step towards what should be. Each may be repeated. */
export type Action =
  /** write the directory's record: the claim, and the host unless it is parked */
  | { readonly do: "list"; readonly generation: number; readonly parked: boolean }
  /** give the name back */
  | { readonly do: "release" }
  /** start an atServer with an epoch that is stored before it runs */
  | { readonly do: "start"; readonly epoch: number }
  | { readonly do: "stop" }
  | { readonly do: "route"; readonly route: Route }
  | { readonly do: "unroute" }
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
/** From so many failures in a row on, the AtSign is called degraded. */
const crashLoopFailures = 3;
/** A name that somebody else holds is asked for again. */
const reclaimMs = 30_000;

/** What should be done, given what was seen. Pure: no client, no clock, no randomness. */
export function desired(observed: Observed, host: string): Plan {
  switch (observed.wanted.run) {
    case "Withdrawn":
      return withdrawn(observed);
    case "Suspended":
      return suspended(observed, host);
    case "Always":
      return serving(observed, host);
  }
}

function serving(observed: Observed, host: string): Plan {
  const { listing, server, now } = observed;
  if (listing.state === "refused" && listing.reason !== "stale-generation") return unclaimed(observed);

  const start = startOf(observed);
  const actions: Action[] = start.action === undefined ? [] : [start.action];
  const generation = start.action?.epoch ?? (observed.epoch || nextEpoch(observed));
  if (!isListed(listing, generation)) {
    const list: Action = { do: "list", generation, parked: false };
    // The name first: an atServer that has no right to it must not start. One that had it before does not wait for a
    // directory that is away.
    if (listing.state === "unknown" && observed.epoch > 0) actions.push(list);
    else actions.unshift(list);
  }
  if (server.state === "ready") actions.push(...routing(observed, servingRoute(server, host)));
  const requeueAt = start.at ?? (listing.state === "ours" ? undefined : now + reclaimMs);
  return { actions, conditions: conditionsOf(observed), ...(requeueAt !== undefined && { requeueAt }) };
}

/** Whether an atServer is to be started now, or when. */
function startOf(observed: Observed): { action?: Action & { do: "start" }; at?: number } {
  const { server, listing, now } = observed;
  if (server.state !== "absent" && server.state !== "failed") return {};
  const mayStart = listing.state === "ours" || (listing.state === "unknown" && observed.epoch > 0);
  if (!mayStart) return {};
  const at = server.state === "absent" ? now : server.endedAt + restartDelay(server.failures);
  return at > now ? { at } : { action: { do: "start", epoch: nextEpoch(observed) } };
}

function unclaimed({ server, route, now, ...observed }: Observed): Plan {
  const actions: Action[] = [];
  if (route !== undefined) actions.push({ do: "unroute" });
  if (server.state === "ready" || server.state === "starting") actions.push({ do: "stop" });
  // The next look asks the directory again.
  actions.push({ do: "list", generation: nextEpoch({ ...observed, now }), parked: false });
  return { actions, conditions: conditionsOf({ ...observed, server, route, now }), requeueAt: now + reclaimMs };
}

function suspended(observed: Observed, host: string): Plan {
  const { listing, server } = observed;
  const actions: Action[] = [];
  const generation = observed.epoch || nextEpoch(observed);
  if (!isListed(listing, generation) && listing.state !== "refused")
    actions.push({ do: "list", generation, parked: false });
  actions.push(...routing(observed, { host, state: "Suspended", epoch: generation }));
  if (server.state === "ready" || server.state === "starting") actions.push({ do: "stop" });
  return { actions, conditions: conditionsOf(observed) };
}

function withdrawn(observed: Observed): Plan {
  const { listing, server, route, wanted } = observed;
  const conditions = conditionsOf(observed);
  const actions: Action[] = route === undefined ? [] : [{ do: "unroute" }];
  if (server.state === "ready" || server.state === "starting") actions.push({ do: "stop" });
  // Data and name are touched only when nothing runs that uses them.
  if (server.state !== "absent" && server.state !== "failed") return { actions, conditions };
  if (wanted.deletionPolicy === "Delete") {
    // The name last: until it is free, nobody else can come to own what is being deleted.
    actions.push({ do: "delete-data" });
    if (listing.state !== "refused") actions.push({ do: "release" });
  } else if (listing.state !== "refused" && !(listing.state === "ours" && listing.parked)) {
    actions.push({ do: "list", generation: observed.epoch || nextEpoch(observed), parked: true });
  }
  actions.push({ do: "forget" });
  return { actions, conditions };
}

/** Grows with every start, also when the last epoch was lost to an older backup. */
function nextEpoch({ epoch, now }: Pick<Observed, "epoch" | "now">): number {
  return Math.max(epoch + 1, now);
}

function restartDelay(failures: number): number {
  return restartDelaysMs[Math.min(failures, restartDelaysMs.length) - 1] ?? 0;
}

function isListed(listing: Listing, generation: number): boolean {
  return listing.state === "ours" && !listing.parked && listing.generation >= generation;
}

function servingRoute(server: Observed["server"] & { state: "ready" }, host: string): Route {
  const { address, port, uid, epoch } = server;
  return { host, state: "Serving", address, port, uid, epoch };
}

function routing({ route }: Observed, wanted: Route): Action[] {
  const same = route?.state === wanted.state && route.uid === wanted.uid && route.epoch === wanted.epoch;
  return same ? [] : [{ do: "route", route: wanted }];
}

function conditionsOf(observed: Observed): Condition[] {
  return [ready(observed), claimed(observed), listed(observed), activated(observed), degraded(observed)];
}

function ready({ wanted, listing, server }: Observed): Condition {
  if (wanted.run !== "Always") return condition("Ready", false, wanted.run);
  if (listing.state === "refused") return condition("Ready", false, "Unclaimed");
  if (server.state === "ready") return condition("Ready", true, "Serving");
  if (server.state === "failed") return condition("Ready", false, "Restarting", server.how);
  return condition("Ready", false, "Starting");
}

function claimed({ listing }: Observed): Condition {
  if (listing.state === "ours") return condition("Claimed", true, "Claimed");
  if (listing.state === "unknown") return condition("Claimed", false, "DirectoryUnreachable");
  const reason = { claimed: "NameTaken", "host-taken": "HostTaken", "stale-generation": "StaleGeneration" } as const;
  return condition("Claimed", false, reason[listing.reason]);
}

function listed({ listing }: Observed): Condition {
  if (listing.state !== "ours") return condition("Listed", false, "NotListed");
  return listing.parked ? condition("Listed", false, "Parked") : condition("Listed", true, "Listed");
}

function activated(observed: Observed): Condition {
  return observed.activated ? condition("Activated", true, "Activated") : condition("Activated", false, "NotActivated");
}

function degraded({ server }: Observed): Condition {
  if (server.state === "failed" && server.failures >= crashLoopFailures) {
    return condition("Degraded", true, "CrashLoop", `ended ${server.failures} times in a row: ${server.how}`);
  }
  return condition("Degraded", false, "AsExpected");
}
