import {
  type AtSign,
  checkOwner,
  checkUpdatable,
  isCommitted,
  isLive,
  type MetadataChange,
  mergeMetadata,
  ProtocolError,
  update as syntax,
} from "@atrium/protocol";
import { notifyRecipient, recipientOf } from "../notifications/auto-notify.ts";
import { hasExpired } from "../records.ts";
import type { StoredRecord } from "../store/store.ts";
import { type Need, type Parts, verb } from "./verb.ts";

/** Writes a record. Answered with its commit id once it is durable. */
export const update = verb({
  syntax,
  allow: ["owner"],
  needs: ({ key }, { atSign }) => needed(key, atSign),
  handle({ key, value, metadata, uncommitted }, parts) {
    checkUpdatable(key, parts.atSign);
    return put({ key, value, uncommitted }, metadata, parts);
  },
});

/** Somebody else's record is refused before it is asked who may write it. */
export function needed(key: string, atSign: AtSign): Need {
  checkOwner(key, atSign);
  return { access: "rw", key, doing: "update" };
}

/**
 * Writes a record, and tells whoever it is shared with.
 *
 * @param record without a value keeps the one that is there
 * @returns the commit id, once it is durable
 */
export async function put(
  { key, value, uncommitted = false }: { key: string; value?: string | undefined; uncommitted?: boolean | undefined },
  change: MetadataChange,
  parts: Parts,
): Promise<string> {
  const { store, notifications } = parts;
  const operation = isCommitted(key) && !uncommitted ? (value === undefined ? "#" : "*") : null;
  const commitId = await store.write((tx) => {
    const record = next(tx.get(key), key, value, change, parts);
    notifyRecipient(tx, key, { value, metadata: record.metadata }, parts);
    return tx.put(record, operation);
  });
  if (recipientOf(key, parts.atSign) !== undefined) notifications.committed();
  notifications.recordChanged(commitId, "update");
  return String(commitId);
}

/**
 * The record after a write.
 *
 * @param value undefined keeps the one that is there
 * @throws {ProtocolError} `illegal_state` for an immutable record
 */
function next(
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
