import { type AtSign, formatTimestamp, writableInstant } from "@atrium/protocol";
import type { StoredNotification } from "../store/notifications.ts";

/** Every member of a notification is there, also without a value: some clients fail without it. */
export function notificationJson(notification: StoredNotification): object {
  const { id, from, to, key, value, operation, time, messageType, isEncrypted } = notification;
  return {
    id,
    from,
    to,
    key,
    value: value ?? null,
    operation,
    epochMillis: time,
    messageType: `MessageType.${messageType}`,
    isEncrypted,
    metadata: metadataJson(notification),
  };
}

/** What live and stored notifications of the reference have, together. */
function metadataJson({ metadata, time }: StoredNotification): object {
  const { ttl, ttb, ttr, ccd, isBinary, encoding, pubKeyHash } = metadata;
  const availableAt = metadata.availableAt ?? (ttb ? time + ttb : undefined);
  const expiresAt = metadata.expiresAt ?? (ttl ? Math.max(time, availableAt ?? time) + ttl : undefined);
  return {
    sharedKeyEnc: metadata.sharedKeyEnc ?? null,
    pubKeyCS: metadata.pubKeyCS ?? null,
    dataSignature: metadata.dataSignature ?? null,
    encKeyName: metadata.encKeyName ?? null,
    encAlgo: metadata.encAlgo ?? null,
    ivNonce: metadata.ivNonce ?? null,
    skeEncKeyName: metadata.skeEncKeyName ?? null,
    skeEncAlgo: metadata.skeEncAlgo ?? null,
    availableAt: instant(availableAt),
    expiresAt: instant(expiresAt),
    // As text: that is how clients read it here.
    pubKeyHash: pubKeyHash ? JSON.stringify({ ...pubKeyHash, hashingAlgo: pubKeyHash.algo }) : null,
    appMetadata: metadata.appMetadata ?? null,
    ttl: ttl ?? null,
    ttb: ttb ?? null,
    ttr: ttr ?? null,
    ccd: ccd ?? null,
    isBinary: isBinary ?? null,
    encoding: encoding ?? null,
  };
}

function instant(epochMs: number | undefined): string | null {
  return epochMs === undefined ? null : formatTimestamp(writableInstant(epochMs));
}

/** Tells a client that it may have something to sync; clients know it by its id. */
export function statisticsJson(
  atSign: AtSign,
  { commitId, operation, now }: { commitId: number; operation: "update" | "delete"; now: number },
): object {
  return {
    id: "-1",
    from: atSign,
    to: atSign,
    key: `statsNotification.${atSign}`,
    value: String(commitId),
    operation,
    epochMillis: now,
    messageType: "MessageType.key",
    isEncrypted: false,
    metadata: null,
  };
}

/** One line of a monitor's. */
export function notificationLine(json: object): string {
  return `notification: ${JSON.stringify(json)}`;
}
