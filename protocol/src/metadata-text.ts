import { ProtocolError } from "./errors.ts";
import { type MetadataChange, type PublicKeyHash, present } from "./metadata.ts";
import { parseTimestamp, writableInstant } from "./timestamp.ts";

/**
 * Metadata as it stands in commands: `:ttl:60000:isEncrypted:true`. Read in any order and any letter case of names and
 * booleans, since clients differ; written in the order of the newest grammar.
 */

interface Item {
  /** as it is written */
  readonly name: string;
  readonly member: keyof MetadataChange | "hash" | "algo" | "unused";
  /** sticky; where it matches, the value ends */
  readonly pattern: RegExp;
  read(text: string): unknown;
  write(value: never): string;
}

const text = {
  pattern: /[^:@\s]+/y,
  read: (value: string) => (value === "null" ? null : value),
  write: (value: string | null): string => {
    if (value === null) return "null";
    if (!/^[^:@\s]+$/.test(value) || value === "null") throw invalid(`metadata cannot hold ${value.slice(0, 50)}`);
    return value;
  },
};
const flag = {
  pattern: /(?:true|false)(?![^:@\s])/iy,
  read: (value: string) => value.toLowerCase() === "true",
  write: String,
};
const timestamp = {
  pattern: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z(?![^:@\s])/iy,
  read: (value: string) => parseTimestamp(value.toUpperCase()) ?? fail(`${value} is not a date`),
  write: (epochMs: number) => new Date(writableInstant(epochMs)).toISOString(),
};

function integer(min: number, message: string) {
  const read = (value: string): number => {
    const number = Number(value);
    if (!Number.isSafeInteger(number)) throw invalid(`${value.slice(0, 50)} is out of range`);
    return number >= min ? number + 0 : fail(message);
  };
  return {
    pattern: /-?\d+(?![^:@\s])/y,
    read,
    write: (value: number): string => String(read(String(value))),
  };
}

const items: readonly Item[] = [
  { name: "ttl", member: "ttl", ...integer(0, "Valid value for TTL should be greater than or equal to 0") },
  { name: "ttb", member: "ttb", ...integer(0, "Valid value for TTB should be greater than or equal to 0") },
  { name: "ttr", member: "ttr", ...integer(-1, "Valid values for TTR are -1 and greater than or equal to 1") },
  { name: "ccd", member: "ccd", ...flag },
  { name: "cAt", member: "createdAt", ...timestamp },
  { name: "uAt", member: "updatedAt", ...timestamp },
  { name: "eAt", member: "expiresAt", ...timestamp },
  { name: "aAt", member: "availableAt", ...timestamp },
  { name: "dataSignature", member: "dataSignature", ...text },
  { name: "sharedKeyStatus", member: "unused", ...text },
  { name: "isBinary", member: "isBinary", ...flag },
  { name: "isEncrypted", member: "isEncrypted", ...flag },
  { name: "sharedKeyEnc", member: "sharedKeyEnc", ...text },
  { name: "pubKeyCS", member: "pubKeyCS", ...text },
  { name: "pubKeyHash", member: "hash", ...text },
  { name: "hashingAlgo", member: "algo", ...text },
  { name: "encoding", member: "encoding", ...text },
  { name: "encKeyName", member: "encKeyName", ...text },
  { name: "encAlgo", member: "encAlgo", ...text },
  { name: "ivNonce", member: "ivNonce", ...text },
  { name: "skeEncKeyName", member: "skeEncKeyName", ...text },
  { name: "skeEncAlgo", member: "skeEncAlgo", ...text },
  { name: "immutable", member: "immutable", ...flag },
  { name: "appMetadata", member: "appMetadata", ...text },
];

const itemByName: ReadonlyMap<string, Item> = new Map([
  ...items.map((item) => [item.name.toLowerCase(), item] as const),
  // The older spelling of a public key's hash.
  ["hash", { name: "hash", member: "hash", ...text }],
  ["algo", { name: "algo", member: "algo", ...text }],
]);

const namePattern = /:([a-z]{3,15}):/iy;

/**
 * Reads metadata from the middle of a command.
 *
 * @param line the command
 * @param start where the first item's colon stands
 * @returns the metadata, and where the first thing stands that is none
 * @throws {ProtocolError} `invalid_syntax` for an item that is there twice or has a wrong value
 */
export function readMetadata(line: string, start: number): { metadata: MetadataChange; end: number } {
  const found: Record<string, unknown> = {};
  let end = start;
  for (;;) {
    const [opening = "", name = ""] = matchAt(namePattern, line, end) ?? [];
    const item = itemByName.get(name.toLowerCase());
    if (item === undefined) return { metadata: changeOf(found), end };
    const [value] = matchAt(item.pattern, line, end + opening.length) ?? fail(`${item.name} has a wrong value`);
    if (item.member in found) throw invalid(`${item.name} is there twice`);
    found[item.member] = item.read(value);
    end += opening.length + value.length;
  }
}

function matchAt(pattern: RegExp, line: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(line);
}

function changeOf({ hash, algo, unused, ...members }: Record<string, unknown>): MetadataChange {
  if (hash === undefined && algo === undefined) return members;
  if (hash === null) return { ...members, pubKeyHash: null };
  if (typeof hash !== "string" || typeof algo !== "string") throw invalid("pubKeyHash and hashingAlgo go together");
  return { ...members, pubKeyHash: { hash, algo } };
}

/**
 * @returns the items, each with its leading colon
 * @throws {ProtocolError} `invalid_syntax` when a value cannot be written
 */
export function formatMetadata({ pubKeyHash, ...change }: MetadataChange): string {
  const values: Record<string, unknown> = present({ ...change, ...hashItems(pubKeyHash) });
  let line = "";
  for (const { name, member, write } of items) {
    if (values[member] !== undefined) line += `:${name}:${write(values[member] as never)}`;
  }
  return line;
}

function hashItems(pubKeyHash: PublicKeyHash | null | undefined): { hash?: string | null; algo?: string | null } {
  if (pubKeyHash === null) return { hash: null };
  return pubKeyHash === undefined ? {} : pubKeyHash;
}

function invalid(message: string): ProtocolError {
  return new ProtocolError("invalid_syntax", message);
}

function fail(message: string): never {
  throw invalid(message);
}
