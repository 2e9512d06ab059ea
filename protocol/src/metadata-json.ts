import { ProtocolError } from "./errors.ts";
import { type PublicKeyHash, present, type RecordMetadata } from "./metadata.ts";
import { formatTimestamp, parseTimestamp, writableInstant } from "./timestamp.ts";

/** How one member is written to JSON, and read. `read` gives undefined for what it does not understand. */
interface Form {
  write(value: never): unknown;
  read(json: unknown): unknown;
}

const text: Form = {
  write: (value: string) => value,
  read: (json) => (typeof json === "string" ? json : undefined),
};
const instant: Form = {
  write: (epochMs: number) => formatTimestamp(writableInstant(epochMs)),
  read: (json) => (typeof json === "string" ? parseTimestamp(json) : undefined),
};
const integer: Form = {
  write: (value: number) => value,
  read: (json) => {
    const number = typeof json === "string" && /^-?\d{1,16}$/.test(json) ? Number(json) : json;
    return Number.isSafeInteger(number) ? number : undefined;
  },
};
const flag: Form = {
  write: (value: boolean) => value,
  read: (json) => (json === true || json === "true" ? true : json === false || json === "false" ? false : undefined),
};
const hash: Form = {
  // Clients read one name or the other.
  write: ({ hash, algo }: PublicKeyHash) => ({ hash, algo, hashingAlgo: algo }),
  read: (json) => {
    if (typeof json !== "object" || json === null) return undefined;
    const { hash, algo, hashingAlgo = algo } = json as Record<string, unknown>;
    return typeof hash === "string" && typeof hashingAlgo === "string" ? { hash, algo: hashingAlgo } : undefined;
  },
};

/** In the order in which they are written. */
const forms: { readonly [K in keyof Required<RecordMetadata>]: Form } = {
  createdBy: text,
  updatedBy: text,
  createdAt: instant,
  updatedAt: instant,
  availableAt: instant,
  expiresAt: instant,
  refreshAt: instant,
  status: text,
  version: integer,
  ttl: integer,
  ttb: integer,
  ttr: integer,
  ccd: flag,
  isBinary: flag,
  isEncrypted: flag,
  dataSignature: text,
  sharedKeyEnc: text,
  pubKeyCS: text,
  encoding: text,
  encKeyName: text,
  encAlgo: text,
  ivNonce: text,
  skeEncKeyName: text,
  skeEncAlgo: text,
  pubKeyHash: hash,
  immutable: flag,
  appMetadata: text,
};
const members = Object.entries(forms) as [keyof RecordMetadata, Form][];

/** The `metaData` object of a reply: members in the order that the reference has, none that is null. */
export function formatMetadataJson(metadata: Partial<RecordMetadata>): Record<string, unknown> {
  const json: Record<string, unknown> = {};
  for (const [member, form] of members) {
    const value = metadata[member];
    if (value !== undefined) json[member] = form.write(value as never);
  }
  return json;
}

/**
 * Reads a `metaData` object, also in the form of sync, where every value is a string. Unknown members and nulls are
 * passed over.
 *
 * @throws {ProtocolError} `invalid_syntax` when it is no object or a known member has another type
 */
export function parseMetadataJson(json: unknown): Partial<RecordMetadata> {
  if (typeof json !== "object" || json === null || Array.isArray(json)) throw invalid("metadata is not an object");
  const metadata: Record<string, unknown> = {};
  for (const [member, form] of members) {
    const value: unknown = Object.hasOwn(json, member) ? json[member as keyof typeof json] : undefined;
    if (value === undefined || value === null || value === "null") continue;
    metadata[member] = form.read(value);
    if (metadata[member] === undefined) throw invalid(`metadata member ${member} is malformed`);
  }
  return present<Partial<RecordMetadata>>(metadata);
}

function invalid(message: string): ProtocolError {
  return new ProtocolError("invalid_syntax", message);
}
