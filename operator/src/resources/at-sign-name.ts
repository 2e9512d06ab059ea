import type { Rule } from "./schema.ts";

/** `@`, and 55 UTF-16 units that may stand in the name of a record. */
const maxUnits = 56;

/**
 * What an atSign may consist of besides letters, digits, `_` and `-` to own records; `\x{…}` is RE2's syntax.
 * Without what normalisation refuses of these ranges: white space and pictures of control characters.
 *
 * @see protocol/src/key.ts
 */
const symbols =
  "\\x{a9}\\x{ae}\\x{200b}-\\x{2027}\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}\\x{2060}-\\x{23ff}\\x{2422}\\x{2423}" +
  "\\x{2426}-\\x{2fff}\\x{3001}-\\x{3300}\\x{fe00}-\\x{fe0f}\\x{1f000}-\\x{1fbff}";

/** In any case and with dots: other rules have better words for those. */
export const spelling = `^@?[A-Za-z0-9_.\\-${symbols}]+$`;

/**
 * What lower case changes: capital letters without the mathematical ones that have no small form; and the numerals and
 * circled letters that have one without being letters.
 */
export const upperCase =
  "[^\\P{Lu}\\x{2102}\\x{2107}\\x{210b}-\\x{210d}\\x{2110}-\\x{2112}\\x{2115}\\x{2119}-\\x{211d}\\x{2124}\\x{2128}" +
  "\\x{212c}\\x{212d}\\x{2130}\\x{2131}\\x{2133}\\x{213e}\\x{213f}\\x{2145}]|[\\x{2160}-\\x{216f}\\x{24b6}-\\x{24cf}]";

/** The normalised form of protocol/src/atsign.ts, of names that can own records, in CEL. */
const rules: readonly Rule[] = [
  { rule: "self == oldSelf", message: "cannot be changed: delete this AtSign, and apply another one" },
  {
    rule: "self.startsWith('@')",
    message: "must begin with @",
    messageExpression: `'must begin with @: write "@' + self + '"'`,
  },
  {
    rule: "!self.contains('.')",
    message: "must have no dots",
    messageExpression: `'must have no dots, which mean nothing in an atSign: write "' + self.replace('.', '') + '"'`,
  },
  {
    rule: `!self.matches(r'${upperCase}')`,
    message: "must be in lower case",
    messageExpression: `'must be in lower case' + (self == self.lowerAscii() ? '' : ': write "' + self.lowerAscii() + '"')`,
  },
  {
    rule: `self.matches(r'${spelling}')`,
    message: "must be @ and then letters a to z, digits, _, - or emoji: no other name can own records",
  },
  {
    // What lies beyond U+FFFF has two units.
    rule: `size(self) + size(self.findAll(r'[\\x{10000}-\\x{10ffff}]')) <= ${maxUnits}`,
    message: `must be at most ${maxUnits} UTF-16 units long`,
  },
];

/** For the schema of the API server alone: a manifest of the local platform may have any spelling. */
export const nameSchema = { minLength: 2, maxLength: maxUnits, "x-kubernetes-validations": rules };
