import { ProtocolError, parseMetadataJson, type RecordMetadata } from "@atrium/protocol";
import { KeyFormatError, verifyText } from "./crypto.ts";
import { ClientError } from "./errors.ts";

/** A record as an atServer gives it: its value may be encrypted or encoded. */
export interface StoredRecord {
  readonly key: string;
  /** undefined when the record has metadata only */
  readonly value: string | undefined;
  readonly metadata: Partial<RecordMetadata>;
}

/** @throws {ClientError} `corrupt` when a reply that should be JSON is none */
export function parseReply(reply: string): unknown {
  try {
    return JSON.parse(reply);
  } catch (cause) {
    throw new ClientError("corrupt", "the atServer did not answer in JSON", { cause });
  }
}

/**
 * Reads the JSON form of a record, `{ key, data, metaData }`.
 *
 * @param key as it was asked for
 * @throws {ClientError} `corrupt`; `not_found` for the `null` that some servers answer when a record has expired
 */
export function parseRecord(reply: string, key: string): StoredRecord {
  const json = parseReply(reply);
  if (json === null) throw noRecord(key);
  if (typeof json !== "object" || !("data" in json || "metaData" in json)) throw damaged("no record");
  const { data, metaData = {} } = json as { data?: unknown; metaData?: unknown };
  if (data !== undefined && data !== null && typeof data !== "string") throw damaged("a value that is no text");
  try {
    return { key, value: data ?? undefined, metadata: parseMetadataJson(metaData) };
  } catch (cause) {
    if (!(cause instanceof ProtocolError)) throw cause;
    throw damaged(`damaged metadata: ${cause.message}`, cause);
  }
}

export function noRecord(key: string, cause?: ClientError): ClientError {
  const advice = "It may have expired or not be born yet. The command scan lists the keys of your own records.";
  return new ClientError("not_found", `there is no record ${key}`, { advice, code: cause?.code, cause });
}

/**
 * Checks the signature of a public value, if it has one.
 *
 * @param value decoded: what is signed is what people read
 * @param publicKey of the owner's encryption pair
 * @returns whether it is signed
 * @throws {ClientError} `corrupt` when the signature is not the owner's, or of another value
 */
export function checkSignature(
  { key, metadata: { dataSignature } }: StoredRecord,
  value: string,
  publicKey: string,
): boolean {
  if (dataSignature === undefined) return false;
  try {
    if (verifyText(value, dataSignature, publicKey)) return true;
  } catch (cause) {
    if (!(cause instanceof KeyFormatError)) throw cause;
    throw new ClientError("corrupt", `${key}: its owner has no valid public key`, { cause });
  }
  // Records keep their metadata when a client that does not sign replaces the value.
  throw new ClientError("corrupt", `${key}: the signature does not fit the value`, {
    advice: "Another client may have replaced the value without signing it; --unverified reads it nevertheless.",
  });
}

function damaged(what: string, cause?: unknown): ClientError {
  return new ClientError("corrupt", `the atServer answered ${what}`, { cause });
}
