import type { KubernetesObject, Resource } from "../../controller/api.ts";
import { atSigns } from "../at-sign.ts";
import { atSignClasses } from "../at-sign-class.ts";

const core = (plural: string): Resource => ({ group: "", version: "v1", plural });
const admission = (plural: string): Resource => ({ group: "admissionregistration.k8s.io", version: "v1", plural });

export const coreResources = {
  pods: core("pods"),
  namespaces: core("namespaces"),
  serviceAccounts: core("serviceaccounts"),
  resourceQuotas: core("resourcequotas"),
};

const byKind: Readonly<Record<string, Resource>> = {
  AtSign: atSigns,
  AtSignClass: atSignClasses,
  Namespace: coreResources.namespaces,
  ResourceQuota: coreResources.resourceQuotas,
  ValidatingAdmissionPolicy: admission("validatingadmissionpolicies"),
  ValidatingAdmissionPolicyBinding: admission("validatingadmissionpolicybindings"),
};

/** @throws {Error} for a kind that no test needed before */
export function resourceOf({ kind = "" }: KubernetesObject): Resource {
  const resource = byKind[kind];
  if (resource === undefined) throw new Error(`${kind} is not known here`);
  return resource;
}
