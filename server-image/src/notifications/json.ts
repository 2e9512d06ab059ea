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

/** Characters of a text that are escaped at a time. */
const pieceLength = 65_536;

/** The same line as {@link notificationLine} makes of it, newline included, piece by piece: key and value may be long. */
export function* notificationPieces(notification: StoredNotification): Generator<string> {
  const { key, value } = notification;
  const json = JSON.stringify(notificationJson({ ...notification, key: "", value: undefined }));
  // No quotation mark within a text is without a backslash.
  const [beforeKey = "", afterValue = ""] = json.split('"key":"","value":null');
  yield `${prefix}${beforeKey}"key":"`;
  yield* escaped(key);
  yield value === undefined ? '","value":null' : '","value":"';
  if (value !== undefined) yield* escaped(value);
  yield `${value === undefined ? "" : '"'}${afterValue}\n`;
}

function* escaped(text: string): Generator<string> {
  for (let start = 0; start < text.length; ) {
    const end = start + pieceLength;
    // Half a pair would be written as a number.
    const last = text.charCodeAt(end - 1);
    const piece = text.slice(start, last >= 0xd800 && last <= 0xdbff ? end - 1 : end);
    yield JSON.stringify(piece).slice(1, -1);
    start += piece.length;
  }
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

const prefix = "notification: ";

/** One line of a monitor's, without newline. */
export function notificationLine(json: object): string {
  return `${prefix}${JSON.stringify(json)}`;
}
