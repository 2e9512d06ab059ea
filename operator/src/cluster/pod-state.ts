import type { Failure, Obstacle, Server } from "../tenant/observe.ts";
import type { Pod } from "./kubernetes-objects.ts";
import { epochAnnotation } from "./names.ts";

const port = 6464;
/** What is normal for a moment is no obstacle. */
const patienceMs = 5_000;
/** How a container ended that nobody asked to. */
export interface Ended {
  /** tells one end from another */
  readonly id: string;
  readonly how: string;
  /** how long it had run */
  readonly ranMs: number;
}

export function epochOf(pod: Pod): number {
  const epoch = Number(pod.metadata.annotations?.[epochAnnotation]);
  return Number.isSafeInteger(epoch) ? epoch : 0;
}

/**
 * The atServer, as its pod shows it.
 *
 * @param failure its ends in a row, the present one included
 */
export function serverOf(pod: Pod | undefined, { failure }: { failure?: Failure | undefined } = {}): Server {
  if (pod === undefined) return { state: "absent" };
  const epoch = epochOf(pod);
  if (pod.metadata.deletionTimestamp !== undefined) return { state: "stopping", epoch };
  if (failure !== undefined && endedOf(pod) !== undefined) return { state: "failed", ...failure };
  const { podIP } = pod.status ?? {};
  if (podIP !== undefined && isReady(pod)) {
    return { state: "ready", epoch, uid: pod.metadata.uid ?? "", address: podIP, port };
  }
  return { state: "starting", epoch, ...(failure && { after: failure }) };
}

export function isReady({ status }: Pod): boolean {
  return status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false;
}

/** @returns undefined while it runs, or the kubelet starts it again at once */
export function endedOf({ metadata, status }: Pod): Ended | undefined {
  const container = status?.containerStatuses?.[0];
  const isOver = status?.phase === "Failed" || status?.phase === "Succeeded";
  if (!isOver && container?.state?.waiting?.reason !== "CrashLoopBackOff") return undefined;
  const end = container?.state?.terminated ?? container?.lastState?.terminated;
  const id = `${metadata.uid}/${container?.restartCount ?? 0}`;
  if (end === undefined) {
    return { id, how: [status?.reason ?? status?.phase, status?.message].filter(Boolean).join(": "), ranMs: 0 };
  }
  const ranMs = Date.parse(end.finishedAt ?? "") - Date.parse(end.startedAt ?? "");
  const why = status?.reason ?? (end.reason === "Error" ? undefined : end.reason);
  const how = `${why === undefined ? "" : `${why}, `}exit code ${end.exitCode}`;
  return { id, how, ranMs: Number.isNaN(ranMs) ? 0 : ranMs };
}

/** @returns when a container was ended for lack of memory, RFC 3339, if the pod shows that */
export function outOfMemoryAt({ status }: Pod): string | undefined {
  const container = status?.containerStatuses?.[0];
  const ends = [container?.state?.terminated, container?.lastState?.terminated];
  return ends.find((end) => end?.reason === "OOMKilled")?.finishedAt;
}

/** @returns undefined when it has none */
export function memoryLimitOf({ spec }: Pod): string | undefined {
  return spec?.containers?.[0]?.resources?.limits?.memory;
}

/** What is in the way of a pod, in the words of those who tried. */
export function obstacleOf(pod: Pod, now: number): Obstacle | undefined {
  const { status, metadata } = pod;
  const container = status?.containerStatuses?.[0];
  const waiting = container?.state?.waiting;
  const image = ["ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError"];
  if (image.includes(waiting?.reason ?? "")) {
    // The kubelet says the same in two ways, in turn: what failed, and that it waits because of that.
    const why = waiting?.message?.replace(/^Back-off pulling image "[^"]*": \w+: /, "") ?? waiting?.reason;
    return obstacle("ImageNotPulled", `${why}; correct the image of the AtSignClass`);
  }
  const creation = ["CreateContainerConfigError", "CreateContainerError", "RunContainerError", "PreStartHookError"];
  if (creation.includes(waiting?.reason ?? "")) {
    return obstacle("ContainerNotCreated", `${waiting?.reason}: ${waiting?.message ?? "no more is known"}`);
  }
  const scheduled = status?.conditions?.find(({ type }) => type === "PodScheduled");
  const since = Date.parse(metadata.creationTimestamp ?? "") || now;
  if (scheduled?.status === "False" && scheduled.reason === "Unschedulable" && now - since >= patienceMs) {
    const message = scheduled.message ?? "no node takes the pod";
    if (/ReadWriteOncePod/.test(message)) {
      return obstacle("VolumePending", `${message}; kubectl describe pvc says which (Used By): delete it`);
    }
    return /PersistentVolumeClaim|persistentvolumeclaim|volume/.test(message)
      ? obstacle(
          "VolumePending",
          `${message}; see kubectl describe pvc, and correct storage of the AtSignClass, or make what it asks for`,
        )
      : obstacle("Unschedulable", `${message}; add nodes, or change resources or placement of the AtSignClass`);
  }
  return undefined;
}

/** When what is normal for a moment becomes an obstacle, epoch milliseconds. */
export function patienceEnd({ metadata, status }: Pod, now: number): number | undefined {
  const end = (Date.parse(metadata.creationTimestamp ?? "") || now) + patienceMs;
  return status?.phase === "Pending" && end > now ? end : undefined;
}

function obstacle(reason: Obstacle["reason"], message: string): Obstacle {
  return { reason, message, preventsStart: false };
}
