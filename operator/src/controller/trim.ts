import type { KubernetesObject, ObjectMeta } from "./objects.ts";

const appliedByKubectl = "kubectl.kubernetes.io/last-applied-configuration";

interface WholeMeta extends ObjectMeta {
  readonly managedFields?: unknown;
  readonly selfLink?: unknown;
}

/**
 * Without what only the API server and kubectl read, which is often more than the rest: who set which field, and the whole
 * object once more as an annotation. What was trimmed must not be written back as a whole (PUT), but for its status.
 */
export function trimmed<T extends KubernetesObject>(object: T): T {
  const { managedFields: _fields, selfLink: _link, annotations, ...metadata } = object.metadata as WholeMeta;
  if (annotations === undefined) return { ...object, metadata };
  const { [appliedByKubectl]: _applied, ...others } = annotations;
  return { ...object, metadata: { ...metadata, ...(Object.keys(others).length > 0 && { annotations: others }) } };
}
