import { type AtSign, formatMetadataJson, type Part, ProtocolError, type RecordMetadata } from "@atrium/protocol";
import type { Store, StoredRecord } from "./store/store.ts";

/** @throws {ProtocolError} `key_not_found` also for what has expired or is not born yet */
export function liveRecord(store: Pick<Store, "getLive">, key: string, now: number): StoredRecord {
  const record = store.getLive(key, now);
  if (record === undefined) throw notFound(key);
  return record;
}

export function notFound(key: string): ProtocolError {
  return new ProtocolError("key_not_found", `${key} does not exist in keystore`);
}

/** What clients accept of a reply, and what there is memory for. */
const maxReplyBytes = 10_240_000;
/** What is around the only entry of a list. */
const listMarks = 2;
/** A control character becomes as many. */
const mostOfOne = 6;

/**
 * JSON of an object that may have a large value.
 *
 * @returns undefined when it would be longer than a reply; a value that alone would be is not written as JSON to see that
 */
export function replyJson(object: Readonly<Record<string, unknown>>, value: string): string | undefined {
  if (!fitsInJson(value)) return undefined;
  const text = JSON.stringify(object);
  return Buffer.byteLength(text) <= maxReplyBytes - listMarks ? text : undefined;
}

/** Any text that was stored fits, unless much of it has to be escaped. */
function fitsInJson(value: string): boolean {
  if (value.length * mostOfOne <= maxReplyBytes) return true;
  let length = value.length;
  for (let at = 0; at < value.length; at++) {
    const unit = value.charCodeAt(at);
    if (unit < 0x20) length += mostOfOne - 1;
    else if (unit === 0x22 || unit === 0x5c) length++;
  }
  return length <= maxReplyBytes;
}

/**
 * The payload that answers a lookup.
 *
 * @throws {ProtocolError} `buffer_limit` when it would be longer than a reply may be
 */
export function render(record: StoredRecord, part: Part): string | null {
  const { key, value } = record;
  if (part === "value") return value ?? null;
  const metaData = formatMetadataJson(record.metadata);
  if (part === "meta") return JSON.stringify(metaData);
  const text = replyJson({ key, data: value ?? null, metaData }, value ?? "");
  if (text !== undefined) return text;
  throw new ProtocolError("buffer_limit", `${key} is too large for a reply in JSON; read it without "all"`, {
    closes: false,
  });
}

/** Of a record that the server itself writes: no client said whether it is binary or encrypted. */
export function serverMetadata(atSign: AtSign, now: number, life: { ttl?: number } = {}): RecordMetadata {
  return {
    createdBy: atSign,
    updatedBy: atSign,
    createdAt: now,
    updatedAt: now,
    ...(life.ttl !== undefined && { ttl: life.ttl, expiresAt: now + life.ttl }),
    status: "active",
    version: 0,
  };
}

export function hasExpired({ expiresAt }: Pick<RecordMetadata, "expiresAt">, now: number): boolean {
  return expiresAt !== undefined && expiresAt <= now;
}
