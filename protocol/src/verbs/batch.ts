import { ProtocolError } from "../errors.ts";
import { syntax } from "../syntax.ts";

export interface BatchEntry {
  /** the client's own number for it */
  readonly id: number;
  readonly command: string;
}

/** Clients send five. */
const maxEntries = 10_000;
/** `{`, `:`, `,`, `:` and the `,` behind it */
const marksOfEntry = 5;

/** `batch:[{"id":1,"command":"update:…"},…]` — several commands, one reply. */
export const batch = syntax<{ readonly entries: readonly BatchEntry[] }>({
  verb: "batch",
  usage: `batch:[{"id":<n>,"command":"<command>"},…] with ${maxEntries} commands at most`,
  pattern: /^batch:(?<json>\[.*\])$/is,
  parse({ json = "" }) {
    // Before it is read: a list of millions of empty lists takes many times the memory of its text.
    if (marks(json) > maxEntries * marksOfEntry + 1) return undefined;
    const list = parsed(json);
    if (!Array.isArray(list) || list.length > maxEntries || !list.every(isEntry)) return undefined;
    return { entries: list.map(({ id, command }) => ({ id, command })) };
  },
  format: ({ entries }) => `batch:${JSON.stringify(entries)}`,
});

/** How many `[`, `{`, `:` and `,` there are outside of strings: no fewer than there are values. */
function marks(json: string): number {
  let count = 0;
  for (let at = 0; at < json.length; at++) {
    const character = json[at];
    if (character === '"') at = endOfString(json, at + 1);
    else if (character === "," || character === ":" || character === "{" || character === "[") count++;
  }
  return count;
}

/** @returns where the quote is that ends the string, or the end */
function endOfString(json: string, start: number): number {
  for (let from = start; ; ) {
    const end = json.indexOf('"', from);
    if (end === -1) return json.length;
    let escapes = 0;
    while (json[end - 1 - escapes] === "\\") escapes++;
    if (escapes % 2 === 0) return end;
    from = end + 1;
  }
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch (cause) {
    throw new ProtocolError("invalid_syntax", "Invalid syntax. A batch is a list in JSON", { cause });
  }
}

function isEntry(entry: unknown): entry is BatchEntry {
  if (typeof entry !== "object" || entry === null) return false;
  const { id, command } = entry as Record<string, unknown>;
  return Number.isSafeInteger(id) && typeof command === "string";
}
