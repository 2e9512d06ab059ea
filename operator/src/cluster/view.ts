import { type AtSign as AtSignName, hostOf } from "@atrium/protocol";
import type { AtSign } from "../resources/at-sign.ts";
import type { AtSignClassSpec } from "../resources/at-sign-class.ts";
import type { Failure, Listing, Observed, Obstacle, Server, Wanted } from "../tenant/observe.ts";
import { type Classified, classOf } from "./classes.ts";
import type { Pod, VolumeClaim } from "./kubernetes-objects.ts";
import { type Claims, objectName, ownerUidOf, releaseToAnnotation, templateAnnotation } from "./names.ts";
import { type Site, templateOf } from "./objects/pod.ts";
import { isSuperseded } from "./objects/volume-claim.ts";
import { epochOf, isReady, obstacleOf, patienceEnd, serverOf } from "./pod-state.ts";
import type { OutOfMemory } from "./restarts.ts";
import { conditionsBefore } from "./status.ts";
import { isUnreachable, type Stores } from "./stores.ts";

/** What there is of one AtSign, and what it comes to. */
export interface View {
  readonly key: string;
  readonly atSign: AtSign;
  readonly host: string;
  readonly pod: Pod | undefined;
  /** the pod is not the one that the status names: made for an older object or epoch, or by somebody else */
  readonly isStray: boolean;
  /** the pod is not made as its class asks now, or waits for a volume that its class does not ask for any more */
  readonly isOutdated: boolean;
  readonly volumeClaim: VolumeClaim | undefined;
  readonly classified: Classified;
  readonly observed: Observed;
  /** what was seen may have changed by then without anybody telling; epoch milliseconds */
  readonly lookAgainAt: number | undefined;
}

export interface Sources {
  readonly key: string;
  readonly atSign: AtSign;
  readonly pod: Pod | undefined;
  readonly volumeClaim: VolumeClaim | undefined;
  readonly stores: Pick<Stores, "classes" | "namespaces" | "nodes">;
  readonly site: Site;
  readonly claims: Claims;
  readonly listing: Listing;
  /** ends in a row */
  readonly failure: Failure | undefined;
  readonly outOfMemory: OutOfMemory | undefined;
  /** what the API server refused a short time ago */
  readonly refusal: Obstacle | undefined;
  /** whether it may be ended for another of its present class */
  readonly mayReplace: () => boolean;
  readonly now: number;
}

/** Puts together what is decided from. It reads, and changes nothing. */
export function viewOf(sources: Sources): View {
  const { key, atSign, pod, volumeClaim, stores, site, now } = sources;
  const { status, spec, metadata } = atSign;
  const host = hostOf(spec.atSign, site.zone);
  const classified = classOf(atSign, stores);
  const isStray = pod !== undefined && !isCurrent(pod, atSign);
  const isOutdated = pod !== undefined && classified.class !== undefined && differs(pod, classified.class.spec);
  const wanted = wantedOf(atSign, sources.claims);
  const obstacle = wanted.run === "Always" ? obstacleIn(sources, classified) : undefined;
  const observed: Observed = {
    now,
    wanted,
    epoch: status?.epoch ?? 0,
    volume: volumeClaim?.status?.phase === "Bound" ? "present" : "absent",
    volumeNote: volumeNote(volumeClaim, wanted),
    listing: sources.listing,
    server: serverSeen(sources, { isStray, isOutdated }),
    activated: status?.conditions?.some(({ type, status }) => type === "Activated" && status === "True") ?? false,
    obstacle,
    before: conditionsBefore(atSign),
  };
  const times = [sources.outOfMemory?.until, pod && patienceEnd(pod, now)].filter((time) => time !== undefined);
  const lookAgainAt = times.length === 0 ? undefined : Math.min(...times);
  return { key, atSign, host, pod, isStray, isOutdated, volumeClaim, classified, observed, lookAgainAt };

  function differs({ metadata: { annotations } }: Pod, spec: AtSignClassSpec): boolean {
    if (volumeClaim !== undefined && isSuperseded(volumeClaim, spec)) return true;
    return annotations?.[templateAnnotation] !== templateOf({ atSign, spec, host, site });
  }

  function serverSeen({ failure, mayReplace }: Sources, is: { isStray: boolean; isOutdated: boolean }): Server {
    if (pod !== undefined && isUnreachable(stores.nodes.get(pod.spec?.nodeName ?? ""))) {
      return { state: "lost", epoch: epochOf(pod) };
    }
    const server = serverOf(pod, { failure });
    if (server.state === "absent" || server.state === "stopping" || server.state === "lost") return server;
    const replace =
      is.isStray ||
      (is.isOutdated && metadata.deletionTimestamp === undefined && (!isReady(pod as Pod) || mayReplace()));
    if (!replace) return server;
    // What waits to be started again as it was need not wait to be started as it should be.
    return server.state === "ready" && !is.isStray
      ? { ...server, replace }
      : { state: "starting", epoch: epochOf(pod as Pod), replace };
  }
}

/** The status names the pod that the operator has made; labels, owners and annotations prove nothing. */
export function isCurrent(pod: Pod, { status, metadata }: AtSign): boolean {
  const { uid } = pod.metadata;
  return uid === status?.pod?.uid && epochOf(pod) === status?.epoch && ownerUidOf(pod) === metadata.uid;
}

export function wantedOf({ metadata, spec }: AtSign, claims: Claims): Wanted {
  const { atSign, runPolicy, deletionPolicy } = spec;
  const common: { atSign: AtSignName; deletionPolicy: Wanted["deletionPolicy"] } = { atSign, deletionPolicy };
  if (metadata.deletionTimestamp !== undefined) return { ...common, run: "Withdrawn" };
  const releaseTo = claims.named(metadata.annotations?.[releaseToAnnotation] ?? "", metadata.namespace ?? "");
  return releaseTo === undefined ? { ...common, run: runPolicy } : { ...common, run: "Released", releaseTo };
}

/** The one to be seen to first. */
function obstacleIn(sources: Sources, classified: Classified): Obstacle | undefined {
  const { pod, stores, refusal, now } = sources;
  return (
    lostNode(pod, stores) ??
    volumeObstacle(sources) ??
    (pod && obstacleOf(pod, now)) ??
    memoryObstacle(sources) ??
    classified.obstacle ??
    refusal
  );
}

function memoryObstacle({ outOfMemory }: Sources): Obstacle | undefined {
  if (outOfMemory === undefined) return undefined;
  const { limit } = outOfMemory;
  const message =
    `the atServer needed more memory than ${limit === undefined ? "there is" : `its limit of ${limit}`} and was ended at ` +
    `${outOfMemory.at}; raise resources.limits.memory of the AtSignClass`;
  return { reason: "OutOfMemory", message, preventsStart: false };
}

function lostNode(pod: Pod | undefined, { nodes }: Pick<Stores, "nodes">): Obstacle | undefined {
  const node = pod?.spec?.nodeName;
  if (node === undefined || !isUnreachable(nodes.get(node))) return undefined;
  const message =
    `the node ${node} does not report any more, and whether the atServer runs there cannot be known; bring the node back, ` +
    `or when it is certain that it is off, taint it node.kubernetes.io/out-of-service=:NoExecute or delete it`;
  return { reason: "NodeLost", message, preventsStart: true };
}

function volumeObstacle({ volumeClaim, atSign }: Sources): Obstacle | undefined {
  const name = objectName(atSign.metadata.name, "data");
  const lost = (message: string): Obstacle => ({ reason: "VolumeLost", message, preventsStart: true });
  if (volumeClaim === undefined) {
    const before = atSign.status?.conditions?.find(({ type }) => type === "Provisioned");
    if (before?.reason === "VolumeLost") return lost(before.message);
    if (before?.status !== "True") return undefined;
    return lost(
      `the PersistentVolumeClaim ${name} was deleted (${before.message}); make a claim of that name with that volume, ` +
        "or delete this AtSign and apply it again to begin without data",
    );
  }
  if (volumeClaim.metadata.deletionTimestamp !== undefined) {
    if (volumeClaim.status?.phase === "Pending") {
      const message = `the PersistentVolumeClaim ${name}, which never had a volume, is being deleted; another is made`;
      return { reason: "VolumePending", message, preventsStart: true };
    }
    return lost(`the PersistentVolumeClaim ${name} is being deleted; back up the data before the atServer ends`);
  }
  if (volumeClaim.status?.phase !== "Lost") return undefined;
  return lost(`the volume of the PersistentVolumeClaim ${name} is gone; restore it from a backup`);
}

function volumeNote(claim: VolumeClaim | undefined, { deletionPolicy }: Wanted): string | undefined {
  const volume = claim?.spec?.volumeName;
  if (volume === undefined) return undefined;
  return `the data is in the volume ${volume}, which ${deletionPolicy === "Retain" ? "is retained" : "goes with the AtSign"}`;
}
