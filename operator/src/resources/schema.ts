import { z } from "zod";

/** One rule of `x-kubernetes-validations`: what the API server checks beyond types, in CEL. */
export interface Rule {
  readonly rule: string;
  /** completes "spec.field: Invalid value: …: " */
  readonly message: string;
  /** CEL for a message that says what to write instead; `message` is used when it fails */
  readonly messageExpression?: string;
}

/** What a field's schema says besides its type; the keys are those of the OpenAPI schema. */
export function field(description: string, ...rules: readonly Rule[]) {
  return { description, ...(rules.length > 0 && { "x-kubernetes-validations": rules }) };
}

/** Kubernetes' DNS-1123 subdomain, for names of objects. */
export const subdomain = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/;

/** Of an object, in the words that the API server uses for its own. */
export function objectName(description: string) {
  return z
    .string()
    .max(253)
    .meta(
      field(description, {
        rule: `self.matches('${subdomain.source}')`,
        message: "must be a DNS name in lower case, as names of objects are",
      }),
    );
}

/** Without what has no quantity's form, CEL could not compare. */
const isQuantity = "(type(self) == int || isQuantity(self))";

/** An amount as Kubernetes writes it: `5m`, `128Mi`, `1`. */
export function quantity(description: string) {
  return z.union([z.int(), z.string().max(32)]).meta({
    ...field(
      description,
      { rule: isQuantity, message: "must be a quantity, for instance 5m, 128Mi or 1Gi" },
      {
        rule: `!${isQuantity} || quantity(string(self)).isGreaterThan(quantity('0'))`,
        message: "must be greater than 0",
      },
    ),
    "x-kubernetes-int-or-string": true,
  });
}

export type DeepReadonly<T> = T extends string | number | boolean | undefined
  ? T
  : { readonly [K in keyof T]: DeepReadonly<T[K]> };
