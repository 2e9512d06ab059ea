import type { KubernetesObject, Resource } from "../controller/api.ts";

export const pods: Resource = { group: "", version: "v1", plural: "pods" };
export const volumeClaims: Resource = { group: "", version: "v1", plural: "persistentvolumeclaims" };
export const volumes: Resource = { group: "", version: "v1", plural: "persistentvolumes" };
export const nodes: Resource = { group: "", version: "v1", plural: "nodes" };
export const namespaces: Resource = { group: "", version: "v1", plural: "namespaces" };
export const secrets: Resource = { group: "", version: "v1", plural: "secrets" };

interface ObjectCondition {
  readonly type: string;
  readonly status: "True" | "False" | "Unknown";
  readonly reason?: string;
  readonly message?: string;
  readonly lastTransitionTime?: string;
}

interface Terminated {
  readonly exitCode: number;
  readonly signal?: number;
  readonly reason?: string;
  readonly message?: string;
  readonly startedAt?: string;
  readonly finishedAt?: string;
}

interface ContainerState {
  readonly waiting?: { readonly reason?: string; readonly message?: string };
  readonly running?: { readonly startedAt?: string };
  readonly terminated?: Terminated;
}

interface ContainerStatus {
  readonly name: string;
  readonly restartCount: number;
  readonly state?: ContainerState;
  readonly lastState?: ContainerState;
}

/** What is kept of a Pod. */
export interface Pod extends KubernetesObject {
  readonly spec?: {
    readonly nodeName?: string;
    readonly containers?: readonly { readonly resources?: { readonly limits?: { readonly memory?: string } } }[];
  };
  readonly status?: {
    readonly phase?: string;
    readonly reason?: string;
    readonly message?: string;
    readonly podIP?: string;
    readonly conditions?: readonly ObjectCondition[];
    readonly containerStatuses?: readonly ContainerStatus[];
  };
}

/** What is kept of a PersistentVolumeClaim. */
export interface VolumeClaim extends KubernetesObject {
  readonly spec?: { readonly volumeName?: string; readonly storageClassName?: string };
  readonly status?: { readonly phase?: string };
}

export interface Volume extends KubernetesObject {
  readonly spec?: {
    readonly persistentVolumeReclaimPolicy?: string;
    readonly claimRef?: { readonly namespace?: string; readonly uid?: string };
  };
}

/** What is kept of a Node. */
export interface Node extends KubernetesObject {
  readonly status?: { readonly conditions?: readonly ObjectCondition[] };
}

/** The fields that are read; the API server may have sent many more. */
export function trimPod({ metadata, spec, status }: Pod): Pod {
  const { name, namespace, uid, resourceVersion, deletionTimestamp, creationTimestamp } = metadata;
  const { ownerReferences, annotations } = metadata;
  const conditions = status?.conditions?.filter(({ type }) => type === "Ready" || type === "PodScheduled");
  const memory = spec?.containers?.[0]?.resources?.limits?.memory;
  const containers = status?.containerStatuses?.map((container) => ({
    name: container.name,
    restartCount: container.restartCount,
    ...(container.state && { state: container.state }),
    ...(container.lastState && { lastState: container.lastState }),
  }));
  return {
    metadata: defined({
      ...{ name, namespace, uid, resourceVersion, deletionTimestamp, creationTimestamp, ownerReferences, annotations },
    }),
    spec: defined({
      nodeName: spec?.nodeName,
      containers: memory === undefined ? undefined : [{ resources: { limits: { memory } } }],
    }),
    status: defined({
      ...{ phase: status?.phase, reason: status?.reason, message: status?.message, podIP: status?.podIP },
      ...{ conditions, containerStatuses: containers },
    }),
  };
}

export function trimVolumeClaim({ metadata, spec, status }: VolumeClaim): VolumeClaim {
  const { name, namespace, uid, resourceVersion, deletionTimestamp, annotations } = metadata;
  return {
    metadata: defined({ name, namespace, uid, resourceVersion, deletionTimestamp, annotations }),
    spec: defined({ volumeName: spec?.volumeName, storageClassName: spec?.storageClassName }),
    status: defined({ phase: status?.phase }),
  };
}

export function trimNode({ metadata: { name, uid, resourceVersion }, status }: Node): Node {
  const conditions = status?.conditions
    ?.filter(({ type }) => type === "Ready")
    .map(({ type, status }) => ({ type, status }));
  return { metadata: defined({ name, uid, resourceVersion }), status: defined({ conditions }) };
}

type Defined<T> = { readonly [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  readonly [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};

/** Without what is not there: a property that is undefined takes memory too. */
function defined<T extends object>(object: T): Defined<T> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as Defined<T>;
}
