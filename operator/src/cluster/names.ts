import { createHash } from "node:crypto";
import type { KubernetesObject } from "../controller/api.ts";

/** Of objects that belong to an AtSign: labels and annotations. */
export const atSignLabel = "atrium.dev/atsign";
export const epochAnnotation = "atrium.dev/epoch";
export const templateAnnotation = "atrium.dev/template";
/** on an AtSign: to whom its name goes */
export const releaseToAnnotation = "atrium.dev/release-to";
/** on a volume claim: whose data it has, also when the AtSign is gone */
export const ownerAnnotation = "atrium.dev/owner";
export const nameAnnotation = "atrium.dev/at-sign-name";

export const finalizer = "atrium.dev/data";

/** Of objects; labels take less. */
const maxName = 253;
const maxLabel = 63;

function cut(name: string, length: number): string {
  if (name.length <= length) return name;
  const hash = createHash("sha256").update(name).digest("hex").slice(0, 8);
  return `${name.slice(0, length - 9).replace(/[.-]+$/, "")}-${hash}`;
}

/** `alice-data`: of an object that belongs to the AtSign of this name. */
export function objectName(name: string, suffix: "atserver" | "data" | "activation"): string {
  return `${cut(name, maxName - suffix.length - 1)}-${suffix}`;
}

export function labelsOf(name: string): Readonly<Record<string, string>> {
  return {
    [atSignLabel]: cut(name, maxLabel),
    "app.kubernetes.io/name": "atserver",
    "app.kubernetes.io/component": "atserver",
    "app.kubernetes.io/managed-by": "atrium-operator",
    "app.kubernetes.io/part-of": "atrium",
  };
}

/**
 * By which the directory knows who holds a name: a claim survives a re-created object, and says nothing about who owns it.
 * Clusters of one platform have claims of their own, so that objects of the same name in two of them are two.
 */
export interface Claims {
  /** with which all claims of this cluster begin, and those of no other */
  readonly prefix: string;
  /** @param key `namespace/name` of the AtSign */
  of(key: string): string;
  /**
   * The claim that an annotation names: an AtSign as `name`, `namespace/name` or `cell/namespace/name`, or a claim itself.
   *
   * @returns undefined when it is none of them
   */
  named(text: string, namespace: string): string | undefined;
}

const claimForm = /^[0-9a-f]{32}$/;
const cellForm = /^[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?$/;
const namespaceForm = /^[a-z0-9-]{1,63}$/;
const nameForm = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/;

export function claimsOf(platformId: string, cell: string): Claims {
  const prefix = (of: string) => hexOf(12, platformId, of);
  const claim = (of: string, namespace: string, name: string) => `${prefix(of)}${hexOf(20, namespace, name)}`;
  return {
    prefix: prefix(cell),
    of(key) {
      const [namespace = "", name = ""] = key.split("/");
      return claim(cell, namespace, name);
    },
    named(text, namespace) {
      if (claimForm.test(text)) return text;
      const [name = "", of = namespace, cellOf = cell, ...more] = text.split("/").reverse();
      const isName = more.length === 0 && nameForm.test(name) && namespaceForm.test(of) && cellForm.test(cellOf);
      return isName ? claim(cellOf, of, name) : undefined;
    },
  };
}

function hexOf(digits: number, ...parts: readonly string[]): string {
  return createHash("sha256").update(parts.join("\0")).digest("hex").slice(0, digits);
}

/** @returns the key of the AtSign that a pod says it belongs to */
export function ownerKeyOf({ metadata: { namespace, ownerReferences } }: KubernetesObject): string | undefined {
  const owner = ownerReferences?.find(({ kind, controller }) => kind === "AtSign" && controller === true);
  return owner === undefined ? undefined : `${namespace}/${owner.name}`;
}

export function ownerUidOf({ metadata: { ownerReferences } }: KubernetesObject): string | undefined {
  return ownerReferences?.find(({ kind, controller }) => kind === "AtSign" && controller === true)?.uid;
}
