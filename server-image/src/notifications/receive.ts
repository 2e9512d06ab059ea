import { randomUUID } from "node:crypto";
import { type AtSign, isCommitted, keyType, mergeMetadata, type NotifyParams, ProtocolError } from "@atrium/protocol";
import type { NewNotification } from "../store/notifications.ts";
import type { Store, StoredRecord, Transaction } from "../store/store.ts";
import { assertRoom, lifeOf } from "./bounds.ts";
import type { Notifications } from "./notifications.ts";
import { isEncrypted, keyOf } from "./subject.ts";

interface Parts {
  readonly atSign: AtSign;
  readonly store: Pick<Store, "write">;
  readonly notifications: Pick<Notifications, "committed" | "recordChanged" | "reached">;
  readonly now: () => number;
}

/** UTF-16 units of the name of a cached record. */
const maxCachedKeyLength = 255;

/**
 * Takes a notification from the atServer of another atSign. What was seen before is not taken again, and what has
 * expired on its way is not taken at all; both are as good as taken.
 *
 * @param from who the other side has proven to be
 * @throws {ProtocolError} `unauthorized` when it speaks for another, or not to us
 */
export async function receive(params: NotifyParams, from: AtSign, parts: Parts): Promise<void> {
  const { store, notifications, now } = parts;
  const notification = received(params, from, parts.atSign);
  const { expiresAt } = notification.metadata;
  if (expiresAt !== undefined && expiresAt <= now()) return;
  const cachedKey = cachedKeyOf(notification);
  const commitId = await store.write((tx) => {
    assertRoom(tx.notifications, "received", from);
    if (tx.notifications.add(notification, now()) === undefined) return undefined;
    return cachedKey === undefined ? -1 : cache(tx, cachedKey, notification, now());
  });
  notifications.reached(from);
  if (commitId === undefined) return;
  notifications.committed();
  notifications.recordChanged(commitId, notification.operation);
}

function received(params: NotifyParams, from: AtSign, atSign: AtSign): NewNotification {
  const { to = atSign, owner = from } = params;
  if (to !== atSign) throw new ProtocolError("unauthorized", `notifications to ${to} are not for ${atSign}`);
  if (owner !== from) throw new ProtocolError("unauthorized", `${from} cannot notify of keys of ${owner}`);
  return {
    kind: "received",
    id: params.id ?? randomUUID(),
    from,
    to,
    key: keyOf({ ...params, owner }),
    value: params.value,
    operation: params.operation,
    messageType: params.messageType,
    priority: params.priority ?? "low",
    strategy: params.strategy ?? "all",
    latestN: params.latestN ?? 1,
    notifier: params.notifier ?? "SYSTEM",
    lifeMs: lifeOf(params.ttln),
    isEncrypted: isEncrypted(params),
    metadata: params.metadata,
  };
}

/**
 * The name of the copy that this atSign may have of the record.
 *
 * @returns undefined when a notification of this kind does not concern it, or it cannot have one
 * @throws {ProtocolError} `invalid_key` when the name is too long
 */
function cachedKeyOf({ key, operation, messageType, metadata: { ttr } }: NewNotification): string | undefined {
  if (messageType === "text" || key.startsWith("public:")) return undefined;
  if (operation === "update" && !ttr) return undefined;
  const cachedKey = `cached:${key.toLowerCase()}`;
  if (cachedKey.length > maxCachedKeyLength) {
    const detail = `notification key length ${cachedKey.length} is greater than ${maxCachedKeyLength} chars`;
    throw new ProtocolError("invalid_key", detail);
  }
  return keyType(cachedKey) === "cachedSharedKey" ? cachedKey : undefined;
}

/** @returns the commit id; -1 when the copies stay as they are */
function cache(tx: Transaction, cachedKey: string, notification: NewNotification, now: number): number {
  const copy = tx.get(cachedKey);
  const entry = isCommitted(cachedKey);
  if (notification.operation === "delete") {
    return copy?.metadata.ccd === true ? tx.delete(cachedKey, entry ? "-" : null) : -1;
  }
  const { value } = notification;
  if (value !== undefined) return tx.put(copyOf(copy, cachedKey, value, notification, now), entry ? "*" : null);
  if (copy === undefined) return -1;
  return tx.put(copyOf(copy, cachedKey, copy.value, notification, now), entry ? "#" : null);
}

/** Only the history of an earlier copy goes on: what the notification does not say is not so. */
function copyOf(
  earlier: StoredRecord | undefined,
  key: string,
  value: string | undefined,
  { from, metadata: change, isEncrypted }: NewNotification,
  now: number,
): StoredRecord {
  const metadata = mergeMetadata(undefined, { ...change, isEncrypted }, { now, by: from });
  if (earlier === undefined) return { key, value, metadata };
  const { createdBy, createdAt, version } = earlier.metadata;
  return { key, value, metadata: { ...metadata, createdBy, createdAt, version: version + 1 } };
}
