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

/** The payload that answers a lookup. */
export function render(record: StoredRecord, part: Part): string | null {
  const { key, value } = record;
  if (part === "value") return value ?? null;
  const metaData = formatMetadataJson(record.metadata);
  return JSON.stringify(part === "meta" ? metaData : { key, data: value ?? null, metaData });
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
