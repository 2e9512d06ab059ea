import type { MetadataChange } from "@atrium/protocol";
import { DecryptionError, decodeBase64, decryptText, encryptText, newIv, signText, zeroIv } from "./crypto.ts";
import { ClientError } from "./errors.ts";

/** A value as it stands in an `update`, with the metadata that says how to read it. */
export interface Encoded {
  readonly value: string;
  readonly metadata: MetadataChange;
}

/** The most that all SDKs send. */
export const maxValueBytes = 10_230_000;

/**
 * A public value: in clear and signed. What a command line cannot carry (line ends and other control characters) or would
 * trim (blanks at its ends) goes as base64.
 *
 * @param privateKey of the owner's encryption pair
 */
export function encodePublic(value: string, privateKey: string): Encoded {
  if (value === "")
    throw new ClientError("invalid", "a public value cannot be empty", { advice: "Delete the record instead." });
  // Without saying so, an update leaves the encoding of the record's previous value in place.
  const encoding = /[\p{Cc}\u2028\u2029]|^[\s\u0085]|[\s\u0085]$/u.test(value) ? "base64" : null;
  return bounded({
    value: encoding === null ? value : Buffer.from(value).toString("base64"),
    metadata: { dataSignature: signText(value, privateKey), encoding },
  });
}

/** A value that only those with the AES key can read. */
export function encodeEncrypted(value: string, key: string): Encoded {
  const iv = newIv();
  return bounded({
    value: encryptText(value, key, iv),
    metadata: { isEncrypted: true, ivNonce: iv.toString("base64"), encoding: null },
  });
}

/** @throws {ClientError} `corrupt` when the value is not what its metadata says */
export function decodePublic(value: string, metadata: { encoding?: string }): string {
  if (metadata.encoding === undefined) return value;
  const bytes = metadata.encoding === "base64" ? decodeBase64(value) : undefined;
  if (bytes === undefined)
    throw new ClientError("corrupt", `the value is not ${metadata.encoding} as its metadata says`);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new ClientError("corrupt", "the value is not UTF-8", { cause });
  }
}

/**
 * Decrypts what `isEncrypted` or an IV marks as encrypted: some SDKs set only one of them, some use no IV.
 *
 * @throws {ClientError} `corrupt` when the value was not encrypted with this key
 */
export function decodeEncrypted(
  value: string,
  metadata: { isEncrypted?: boolean; ivNonce?: string },
  key: string,
): string {
  const { isEncrypted, ivNonce } = metadata;
  if (isEncrypted !== true && ivNonce === undefined) return value;
  try {
    return decryptText(value, key, ivNonce === undefined ? zeroIv : (decodeBase64(ivNonce) ?? Buffer.alloc(0)));
  } catch (cause) {
    if (!(cause instanceof DecryptionError)) throw cause;
    throw new ClientError("corrupt", "the value cannot be decrypted with the keys of the key file", { cause });
  }
}

function bounded(encoded: Encoded): Encoded {
  if (Buffer.byteLength(encoded.value) <= maxValueBytes) return encoded;
  throw new ClientError("invalid", `the value is too long: at most ${maxValueBytes} bytes can be sent`);
}
