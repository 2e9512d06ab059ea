/** An expression of CEL in JavaScript: RE2 writes `\x{…}` what is `\u{…}` here; the rest that is used they share. */
export function expression(re2: string): RegExp {
  return new RegExp(re2.replaceAll("\\x{", "\\u{"), "u");
}
