/**
 * How many instructions a regular expression becomes, about: counted repetitions are written out, so that a short
 * expression can take hundreds of megabytes.
 *
 * @param regex as the engine reads it; need not be valid. One that quotes has no bound: what follows could not be told from
 *   what is quoted
 */
export function programSize(regex: string): number {
  const groups: number[] = [];
  let size = 0;
  /** of what a repetition would repeat */
  let last = 0;
  const atom = (instructions: number) => {
    size += instructions;
    last = instructions;
  };
  for (let at = 0; at < regex.length; ) {
    const [token = regex.charAt(at), repetition, least, most] = match(regex, at);
    at += token.length;
    if (token === "\\Q") return Number.POSITIVE_INFINITY;
    // What follows flags repeats what is before them, even a repetition.
    if (token.startsWith("(?")) continue;
    if (repetition !== undefined) {
      const count = Math.max(Number(least), Number(most ?? least) || 0);
      const more = last * Math.max(0, count - 1);
      size += more;
      last += more;
    } else if (token === "(") {
      groups.push(size);
      size = 0;
    } else if (token === ")") {
      const inside = size;
      size = groups.pop() ?? 0;
      atom(inside + 2);
    } else if ("*+?|".includes(token)) {
      size += 1;
    } else atom(1);
  }
  return groups.reduce((sum, outside) => sum + outside, size);
}

/** A repetition with counts, flags, an escape with its braces, a class, or one character. */
const tokenPattern = /(\{(\d+)(?:,(\d*))?\})|\(\?[a-zA-Z-]*\)|\\(?:[pPx]\{[^}]*\}|.)|\[\^?\]?(?:\\.|[^\]\\])*\]|./sy;

function match(regex: string, at: number): readonly (string | undefined)[] {
  tokenPattern.lastIndex = at;
  return tokenPattern.exec(regex) ?? [];
}
