import { isDeepStrictEqual } from "node:util";
import { isCommitted, isLive, type LookupParams, type RecordMetadata, writableInstant } from "@atrium/protocol";
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
  const usable = refreshAt === undefined ? ttr === forEver : now <= refreshAt;
  return usable ? record : undefined;
}

/**
 * Keeps a copy of a public record. Without a word of its owner's it is kept for a day and not used to answer.
 *
 * @returns the commit id; -1 when nothing but its age changed
 */
export function storePublicCopy(store: Pick<Store, "write">, copy: StoredRecord, now: number): Promise<number> {
  const kept = isCacheable(copy) ? refreshable(copy, now) : keptForADay(copy, now);
  return store.write((tx) => put(tx, kept));
}

/**
 * Keeps a copy of what is shared with this atSign, when its owner lets it; else an older copy goes.
 *
 * @returns the commit id; -1 when nothing but its age changed
 */
export async function storeSharedCopy(
  store: Pick<Store, "get" | "write">,
  copy: StoredRecord,
  now: number,
): Promise<number> {
  if (!isCacheable(copy)) return await dropCopy(store, copy.key);
  return await store.write((tx) => put(tx, refreshable(copy, now)));
}

/**
 * Keeps the encryption key of another atSign, to be used for a day, since every message to it needs the key; and longer,
 * to notice when there is another one.
 *
 * @returns the commit id; -1 when nothing but its age changed
 */
export function putPublicKeyCopy(tx: Transaction, copy: StoredRecord, now: number): number {
  return put(tx, { ...copy, metadata: { ...copy.metadata, ttr: forEver, refreshAt: now + dayMs } });
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

/** Its time to be refreshed is counted from now. */
function refreshable(copy: StoredRecord, now: number): StoredRecord {
  const { ttr = 0 } = copy.metadata;
  const { refreshAt: _, ...metadata } = copy.metadata;
  return { ...copy, metadata: { ...metadata, ...(ttr > 0 && { refreshAt: writableInstant(now + ttr * 1000) }) } };
}

function isCacheable({ metadata: { ttr = 0 } }: StoredRecord): boolean {
  return ttr !== 0;
}

function keptForADay(copy: StoredRecord, now: number): StoredRecord {
  return { ...copy, metadata: { ...copy.metadata, ttl: dayMs, expiresAt: now + dayMs } };
}

/** A copy that only became younger is the same to clients: no commit tells them of it. */
function put(tx: Transaction, record: StoredRecord): number {
  const before = tx.get(record.key);
  const same = before?.value === record.value && isDeepStrictEqual(ageless(before?.metadata), ageless(record.metadata));
  return tx.put(record, isCommitted(record.key) && !same ? "*" : null);
}

function ageless(metadata: RecordMetadata | undefined): Partial<RecordMetadata> | undefined {
  if (metadata === undefined) return undefined;
  const { refreshAt: _refreshAt, expiresAt: _expiresAt, ...rest } = metadata;
  return rest;
}
