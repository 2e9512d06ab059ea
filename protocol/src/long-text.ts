/** What stands before a value fits into this, whatever the command. */
const headLength = 65_536;
const tailLength = 1_024;

/**
 * The named groups of a pattern whose last one may take the rest of the text. Of a long text the middle is not shown to the
 * pattern: for each character that a group takes, an engine that backtracks keeps a place to go back to, and has no room
 * for ten million.
 *
 * @param pattern of the whole text; a group that reaches into what was left out must reach to the end
 * @returns undefined when the text does not match
 */
export function groupsOf(pattern: RegExp, text: string): Record<string, string | undefined> | undefined {
  if (text.length <= headLength + tailLength) {
    const match = pattern.exec(text);
    return match === null ? undefined : (match.groups ?? {});
  }
  const sample = text.slice(0, headLength) + text.slice(-tailLength);
  const match = new RegExp(pattern.source, `${pattern.flags}d`).exec(sample);
  if (match === null) return undefined;
  const groups: Record<string, string | undefined> = {};
  for (const [name, place] of Object.entries(match.indices?.groups ?? {})) {
    if (place === undefined) continue;
    const [start, end] = place;
    if (end <= headLength) groups[name] = text.slice(start, end);
    else if (start < headLength && end === sample.length) groups[name] = text.slice(start);
    else return undefined;
  }
  return groups;
}
