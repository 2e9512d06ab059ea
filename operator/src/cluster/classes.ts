import type { KubernetesObject } from "../controller/api.ts";
import type { AtSign } from "../resources/at-sign.ts";
import { type AtSignClass, defaultClassAnnotation } from "../resources/at-sign-class.ts";
import type { Obstacle } from "../tenant/observe.ts";
import type { Stores } from "./stores.ts";

/** The class of an AtSign, or why it has none that it may use. */
export type Classified =
  | { readonly class: AtSignClass; readonly obstacle?: undefined }
  /** `class` is what it would be */
  | { readonly class: AtSignClass | undefined; readonly obstacle: Obstacle };

export function classOf({ spec, metadata }: AtSign, stores: Pick<Stores, "classes" | "namespaces">): Classified {
  const { className } = spec;
  const found = className === undefined ? defaultClass(stores.classes.values()) : stores.classes.get(className);
  if (found === undefined) {
    const message =
      className === undefined
        ? `no AtSignClass is annotated ${defaultClassAnnotation}: "true"; annotate one, or set spec.className`
        : `there is no AtSignClass ${className}; make it, or change spec.className`;
    return { class: undefined, obstacle: { reason: "ClassNotFound", message, preventsStart: true } };
  }
  const namespace = stores.namespaces.get(metadata.namespace ?? "");
  if (selects(found.spec.allowedNamespaces.selector, namespace?.metadata.labels ?? {})) return { class: found };
  const message = `the AtSignClass ${found.metadata.name} may not be used in the namespace ${metadata.namespace}; its allowedNamespaces says where`;
  return { class: found, obstacle: { reason: "ClassNotAllowed", message, preventsStart: true } };
}

/** Of several, the first by name: it does not depend on who asks. */
export function defaultClass(classes: Iterable<AtSignClass>): AtSignClass | undefined {
  const isDefault = ({ metadata }: KubernetesObject) => metadata.annotations?.[defaultClassAnnotation] === "true";
  return [...classes].filter(isDefault).sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))[0];
}

type Selector = AtSignClass["spec"]["allowedNamespaces"]["selector"];

/** As Kubernetes' label selectors: all requirements hold; none select everything. */
function selects(
  { matchLabels = {}, matchExpressions = [] }: Selector,
  labels: Readonly<Record<string, string>>,
): boolean {
  const holds = {
    In: (value: string | undefined, values: readonly string[]) => value !== undefined && values.includes(value),
    NotIn: (value: string | undefined, values: readonly string[]) => value === undefined || !values.includes(value),
    Exists: (value: string | undefined) => value !== undefined,
    DoesNotExist: (value: string | undefined) => value === undefined,
  };
  return (
    Object.entries(matchLabels).every(([name, value]) => labels[name] === value) &&
    matchExpressions.every(({ key, operator, values = [] }) => holds[operator](labels[key], values))
  );
}
