import { type AtSign, type MetadataChange, ProtocolError, parseKey, type RecordMetadata } from "@atrium/protocol";
import type { Log } from "@atrium/runtime/log.ts";
import type { Transaction } from "../store/store.ts";
import type { Notifications, OutgoingNotification } from "./notifications.ts";

interface Parts {
  readonly atSign: AtSign;
  readonly notifications: Pick<Notifications, "add">;
  readonly log: Log;
}

/**
 * With whom a record is shared.
 *
 * @param key the stored form
 * @returns undefined for one that is its owner's alone, everybody's, or somebody else's
 */
export function recipientOf(key: string, atSign: AtSign): AtSign | undefined {
  if (!key.startsWith("@")) return undefined;
  const { sharedWith, owner } = parseKey(key);
  return owner === atSign && sharedWith !== atSign ? sharedWith : undefined;
}

type Change = Pick<OutgoingNotification, "operation" | "priority"> & {
  readonly value?: string | undefined;
  readonly metadata?: RecordMetadata;
};

/**
 * Tells whoever a record is shared with that it has changed, in the transaction that changes it. When too much waits for
 * that one already, the record changes all the same: it is read from here.
 */
export function notifyRecipient(
  tx: Transaction,
  key: string,
  { metadata, ...change }: Change,
  { atSign, notifications, log }: Parts,
): void {
  const to = recipientOf(key, atSign);
  if (to === undefined) return;
  const { isEncrypted = false } = metadata ?? {};
  const told = metadata === undefined ? {} : toldOf(metadata);
  try {
    notifications.add(tx, { to, key, ...change, notifier: "system", isEncrypted, metadata: told });
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    log.warn({ to, reason: error.message }, "recipient not notified of a change");
  }
}

/** What its recipient needs to use and keep it: spans of time, and instants only where no span led to them. */
function toldOf(metadata: RecordMetadata): MetadataChange {
  const { createdBy, updatedBy, createdAt, updatedAt, refreshAt, status, version, ...told } = metadata;
  const { availableAt, expiresAt, ...spans } = told;
  return {
    ...spans,
    ...(availableAt !== undefined && spans.ttb === undefined && { availableAt }),
    ...(expiresAt !== undefined && spans.ttl === undefined && { expiresAt }),
  };
}
