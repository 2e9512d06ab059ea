import type { Rule } from "./schema.ts";

/** `@`, and 55 UTF-16 units that record names allow. */
export const maxAtSignCharacters = 56;

/** The normalised form of protocol/src/atsign.ts, and that it can own records (protocol/src/key.ts), in CEL. */
export const atSignRules: readonly Rule[] = [
  {
    rule: "self == oldSelf",
    message: "cannot be changed: delete this AtSign, and apply another one",
  },
  {
    rule: "self.startsWith('@')",
    message: "must begin with @",
    messageExpression: "'must begin with @: write \"@' + self + '\"'",
  },
];
