import type { Failure, Observed, Server } from "./observe.ts";

/** Of volumes. */
const volumeObstacles = ["VolumePending", "VolumeLost"] as const;

/** What is in the way of an atServer, or was until a short time ago. */
const obstacles = [
  "ClassNotFound",
  "ClassNotAllowed",
  "QuotaExceeded",
  "ObjectRefused",
  ...volumeObstacles,
  "Unschedulable",
  "ImageNotPulled",
  "ContainerNotCreated",
  "OutOfMemory",
  "NodeLost",
] as const;

/**
 * The conditions of an AtSign and every reason that they can have. Published: users write alerts on them.
 *
 * @see Kubernetes API conventions, "Typical status properties"
 */
export const reasons = {
  Ready: ["Serving", "Starting", "Restarting", "Suspended", "Unclaimed", "Released", "Withdrawn", ...obstacles],
  Claimed: [
    "Claimed",
    "NameTaken",
    "HostTaken",
    "StaleGeneration",
    "DirectoryUnreachable",
    "DirectoryIncomplete",
    "Released",
  ],
  Provisioned: ["Provisioned", "NoVolume", ...volumeObstacles],
  Listed: ["Listed", "Parked", "NotListed"],
  Activated: ["Activated", "NotActivated"],
  Degraded: ["AsExpected", "CrashLoop", ...obstacles],
} as const;

export type ObstacleReason = (typeof obstacles)[number];

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

function ready({ wanted, listing, server, obstacle }: Observed): Condition {
  if (wanted.run !== "Always") return condition("Ready", false, wanted.run);
  if (listing.state === "refused" && listing.reason !== "stale-generation") {
    return condition("Ready", false, "Unclaimed", refusals[listing.reason].message);
  }
  if (server.state === "ready") return condition("Ready", true, "Serving");
  if (obstacle !== undefined) return condition("Ready", false, obstacle.reason, obstacle.message);
  const failure = failureOf(server);
  if (failure !== undefined) return condition("Ready", false, "Restarting", failure.how);
  return condition("Ready", false, "Starting");
}

/** What is told of each refusal of the directory. */
const refusals = {
  claimed: {
    reason: "NameTaken",
    message:
      "another AtSign of this platform holds the name, or held it and its data is retained; " +
      "choose another name, or have its owner release it",
  },
  "host-taken": {
    reason: "HostTaken",
    message: "another name has the host name that belongs to this one; choose another name",
  },
  "stale-generation": { reason: "StaleGeneration", message: "the directory has a newer record; it is written anew" },
} as const;

const incomplete =
  "the directory lost names, and does not take new ones until every cluster has written its own again; wait, and look at " +
  "the operators of the clusters that have not";

function claimed({ listing, wanted, before }: Observed): Condition {
  if (listing.state === "ours") return condition("Claimed", true, "Claimed");
  if (listing.state === "unknown") {
    if (listing.waitsForNames) return condition("Claimed", false, "DirectoryIncomplete", incomplete);
    const waits = "the directory has not answered; what serves goes on, new names wait";
    return told(before, "Claimed") ?? condition("Claimed", false, "DirectoryUnreachable", waits);
  }
  if (wanted.run === "Released" && listing.reason === "claimed") {
    return condition(
      "Claimed",
      false,
      "Released",
      "the name was given away, as the annotation atrium.dev/release-to asks",
    );
  }
  const { reason, message } = refusals[listing.reason];
  return condition("Claimed", false, reason, message);
}

function provisioned({ volume, volumeNote, obstacle }: Observed): Condition {
  const fault = volumeObstacles.find((reason) => reason === obstacle?.reason);
  if (fault !== undefined) return condition("Provisioned", false, fault, obstacle?.message);
  return volume === "present"
    ? condition("Provisioned", true, "Provisioned", volumeNote)
    : condition("Provisioned", false, "NoVolume");
}

function listed({ listing, before }: Observed): Condition {
  if (listing.state === "unknown") return told(before, "Listed") ?? condition("Listed", false, "NotListed");
  if (listing.state !== "ours") return condition("Listed", false, "NotListed");
  return listing.parked ? condition("Listed", false, "Parked") : condition("Listed", true, "Listed");
}

function activated(observed: Observed): Condition {
  return observed.activated ? condition("Activated", true, "Activated") : condition("Activated", false, "NotActivated");
}

function degraded({ server, obstacle }: Observed): Condition {
  if (obstacle !== undefined) return condition("Degraded", true, obstacle.reason, obstacle.message);
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

function told(before: readonly Condition[] | undefined, wanted: ConditionType): Condition | undefined {
  return before?.find(({ type, reason }) => type === wanted && reason !== "DirectoryUnreachable");
}

function condition<T extends ConditionType>(
  type: T,
  status: boolean,
  reason: (typeof reasons)[T][number],
  message?: string,
): Condition<T> {
  return { type, status, reason, ...(message !== undefined && { message }) };
}
