import { isCommitted, isLive, type LookupParams, type RecordMetadata } from "@atrium/protocol";
import type { Store, StoredRecord } from "./store/store.ts";

const dayMs = 86_400_000;
const forEver = -1;

/** A copy of another atSign's record, when its owner lets it be used still. */
export function cachedRecord(
  store: Pick<Store, "get">,
  key: string,
  { bypassCache }: Pick<LookupParams, "bypassCache">,
  now: number,
): StoredRecord | undefined {
  const record = bypassCache ? undefined : store.get(key);
  if (record === undefined || !isLive(record.metadata, now)) return undefined;
  const { ttr, refreshAt } = record.metadata;
  return ttr === forEver || (refreshAt !== undefined && now <= refreshAt) ? record : undefined;
}

/**
 * Keeps a copy of a public record.
 *
 * Without a word of its owner's it is kept for a day and not used to answer. The encryption key is used for a day: every
 * message to its owner needs it.
 */
export async function storeCopy(
  store: Pick<Store, "write">,
  copy: Omit<StoredRecord, "metadata"> & { metadata: RecordMetadata; isPublicKey: boolean },
  now: number,
): Promise<void> {
  const { key, value, metadata, isPublicKey } = copy;
  const kept = isPublicKey
    ? { ...metadata, ttr: forEver, ttl: dayMs, expiresAt: now + dayMs }
    : metadata.ttr === undefined || metadata.ttr === 0
      ? { ...metadata, ttl: dayMs, expiresAt: now + dayMs }
      : { ...metadata, ...(metadata.ttr > 0 && { refreshAt: now + metadata.ttr * 1000 }) };
  await store.write((tx) => tx.put({ key, value, metadata: kept }, isCommitted(key) ? "*" : null));
}

/** Forgets a copy: its original is gone. */
export async function dropCopy(store: Pick<Store, "get" | "write">, key: string): Promise<void> {
  if (store.get(key) === undefined) return;
  await store.write((tx) => tx.delete(key, isCommitted(key) ? "-" : null));
}
