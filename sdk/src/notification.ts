import { type AtSign, type Metadata, ProtocolError, parseAtSign, parseMetadataJson } from "@atrium/protocol";
import { ClientError } from "./errors.ts";

/** A notification as an atServer writes it to a monitor: its value may be encrypted. */
export interface Notification {
  readonly id: string;
  readonly from: AtSign;
  readonly to: AtSign;
  /** as its sender wrote it: `@bob:phone.demo@alice`; of a text the text itself stands in it */
  readonly key: string;
  /** undefined for one that only says that something changed */
  readonly value: string | undefined;
  readonly operation: "update" | "delete";
  /** when it arrived, epoch milliseconds of the receiving atServer */
  readonly time: number;
  readonly isText: boolean;
  readonly isEncrypted: boolean;
  readonly metadata: Metadata;
}

/** The id of the lines that tell of the newest commit: not notifications of anybody. */
export const statisticsId = "-1";

/**
 * Reads what stands behind `notification:`.
 *
 * @throws {ClientError} `corrupt`
 */
export function parseNotification(line: string): Notification {
  try {
    const json: unknown = JSON.parse(line);
    if (typeof json !== "object" || json === null) throw new TypeError("no object");
    const { id, from, to, key, value, operation, epochMillis, messageType, isEncrypted, metadata } = json as Record<
      string,
      unknown
    >;
    if (typeof id !== "string" || typeof from !== "string" || typeof to !== "string" || typeof key !== "string") {
      throw new TypeError("a member is missing");
    }
    if (operation !== "update" && operation !== "delete") throw new TypeError("unknown operation");
    if (typeof epochMillis !== "number" || !(typeof value === "string" || value === null || value === undefined)) {
      throw new TypeError("a member has a wrong type");
    }
    return {
      ...{ id, from: parseAtSign(from), to: parseAtSign(to), key, operation, time: epochMillis },
      value: value ?? undefined,
      isText: messageType === "MessageType.text",
      isEncrypted: isEncrypted === true,
      metadata: metadataOf(metadata),
    };
  } catch (cause) {
    if (!(cause instanceof ProtocolError || cause instanceof SyntaxError || cause instanceof TypeError)) throw cause;
    throw new ClientError("corrupt", "the atServer sent what is no notification", { cause });
  }
}

/** The members that are needed to decrypt. Here, other than in records, absent ones are null, and numbers may be text. */
function metadataOf(json: unknown): Metadata {
  if (typeof json !== "object" || json === null) return {};
  const { ivNonce, sharedKeyEnc, pubKeyCS } = json as Record<string, unknown>;
  const texts = Object.entries({ ivNonce, sharedKeyEnc, pubKeyCS }).filter(([, value]) => typeof value === "string");
  return parseMetadataJson(Object.fromEntries(texts));
}
