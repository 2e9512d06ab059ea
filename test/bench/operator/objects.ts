import type { KubernetesObject } from "./api.ts";

export const zone = "at.example.org";

/** One AtSign of the bench. */
export interface Name {
  readonly name: string;
  readonly namespace: string;
}

export function namesOf(count: number, namespaces: number): readonly Name[] {
  return Array.from({ length: count }, (_, n) => ({
    name: `bench${String(n).padStart(5, "0")}`,
    namespace: `tenant-${n % namespaces}`,
  }));
}

export function hostOf({ name }: Name): string {
  return `${name}.${zone}`;
}

export function atSignOf({ name, namespace }: Name): KubernetesObject {
  const metadata = { name, namespace };
  return { apiVersion: "atrium.dev/v1alpha1", kind: "AtSign", metadata, spec: { atSign: `@${name}` } };
}

/** A volume and its claim, bound to each other as the controller manager leaves them. */
export function boundVolume({ name, namespace }: Name): { volume: KubernetesObject; claim: KubernetesObject } {
  const [capacity, accessModes] = [{ storage: "1Gi" }, ["ReadWriteOncePod"]];
  const bound = { "pv.kubernetes.io/bind-completed": "yes", "pv.kubernetes.io/bound-by-controller": "yes" };
  const owner = { "atrium.dev/owner": name, "atrium.dev/at-sign-name": `@${name}` };
  const labels = {
    "atrium.dev/atsign": name,
    "app.kubernetes.io/name": "atserver",
    "app.kubernetes.io/component": "atserver",
    "app.kubernetes.io/managed-by": "atrium-operator",
    "app.kubernetes.io/part-of": "atrium",
  };
  return {
    volume: {
      metadata: { name: `${namespace}-${name}` },
      spec: {
        ...{ capacity, accessModes, persistentVolumeReclaimPolicy: "Retain", storageClassName: "" },
        csi: { driver: "bench.atrium.dev", volumeHandle: `${namespace}-${name}` },
        claimRef: { kind: "PersistentVolumeClaim", apiVersion: "v1", namespace, name: `${name}-data` },
      },
      status: { phase: "Bound" },
    },
    claim: {
      metadata: { name: `${name}-data`, namespace, labels, annotations: { ...bound, ...owner } },
      spec: {
        ...{ accessModes, resources: { requests: capacity }, storageClassName: "" },
        volumeName: `${namespace}-${name}`,
      },
      status: { phase: "Bound", accessModes, capacity },
    },
  };
}

/** What of an object who creates it says himself. */
export function creatable({ apiVersion, kind, metadata, spec, data, type }: KubernetesObject): KubernetesObject {
  const { name, namespace, labels, annotations } = metadata;
  const { nodeName: _, ...own } = (spec ?? {}) as { nodeName?: string };
  return {
    ...{ apiVersion, kind, metadata: { name, namespace, labels, annotations } as KubernetesObject["metadata"] },
    ...(spec !== undefined && { spec: withoutDefaults(own) }),
    ...(data !== undefined && { data, type }),
  };
}

/** The admission adds its own again; it refuses to be told. */
function withoutDefaults(spec: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { priority: _, preemptionPolicy: __, ...rest } = spec;
  return rest;
}

export function conditionHolds({ status }: KubernetesObject, type: string): boolean {
  const { conditions = [] } = (status ?? {}) as { conditions?: readonly { type: string; status: string }[] };
  return conditions.some((condition) => condition.type === type && condition.status === "True");
}
