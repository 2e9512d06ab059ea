/**
 * Compares as UTF-8 bytes do, which is the order of code points. JavaScript's `<` differs where characters beyond
 * U+FFFF meet those from U+E000 on.
 */
export function compareCodePoints(a: string, b: string): number {
  const end = Math.min(a.length, b.length);
  for (let at = 0; at < end; at++) {
    const left = a.charCodeAt(at);
    const right = b.charCodeAt(at);
    if (left !== right) return rank(left) - rank(right);
  }
  return a.length - b.length;
}

/** Surrogates stand for what lies beyond U+FFFF: they go last. */
function rank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}

/** Above every key that begins with `prefix`: U+10FFFF is not a character, so no key has it. */
export function endOfPrefix(prefix: string): string {
  return `${prefix}\u{10FFFF}`;
}
