import { z } from "zod";

/** One rule of `x-kubernetes-validations`: what the API server checks beyond types, in CEL. */
export interface Rule {
  readonly rule: string;
  /** completes `spec.field: Invalid value: …: ` */
  readonly message: string;
  /** CEL for a message that says more; `message` is used when it fails */
  readonly messageExpression?: string;
  /** what is named as wrong, below the schema that has the rule: `.requests.cpu` */
  readonly fieldPath?: string;
}

/** What a schema says besides its type; keys other than these are those of the OpenAPI schema. */
export function field(description: string, ...rules: readonly Rule[]) {
  return { description, ...(rules.length > 0 && { "x-kubernetes-validations": rules }) };
}

/** Kubernetes' DNS-1123 subdomain, for names of objects. */
export const subdomain = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/;

/** The name of another object. */
export function objectName(description: string) {
  const message = "must be a DNS name in lower case";
  return z
    .string()
    .refine((name) => subdomain.test(name), message)
    .meta({ ...field(description, { rule: `self.matches(r'${subdomain.source}')`, message }), maxLength: 253 });
}

/** An integer of so many bits; what is narrower than the type has a range of its own. */
export function integer(format: "int32" | "int64", description: string, { min, max }: { min: number; max?: number }) {
  const number = z.int().min(min);
  return (max === undefined ? number : number.max(max)).meta({ ...field(description), format });
}

/** CEL: whether a value has the form of a quantity; {@link amount} of any other is an error. */
export function isQuantity(value: string): string {
  return `(type(${value}) == int || isQuantity(${value}))`;
}

/** CEL: a value as what quantities are compared with. `string()` of an integer would count as endless in the costs. */
export function amount(value: string): string {
  return `(type(${value}) == int ? quantity('0').add(${value}) : quantity(${value}))`;
}

/** An amount as Kubernetes writes it: `5m`, `128Mi`, `1`. */
export function quantity(description: string) {
  return z.union([z.int(), z.string()]).meta({
    ...field(
      description,
      { rule: isQuantity("self"), message: "must be a quantity, for instance 5m, 128Mi or 1Gi" },
      {
        rule: `!${isQuantity("self")} || ${amount("self")}.isGreaterThan(quantity('0'))`,
        message: "must be greater than 0",
      },
    ),
    maxLength: 32,
    "x-kubernetes-int-or-string": true,
  });
}

export type DeepReadonly<T> = T extends string | number | boolean | undefined
  ? T
  : { readonly [K in keyof T]: DeepReadonly<T[K]> };
