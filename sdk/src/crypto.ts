import {
  argon2Sync,
  constants,
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  createPublicKey,
  generateKeyPair as generateKeyPairCallback,
  type KeyObject,
  privateDecrypt,
  publicEncrypt,
  randomBytes,
  sign as signBytes,
  verify as verifyBytes,
} from "node:crypto";
import { promisify } from "node:util";

/*
 * The primitives that all SDKs of the protocol share, in their text forms: keys, cipher texts and signatures are
 * standard base64 with padding. There is no integrity protection in these forms, so a wrong key or IV can only show
 * up as bad padding or bad UTF-8.
 */

const block = 16;
const keyBytes = 32;
const minSaltBytes = 8;

/** An RSA-2048 pair: base64 of DER, SubjectPublicKeyInfo and PKCS#8, without PEM armour. */
export interface KeyPair {
  readonly publicKey: string;
  readonly privateKey: string;
}

/** Thrown for everything that cannot be decrypted: one message, so that it tells nothing about where it went wrong. */
export class DecryptionError extends Error {
  override readonly name = "DecryptionError";

  constructor() {
    super("cannot be decrypted with this key");
  }
}

/** Thrown where a text is not base64, or not the key that it should be. */
export class KeyFormatError extends Error {
  override readonly name = "KeyFormatError";
}

/** The IV of records that carry none. Only for reading, and for the key file: the same IV twice leaks plain text. */
export const zeroIv: Uint8Array = Buffer.alloc(block);

export function newIv(): Buffer {
  return randomBytes(block);
}

/** A fresh AES-256 key, 44 characters. */
export function newSymmetricKey(): string {
  return randomBytes(keyBytes).toString("base64");
}

export async function newKeyPair(): Promise<KeyPair> {
  const { publicKey, privateKey } = await promisify(generateKeyPairCallback)("rsa", {
    modulusLength: 2048,
    publicExponent: 65_537,
    publicKeyEncoding: { type: "spki", format: "der" },
    privateKeyEncoding: { type: "pkcs8", format: "der" },
  });
  return { publicKey: publicKey.toString("base64"), privateKey: privateKey.toString("base64") };
}

/**
 * AES-256 in CTR mode over the PKCS#7-padded UTF-8 text.
 *
 * @param key base64 of 32 bytes
 * @param iv 16 bytes, never used before with this key
 * @returns base64 of a multiple of 16 bytes
 */
export function encryptText(text: string, key: string, iv: Uint8Array): string {
  const plain = Buffer.from(text, "utf8");
  const pad = block - (plain.length % block);
  // CTR is a stream mode, for which OpenSSL does not pad; the protocol wants the padding nevertheless.
  const cipher = createCipheriv("aes-256-ctr", symmetricKey(key), checkedIv(iv));
  return Buffer.concat([cipher.update(plain), cipher.update(Buffer.alloc(pad, pad)), cipher.final()]).toString(
    "base64",
  );
}

/**
 * @throws {DecryptionError} when the result cannot be what was encrypted
 * @throws {KeyFormatError} when `key` is no AES-256 key
 */
export function decryptText(ciphertext: string, key: string, iv: Uint8Array): string {
  const secret = symmetricKey(key);
  const bytes = decodeBase64(ciphertext);
  if (bytes === undefined || bytes.length === 0 || bytes.length % block !== 0 || iv.length !== block) {
    throw new DecryptionError();
  }
  const cipher = createDecipheriv("aes-256-ctr", secret, iv);
  return utf8(unpadded(Buffer.concat([cipher.update(bytes), cipher.final()])));
}

/**
 * RSA with PKCS#1 v1.5 padding. What is encrypted in the protocol is always the base64 text of an AES key.
 *
 * @throws {KeyFormatError} when `key` is no public key
 */
export function encryptForKey(text: string, key: string): string {
  return publicEncrypt({ key: publicKeyObject(key), padding: constants.RSA_PKCS1_PADDING }, Buffer.from(text)).toString(
    "base64",
  );
}

/**
 * @throws {DecryptionError} whatever is wrong with the cipher text
 * @throws {KeyFormatError} when `key` is no private key
 */
export function decryptWithKey(ciphertext: string, key: string): string {
  const privateKey = privateKeyObject(key);
  const bytes = decodeBase64(ciphertext);
  if (bytes === undefined) throw new DecryptionError();
  let encoded: Buffer;
  try {
    // Unpadded here, not by OpenSSL: depending on its version it refuses this padding, or answers a forged cipher
    // text with random bytes where we want an error.
    encoded = privateDecrypt({ key: privateKey, padding: constants.RSA_NO_PADDING }, bytes);
  } catch {
    throw new DecryptionError();
  }
  return utf8(withoutPkcs1(encoded));
}

/** RSASSA-PKCS1-v1_5 with SHA-256 over the UTF-8 text, base64. */
export function signText(text: string, privateKey: string): string {
  return signBytes("sha256", Buffer.from(text), privateKeyObject(privateKey)).toString("base64");
}

export function verifyText(text: string, signature: string, publicKey: string): boolean {
  const bytes = decodeBase64(signature);
  return bytes !== undefined && verifyBytes("sha256", Buffer.from(text), publicKeyObject(publicKey), bytes);
}

/** The public half that belongs to a private key, in its text form. */
export function publicKeyOf(privateKey: string): string {
  return createPublicKey(privateKeyObject(privateKey)).export({ type: "spki", format: "der" }).toString("base64");
}

/**
 * The AES key of a passphrase-protected key file. The parameters and the salt, which is the passphrase itself, are
 * what the other SDKs have; the form is read for their sake and not written.
 *
 * @throws {RangeError} when the passphrase has fewer characters than Argon2 asks of a salt
 * @see RFC 9106, section 3.1
 */
export function passphraseKey(passphrase: string): string {
  if (passphrase.length < minSaltBytes) throw new RangeError(`a passphrase has at least ${minSaltBytes} characters`);
  return argon2Sync("argon2id", {
    message: passphrase,
    nonce: utf16Bytes(passphrase),
    parallelism: 2,
    memory: 10_000,
    passes: 2,
    tagLength: keyBytes,
  }).toString("base64");
}

/** @returns the bytes, or undefined when `text` is not standard base64 with padding */
export function decodeBase64(text: string): Buffer | undefined {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return undefined;
  return Buffer.from(text, "base64");
}

/** The text that UTF-8 bytes stand for. @throws {DecryptionError} when they stand for none */
function utf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new DecryptionError();
  }
}

/** Takes PKCS#7 padding off; looks at all of the last block whatever it finds. */
function unpadded(bytes: Buffer): Buffer {
  const pad = bytes[bytes.length - 1] ?? 0;
  let wrong = Number(pad < 1) | Number(pad > block);
  for (let i = 1; i <= block; i++) {
    const byte = bytes[bytes.length - i] ?? 0;
    wrong |= Number(i <= pad) & Number(byte !== pad);
  }
  if (wrong !== 0) throw new DecryptionError();
  return bytes.subarray(0, bytes.length - pad);
}

/** Takes `00 02 <8 or more bytes that are not zero> 00` off; looks at every byte whatever it finds. */
function withoutPkcs1(encoded: Buffer): Buffer {
  let separator = 0;
  for (let i = encoded.length - 1; i >= 2; i--) separator = encoded[i] === 0 ? i : separator;
  const wrong = Number(encoded[0] !== 0) | Number(encoded[1] !== 2) | Number(separator < 10);
  if (wrong !== 0) throw new DecryptionError();
  return encoded.subarray(separator + 1);
}

function symmetricKey(key: string): Buffer {
  const bytes = decodeBase64(key);
  if (bytes?.length !== keyBytes) throw new KeyFormatError("not base64 of an AES-256 key");
  return bytes;
}

function checkedIv(iv: Uint8Array): Uint8Array {
  if (iv.length !== block) throw new RangeError(`an IV has ${block} bytes`);
  return iv;
}

function publicKeyObject(key: string): KeyObject {
  return rsaKey(key, "public", (der) => createPublicKey({ key: der, format: "der", type: "spki" }));
}

function privateKeyObject(key: string): KeyObject {
  return rsaKey(key, "private", (der) => createPrivateKey({ key: der, format: "der", type: "pkcs8" }));
}

function rsaKey(key: string, half: "public" | "private", create: (der: Buffer) => KeyObject): KeyObject {
  const der = decodeBase64(key);
  if (der === undefined) throw new KeyFormatError(`not base64 of an RSA ${half} key`);
  let object: KeyObject;
  try {
    object = create(der);
  } catch (cause) {
    throw new KeyFormatError(`not base64 of an RSA ${half} key`, { cause });
  }
  if (object.asymmetricKeyType !== "rsa") throw new KeyFormatError(`not an RSA ${half} key`);
  return object;
}

/** The passphrase's UTF-16 code units, each cut to a byte, as the other SDKs take them. */
function utf16Bytes(text: string): Buffer {
  return Buffer.from(Array.from({ length: text.length }, (_, i) => text.charCodeAt(i)));
}
