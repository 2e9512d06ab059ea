import { randomUUID } from "node:crypto";
import { link, mkdir, open, stat, unlink } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import type { AtSign } from "@atrium/protocol";
import {
  DecryptionError,
  decodeBase64,
  decryptText,
  encryptText,
  KeyFormatError,
  type KeyPair,
  newKeyPair,
  newSymmetricKey,
  passphraseKey,
  publicKeyOf,
  zeroIv,
} from "./crypto.ts";
import { ClientError, systemCode } from "./errors.ts";

/** Everything that opens an atSign: whoever has these keys is its owner. */
export interface AtKeys {
  /** proves to the atServer who connects */
  readonly pkam: KeyPair;
  /** its public half is published; signs public records, opens keys that others share */
  readonly encryption: KeyPair;
  /** AES-256, encrypts what only the owner reads */
  readonly selfEncryptionKey: string;
  /** an enrolled app's keys have both */
  readonly apkamSymmetricKey?: string;
  readonly enrollmentId?: string;
}

// Other SDKs read at most 8 KiB.
const maxFileBytes = 64 * 1024;

const keyMembers = {
  aesPkamPublicKey: (keys: AtKeys) => keys.pkam.publicKey,
  aesPkamPrivateKey: (keys: AtKeys) => keys.pkam.privateKey,
  aesEncryptPublicKey: (keys: AtKeys) => keys.encryption.publicKey,
  aesEncryptPrivateKey: (keys: AtKeys) => keys.encryption.privateKey,
};

/** Where all SDKs look for the keys of an atSign: `$HOME/.atsign/keys/@alice_key.atKeys`. */
export function keyFileOf(atSign: AtSign, home: string = homedir()): string {
  return join(home, ".atsign", "keys", `${atSign}_key.atKeys`);
}

/** Fresh keys for an atSign that has none yet. */
export async function newAtKeys(): Promise<AtKeys> {
  const [pkam, encryption] = await Promise.all([newKeyPair(), newKeyPair()]);
  return { pkam, encryption, selfEncryptionKey: newSymmetricKey() };
}

/** The text of a key file, in the form that all SDKs read. */
export function formatAtKeys(atSign: AtSign, keys: AtKeys): string {
  const members: Record<string, string> = {};
  for (const [name, key] of Object.entries(keyMembers)) {
    // Guards against a casual look only: the key is in the same file. The form asks for it.
    members[name] = encryptText(key(keys), keys.selfEncryptionKey, zeroIv);
  }
  members.selfEncryptionKey = keys.selfEncryptionKey;
  members[atSign] = keys.selfEncryptionKey;
  if (keys.apkamSymmetricKey !== undefined) members.apkamSymmetricKey = keys.apkamSymmetricKey;
  if (keys.enrollmentId !== undefined) members.enrollmentId = keys.enrollmentId;
  return JSON.stringify(members);
}

/**
 * Reads the text of a key file, also in its passphrase-protected form.
 *
 * @throws {Error} whose message completes "the key file FILE …"
 */
export function parseAtKeys(atSign: AtSign, text: string, passphrase?: string): AtKeys {
  const members = stringMembers(text);
  if (members.iv !== undefined) return parseAtKeys(atSign, unlocked(members, passphrase));
  const others = Object.keys(members).filter((name) => name.startsWith("@"));
  if (others.length > 0 && !others.includes(atSign)) throw new Error(`holds the keys of ${others.join(", ")}`);
  if ((members.version ?? "1") !== "1") throw new Error(`has the unknown version ${members.version}`);
  const selfEncryptionKey = member(members, "selfEncryptionKey");
  if (decodeBase64(selfEncryptionKey)?.length !== 32)
    throw new Error("is damaged: selfEncryptionKey is no AES-256 key");
  const { apkamSymmetricKey, enrollmentId } = members;
  return {
    pkam: keyPair(members, "aesPkamPublicKey", "aesPkamPrivateKey", selfEncryptionKey),
    encryption: keyPair(members, "aesEncryptPublicKey", "aesEncryptPrivateKey", selfEncryptionKey),
    selfEncryptionKey,
    ...(apkamSymmetricKey !== undefined && { apkamSymmetricKey }),
    ...(enrollmentId !== undefined && { enrollmentId }),
  };
}

/**
 * @param passphrase opens a passphrase-protected file
 * @throws {ClientError} `authentication` when there is no such file or it is not the atSign's, `local` when it cannot be read
 */
export async function readKeyFile(atSign: AtSign, file: string, passphrase?: string): Promise<AtKeys> {
  const text = await readBounded(file, atSign);
  try {
    return parseAtKeys(atSign, text, passphrase);
  } catch (cause) {
    const fault = cause instanceof Error ? cause.message : String(cause);
    throw new ClientError("authentication", `the key file ${file} ${fault}`, {
      cause,
      advice: `Name the file with the keys of ${atSign} with --keys FILE.`,
    });
  }
}

/** Whether something is there under the name of a key file. */
export async function keyFileExists(file: string): Promise<boolean> {
  try {
    await stat(file);
    return true;
  } catch (error) {
    const code = systemCode(error);
    if (code === "ENOENT") return false;
    throw new ClientError("local", `the key file ${file} cannot be looked for (${code ?? error})`, { cause: error });
  }
}

/**
 * Writes a new key file, readable by its owner only. It is there completely, and on disk, or not at all; a file that
 * is there already is never touched.
 *
 * @throws {ClientError} `local`
 */
export async function writeKeyFile(atSign: AtSign, file: string, keys: AtKeys): Promise<void> {
  const temporary = `${file}.${randomUUID()}.tmp`;
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    await writeDurably(temporary, formatAtKeys(atSign, keys));
    try {
      // A link, not a rename: it fails where a rename would replace the only copy of somebody's keys.
      await link(temporary, file);
    } finally {
      await unlink(temporary);
    }
    await syncDirectory(dirname(file));
  } catch (cause) {
    const code = systemCode(cause);
    const fault = code === "EEXIST" ? "exists already" : `cannot be written (${code ?? String(cause)})`;
    throw new ClientError("local", `the key file ${file} ${fault}`, {
      cause,
      advice: "Choose another file with --keys FILE; key files are never overwritten.",
    });
  }
}

async function writeDurably(file: string, text: string): Promise<void> {
  await using handle = await open(file, "wx", 0o600);
  await handle.writeFile(text);
  await handle.sync();
}

/** Makes a name in a directory survive a loss of power. */
async function syncDirectory(directory: string): Promise<void> {
  await using handle = await open(directory, "r");
  await handle.sync();
}

async function readBounded(file: string, atSign: AtSign): Promise<string> {
  try {
    await using handle = await open(file, "r");
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(maxFileBytes), 0, maxFileBytes, 0);
    return buffer.toString("utf8", 0, bytesRead);
  } catch (cause) {
    const code = systemCode(cause);
    if (code !== "ENOENT") {
      throw new ClientError("local", `the key file ${file} cannot be read (${code ?? String(cause)})`, { cause });
    }
    throw new ClientError("authentication", `there is no key file ${file}`, {
      cause,
      advice: `Activate ${atSign} first (at activate ${atSign} --secret …), or name its key file with --keys FILE.`,
    });
  }
}

/** Decrypts a passphrase-protected file: `{ content, iv, hashingAlgoType }`. */
function unlocked(members: Record<string, string>, passphrase: string | undefined): string {
  const algorithm = members.hashingAlgoType ?? "argon2id";
  if (algorithm !== "argon2id") throw new Error(`is protected in the unknown way ${JSON.stringify(algorithm)}`);
  if (passphrase === undefined) throw new Error("is protected by a passphrase, and none was given");
  const iv = decodeBase64(member(members, "iv"));
  if (iv?.length !== 16) throw new Error("is damaged: iv is not base64 of 16 bytes");
  let text: string;
  try {
    text = decryptText(member(members, "content"), passphraseKey(passphrase), iv);
  } catch (cause) {
    if (!(cause instanceof DecryptionError || cause instanceof RangeError)) throw cause;
    throw new Error("is not opened by this passphrase", { cause });
  }
  if ("iv" in stringMembers(text)) throw new Error("is damaged: a protected file inside a protected file");
  return text;
}

function stringMembers(text: string): Record<string, string> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new Error("is damaged: not JSON", { cause });
  }
  if (typeof json !== "object" || json === null || Array.isArray(json))
    throw new Error("is damaged: not a JSON object");
  const members: Record<string, string> = {};
  // Other software may add members of its own; only texts can be keys.
  for (const [name, value] of Object.entries(json)) if (typeof value === "string") members[name] = value;
  return members;
}

function member(members: Record<string, string>, name: string): string {
  const value = members[name];
  if (value !== undefined) return value;
  if (name === "aesPkamPrivateKey") throw new Error("has no private key: that is in a secure element");
  throw new Error(`is damaged: ${name} is missing`);
}

function keyPair(members: Record<string, string>, publicName: string, privateName: string, key: string): KeyPair {
  const publicKey = decrypted(members, publicName, key);
  const privateKey = decrypted(members, privateName, key);
  try {
    if (publicKeyOf(privateKey) === publicKey) return { publicKey, privateKey };
  } catch (cause) {
    if (!(cause instanceof KeyFormatError)) throw cause;
    throw new Error(`is damaged: ${privateName} is no RSA private key`, { cause });
  }
  throw new Error(`is damaged: ${publicName} does not belong to ${privateName}`);
}

function decrypted(members: Record<string, string>, name: string, key: string): string {
  try {
    return decryptText(member(members, name), key, zeroIv);
  } catch (cause) {
    if (!(cause instanceof DecryptionError)) throw cause;
    throw new Error(`is damaged: ${name} cannot be decrypted`, { cause });
  }
}
