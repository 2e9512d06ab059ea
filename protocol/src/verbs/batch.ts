import { ProtocolError } from "../errors.ts";
import { syntax } from "../syntax.ts";

export interface BatchEntry {
  /** the client's own number for it */
  readonly id: number;
  readonly command: string;
}

/** `batch:[{"id":1,"command":"update:…"},…]` — several commands, one reply. */
export const batch = syntax<{ readonly entries: readonly BatchEntry[] }>({
  verb: "batch",
  usage: 'batch:[{"id":<n>,"command":"<command>"},…]',
  pattern: /^batch:(?<json>\[.*\])$/is,
  parse({ json = "" }) {
    const list = parsed(json);
    return Array.isArray(list) && list.every(isEntry)
      ? { entries: list.map(({ id, command }) => ({ id, command })) }
      : undefined;
  },
  format: ({ entries }) => `batch:${JSON.stringify(entries)}`,
});

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
