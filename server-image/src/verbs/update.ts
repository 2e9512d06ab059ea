import {
  checkUpdatable,
  isCommitted,
  isLive,
  type MetadataChange,
  mergeMetadata,
  ProtocolError,
  update as syntax,
} from "@atrium/protocol";
import { hasExpired } from "../records.ts";
import type { StoredRecord } from "../store/store.ts";
import { type Parts, verb } from "./verb.ts";

/** Writes a record. Answered with its commit id once it is durable. */
export const update = verb({
  syntax,
  allow: ["owner"],
  handle({ key, value, metadata }, parts) {
    checkUpdatable(key, parts.atSign);
    const operation = isCommitted(key) ? "*" : null;
    return parts.store.write((tx) => String(tx.put(next(tx.get(key), key, value, metadata, parts), operation)));
  },
});

/**
 * The record after a write.
 *
 * @param value undefined keeps the one that is there
 * @throws {ProtocolError} `illegal_state` for an immutable record
 */
export function next(
  stored: StoredRecord | undefined,
  key: string,
  value: string | undefined,
  change: MetadataChange,
  { atSign, now }: Pick<Parts, "atSign" | "now">,
): StoredRecord {
  const at = now();
  // What has expired is gone, swept or not.
  const previous = stored === undefined || hasExpired(stored.metadata, at) ? undefined : stored;
  if (previous?.metadata.immutable && isLive(previous.metadata, at)) {
    throw new ProtocolError("illegal_state", `${key} is immutable`);
  }
  const metadata = mergeMetadata(previous?.metadata, change, { now: at, by: atSign });
  return { key, value: value ?? previous?.value, metadata };
}
