import type { Failure, Observed, Server } from "./observe.ts";

/**
 * The conditions of an AtSign and every reason that they can have. Published: users write alerts on them.
 *
 * @see Kubernetes API conventions, "Typical status properties"
 */
export const reasons = {
  Ready: ["Serving", "Starting", "Restarting", "Suspended", "Unclaimed", "Withdrawn"],
  Claimed: ["Claimed", "NameTaken", "HostTaken", "StaleGeneration", "DirectoryUnreachable"],
  Provisioned: ["Provisioned", "NoVolume"],
  Listed: ["Listed", "Parked", "NotListed"],
  Activated: ["Activated", "NotActivated"],
  Degraded: ["AsExpected", "CrashLoop"],
} as const;

export type ConditionType = keyof typeof reasons;

export interface Condition<T extends ConditionType = ConditionType> {
  readonly type: T;
  readonly status: boolean;
  readonly reason: (typeof reasons)[T][number];
  readonly message?: string;
}

/** From so many failures in a row on, the AtSign is called degraded. */
const crashLoopFailures = 3;

/** One of each type, in the order of {@link reasons}. */
export function conditionsOf(observed: Observed): Condition[] {
  return [ready, claimed, provisioned, listed, activated, degraded].map((of) => of(observed));
}

function ready({ wanted, listing, server }: Observed): Condition {
  if (wanted.run !== "Always") return condition("Ready", false, wanted.run);
  if (listing.state === "refused" && listing.reason !== "stale-generation") {
    return condition("Ready", false, "Unclaimed");
  }
  if (server.state === "ready") return condition("Ready", true, "Serving");
  const failure = failureOf(server);
  if (failure !== undefined) return condition("Ready", false, "Restarting", failure.how);
  return condition("Ready", false, "Starting");
}

function claimed({ listing }: Observed): Condition {
  if (listing.state === "ours") return condition("Claimed", true, "Claimed");
  if (listing.state === "unknown") return condition("Claimed", false, "DirectoryUnreachable");
  const reason = { claimed: "NameTaken", "host-taken": "HostTaken", "stale-generation": "StaleGeneration" } as const;
  return condition("Claimed", false, reason[listing.reason]);
}

function provisioned({ volume }: Observed): Condition {
  return volume === "present"
    ? condition("Provisioned", true, "Provisioned")
    : condition("Provisioned", false, "NoVolume");
}

function listed({ listing }: Observed): Condition {
  if (listing.state !== "ours") return condition("Listed", false, "NotListed");
  return listing.parked ? condition("Listed", false, "Parked") : condition("Listed", true, "Listed");
}

function activated(observed: Observed): Condition {
  return observed.activated ? condition("Activated", true, "Activated") : condition("Activated", false, "NotActivated");
}

function degraded({ server }: Observed): Condition {
  const failure = failureOf(server);
  if (failure !== undefined && failure.failures >= crashLoopFailures) {
    return condition("Degraded", true, "CrashLoop", `ended ${failure.failures} times in a row: ${failure.how}`);
  }
  return condition("Degraded", false, "AsExpected");
}

/** A new start does not make up for the ends before it, until it has succeeded. */
function failureOf(server: Server): Failure | undefined {
  if (server.state === "failed") return server;
  return server.state === "starting" ? server.after : undefined;
}

function condition<T extends ConditionType>(
  type: T,
  status: boolean,
  reason: (typeof reasons)[T][number],
  message?: string,
): Condition<T> {
  return { type, status, reason, ...(message !== undefined && { message }) };
}
