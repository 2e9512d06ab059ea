import { type AtSign, ProtocolError, parseMetadataJson, type RecordMetadata } from "@atrium/protocol";
import { serverMetadata } from "../records.ts";
import type { StoredRecord } from "../store/store.ts";

/**
 * Reads what the atServer of another atSign answered to `lookup:all:`.
 *
 * @param key that the record is to have here
 * @throws {ProtocolError} `socket` when it is no record
 */
export function parseRemoteRecord(payload: string, key: string, owner: AtSign, now: number): StoredRecord {
  // Without a cause: what a JSON parser says quotes what it read, and that is nobody's but the reader's.
  const malformed = () => new ProtocolError("socket", `${owner} answered what is no record`);
  let json: { data?: unknown; metaData?: unknown };
  let metadata: Partial<RecordMetadata>;
  try {
    json = JSON.parse(payload);
    metadata = parseMetadataJson(json.metaData ?? {});
  } catch {
    throw malformed();
  }
  const { data } = json;
  if (data !== null && (typeof data !== "string" || /[\r\n]/.test(data))) throw malformed();
  return { key, value: data ?? undefined, metadata: { ...serverMetadata(owner, now), ...metadata } };
}

/**
 * What the atServer of another atSign answered to `scan`, as it is.
 *
 * @throws {ProtocolError} `socket` when it is no list of names
 */
export function checkNames(payload: string, owner: AtSign): string {
  let names: unknown;
  try {
    names = JSON.parse(payload);
  } catch {
    names = undefined;
  }
  if (Array.isArray(names) && names.every((name) => typeof name === "string")) return payload;
  throw new ProtocolError("socket", `${owner} answered what is no list of names`);
}
