import { ProtocolError } from "./errors.ts";
import type { MetadataChange } from "./metadata.ts";
import { formatMetadata, readMetadata } from "./metadata-text.ts";
import type { Priority } from "./verbs/delete.ts";

/** What a notification says besides whom and what it is about; what is absent was not given. */
export interface NotifyItems {
  readonly id?: string;
  readonly operation: "update" | "delete";
  /** `key`: about a record; `text`: a message of its own */
  readonly messageType: "key" | "text";
  readonly priority?: Priority;
  /** `latest`: of one notifier only the newest `latestN` are worth delivering */
  readonly strategy?: "all" | "latest";
  readonly latestN?: number;
  readonly notifier?: string;
  /** milliseconds for which it is worth delivering; 0 = as if not given */
  readonly ttln?: number;
  readonly metadata: MetadataChange;
}

const itemPattern = new RegExp(
  `:(?:${[
    "(?<operation>update|delete)",
    "id:(?<id>[\\w-]{1,248})",
    "messageType:(?<messageType>key|text)",
    "priority:(?<priority>low|medium|high)",
    "strategy:(?<strategy>all|latest)",
    "latestN:(?<latestN>\\d{1,9})",
    "notifier:(?<notifier>[^:\\s]+)",
    "ttln:(?<ttln>\\d{1,15})",
  ].join("|")})(?=:)`,
  "iy",
);

/** These keep their letter case; the others are words of the protocol. */
const caseSensitive: ReadonlySet<string> = new Set(["id", "notifier"]);
const numeric: ReadonlySet<string> = new Set(["latestN", "ttln"]);

/**
 * Reads the items of a `notify`, in any order: clients put `ttln` in the middle of the metadata.
 *
 * @param line the command
 * @param start where the first item's colon stands
 * @returns the items, and where the first thing stands that is none
 * @throws {ProtocolError} `invalid_syntax`
 */
export function readItems(line: string, start: number): { items: NotifyItems; end: number } {
  const found: Record<string, unknown> = {};
  const metadata: Record<string, unknown> = {};
  for (let end = start; ; ) {
    itemPattern.lastIndex = end;
    const match = itemPattern.exec(line);
    if (match !== null) {
      add(found, valuesOf(match.groups ?? {}));
      end += match[0].length;
      continue;
    }
    const run = readMetadata(line, end);
    if (run.end === end) return { items: itemsOf(found, metadata), end };
    add(metadata, run.metadata);
    end = run.end;
  }
}

function valuesOf(groups: Record<string, string | undefined>): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const [name, text] of Object.entries(groups)) {
    if (text === undefined) continue;
    values[name] = numeric.has(name) ? Number(text) : caseSensitive.has(name) ? text : text.toLowerCase();
  }
  return values;
}

function add(found: Record<string, unknown>, more: object): void {
  for (const [name, value] of Object.entries(more)) {
    if (name in found) throw new ProtocolError("invalid_syntax", `${name} is there twice`);
    found[name] = value;
  }
}

function itemsOf(found: Partial<NotifyItems>, metadata: MetadataChange): NotifyItems {
  if (found.strategy === "latest" && found.notifier === undefined) {
    throw new ProtocolError("invalid_syntax", "For Strategy latest, notifier cannot be null");
  }
  return { operation: "update", messageType: "key", ...found, metadata };
}

/**
 * The items in the order of the reference's grammar, each with its leading colon.
 *
 * @throws {ProtocolError} `invalid_syntax` when one cannot be written
 */
export function formatItems({ metadata, operation, ...items }: NotifyItems): string {
  const { id, ...others } = items;
  const head = `${id === undefined ? "" : `:id:${id}`}:${operation}`;
  const written = (["messageType", "priority", "strategy", "latestN", "notifier", "ttln"] as const)
    .filter((name) => others[name] !== undefined)
    .map((name) => `:${name}:${others[name]}`);
  const text = `${head}${written.join("")}${formatMetadata(metadata)}`;
  if (readItems(`${text}:`, 0).end !== text.length) {
    throw new ProtocolError("invalid_syntax", "the notification cannot be written");
  }
  return text;
}
