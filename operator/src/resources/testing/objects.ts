import { type ApiClient, type KubernetesObject, pathOf } from "../../controller/api.ts";
import { atSigns } from "../at-sign.ts";
import { atSignClasses } from "../at-sign-class.ts";
import { verdict } from "./api-server.ts";

/** An object of Atrium as somebody may have written it. */
export interface Written extends KubernetesObject {
  readonly spec: Readonly<Record<string, unknown>>;
}

export const apiVersion = "atrium.dev/v1alpha1";

export function atSign(name: string, spec: Written["spec"]): Written {
  return { apiVersion, kind: "AtSign", metadata: { name, namespace: "default" }, spec };
}

export function atSignClass(name: string, spec: Written["spec"]): Written {
  return { apiVersion, kind: "AtSignClass", metadata: { name }, spec };
}

/** What the API server would say of it, without keeping anything. */
export function tryOut(api: ApiClient, object: Written): Promise<string> {
  const resource = object.kind === "AtSign" ? atSigns : atSignClasses;
  return verdict(
    api.request({
      method: "POST",
      path: pathOf(resource, { namespace: object.metadata.namespace }),
      query: { dryRun: "All", fieldValidation: "Strict" },
      body: object,
    }),
  );
}
