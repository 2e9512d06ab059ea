import { readFileSync } from "node:fs";
import type { KubernetesObject, Resource } from "../controller/api.ts";
import type { Applied, Writer } from "../controller/writer.ts";
import type { Stores } from "./stores.ts";

export const networkPolicies: Resource = { group: "networking.k8s.io", version: "v1", plural: "networkpolicies" };

export interface NetworkPolicy extends KubernetesObject {
  readonly spec?: unknown;
}

const name = "atrium-atservers";
const managed = { "app.kubernetes.io/managed-by": "atrium-operator", "app.kubernetes.io/part-of": "atrium" };

/** By which the operator's own policies are found. */
export const policySelector = Object.entries(managed)
  .map(([label, value]) => `${label}=${value}`)
  .join(",");

/** @throws {Error} when it cannot be read, or is no JSON */
export function readPolicySpec(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch (cause) {
    throw new Error(`OPERATOR_TENANT_NETWORK_POLICY names a file that cannot be used: ${cause}`, { cause });
  }
}

/**
 * Keeps the policy of a namespace: there while it has AtSigns or their pods, and as it should be.
 *
 * @param spec of the policy
 */
export async function keepNetworkPolicy(
  namespace: string,
  { spec, stores, writer }: { spec: unknown; stores: Stores; writer: Writer },
): Promise<void> {
  const found = stores.networkPolicies.get(`${namespace}/${name}`);
  const isTenant = [stores.atSigns, stores.pods].some((store) => store.find("namespace", namespace).length > 0);
  const isGoing = stores.namespaces.get(namespace)?.metadata.deletionTimestamp !== undefined;
  if (!isTenant) {
    if (found !== undefined) await writer.delete(networkPolicies, { metadata: found.metadata });
    return;
  }
  if (isGoing || (found !== undefined && covers(found.spec, spec))) return;
  const policy = {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: { namespace, name, labels: managed },
    spec,
  };
  await writer.apply(networkPolicies, policy satisfies Applied);
}

/** Whether something is what was asked for, and has at most the API server's defaults besides. */
function covers(present: unknown, wanted: unknown): boolean {
  if (typeof wanted !== "object" || wanted === null) return present === wanted;
  if (typeof present !== "object" || present === null) return false;
  if (Array.isArray(wanted)) {
    if (!Array.isArray(present) || present.length !== wanted.length) return false;
    return wanted.every((item, index) => covers(present[index], item));
  }
  return Object.entries(wanted).every(([key, value]) => covers((present as Record<string, unknown>)[key], value));
}
