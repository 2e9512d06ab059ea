import { isCommitted, isLive, type LookupParams } from "@atrium/protocol";
import type { Log } from "@atrium/runtime/log.ts";
import type { Notifications } from "./notifications/notifications.ts";
import type { Store, StoredRecord, Transaction } from "./store/store.ts";

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
 * Keeps a copy of a public record. Without a word of its owner's it is kept for a day and not used to answer.
 *
 * @returns the commit id; -1 for one that is not committed
 */
export function storePublicCopy(store: Pick<Store, "write">, copy: StoredRecord, now: number): Promise<number> {
  const kept = isCacheable(copy) ? refreshable(copy, now) : keptForADay(copy, now);
  return store.write((tx) => put(tx, kept));
}

/**
 * Keeps a copy of what is shared with this atSign, when its owner lets it; else an older copy goes.
 *
 * @returns the commit id; -1 when nothing was committed
 */
export async function storeSharedCopy(
  store: Pick<Store, "get" | "write">,
  copy: StoredRecord,
  now: number,
): Promise<number> {
  if (!isCacheable(copy)) return await dropCopy(store, copy.key);
  return await store.write((tx) => put(tx, refreshable(copy, now)));
}

/** The encryption key of another atSign: used for a day, since every message to it needs the key. */
export function putPublicKeyCopy(tx: Transaction, copy: StoredRecord, now: number): number {
  const { metadata } = keptForADay(copy, now);
  return put(tx, { ...copy, metadata: { ...metadata, ttr: forEver } });
}

/**
 * Forgets a copy: its original is gone.
 *
 * @returns the commit id; -1 when there was none
 */
export async function dropCopy(store: Pick<Store, "get" | "write">, key: string): Promise<number> {
  if (store.get(key) === undefined) return -1;
  return await store.write((tx) => tx.delete(key, isCommitted(key) ? "-" : null));
}

/** The copy again, with its time to be refreshed counted from now. */
export function refreshable(copy: StoredRecord, now: number): StoredRecord {
  const { ttr = 0 } = copy.metadata;
  const { refreshAt: _, ...metadata } = copy.metadata;
  return { ...copy, metadata: { ...metadata, ...(ttr > 0 && { refreshAt: now + ttr * 1000 }) } };
}

/**
 * Changes a copy and tells those who monitor of it. A copy that cannot be kept is no reason not to answer.
 *
 * @param change gives the commit id
 */
export async function keepCopy(
  change: () => Promise<number>,
  { notifications, log }: { notifications: Pick<Notifications, "recordChanged">; log: Log },
): Promise<void> {
  try {
    notifications.recordChanged(await change(), "update");
  } catch (error) {
    log.warn({ err: error }, "copy of a record not kept");
  }
}

function isCacheable({ metadata: { ttr = 0 } }: StoredRecord): boolean {
  return ttr !== 0;
}

function keptForADay(copy: StoredRecord, now: number): StoredRecord {
  return { ...copy, metadata: { ...copy.metadata, ttl: dayMs, expiresAt: now + dayMs } };
}

function put(tx: Transaction, record: StoredRecord): number {
  return tx.put(record, isCommitted(record.key) ? "*" : null);
}
