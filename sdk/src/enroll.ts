import { setTimeout as delay } from "node:timers/promises";
import { type AtSign, enroll, keys as keysVerb } from "@atrium/protocol";
import { type AtKeys, keyFileExists, writeKeyFile } from "./atkeys.ts";
import { type ConnectOptions, connect, publishedKey } from "./connect.ts";
import type { Connection } from "./connection.ts";
import {
  DecryptionError,
  decodeBase64,
  decryptText,
  encryptForKey,
  KeyFormatError,
  type KeyPair,
  newKeyPair,
  newSymmetricKey,
  publicKeyOf,
  zeroIv,
} from "./crypto.ts";
import { ClientError } from "./errors.ts";
import { logIn } from "./login.ts";

/** Names of namespaces, to be read or also written; `*` is all, `__manage` lets other apps in. */
export type Namespaces = Readonly<Record<string, "r" | "rw">>;

export interface EnrollmentOptions extends ConnectOptions {
  /** as an app of the owner's gave it out */
  readonly passcode: string;
  readonly appName: string;
  readonly deviceName: string;
  readonly namespaces: Namespaces;
  /** where the keys are written to once the app is let in */
  readonly keyFile: string;
  /** the app is let in for so long; for ever without it */
  readonly expiryMs?: number | undefined;
  /** how long to wait for the owner's decision */
  readonly waitMs: number;
  /** is told under which id the app waits */
  readonly onPending?: ((id: string) => void) | undefined;
}

interface AppKeys {
  readonly id: string;
  readonly pkam: KeyPair;
  /** AES-256: what the approver hands over is encrypted with it */
  readonly symmetricKey: string;
}

/**
 * Asks to act for an atSign as one more app or device, waits until one of the owner's apps has approved that, and writes
 * the keys to a file.
 *
 * @throws {ClientError} `refused` when the owner denies it or the passcode is wrong, `timeout` when nobody decides in
 *   time, `local` when the key file is there already or cannot be written; and whatever a connection may fail with
 */
export async function enrollApp(options: EnrollmentOptions): Promise<AtKeys> {
  const { atSign, keyFile, onStep } = options;
  if (await keyFileExists(keyFile)) {
    throw new ClientError("local", `the key file ${keyFile} exists already`, {
      advice: "Choose another file with --keys FILE; key files are never overwritten.",
    });
  }
  const { connection } = await connect(options);
  await using open = new Reopening(connection, options);
  const publicKey = await publishedKey(connection, atSign);
  if (publicKey === undefined) {
    throw new ClientError("refused", `${atSign} is not activated yet`, { advice: "Its owner activates it first." });
  }
  const app = await request(connection, publicKey, options);
  options.onPending?.(app.id);
  const approved = await approval(open, app, options);
  onStep?.(`fetching the keys of ${atSign}`);
  const keys = await fetchKeys(approved, app, publicKey, atSign);
  await writeKeyFile(atSign, keyFile, keys);
  return keys;
}

async function request(connection: Connection, publicKey: string, options: EnrollmentOptions): Promise<AppKeys> {
  const { atSign, passcode: otp, appName, deviceName, namespaces, expiryMs, onStep } = options;
  const [pkam, symmetricKey] = [await newKeyPair(), newSymmetricKey()];
  onStep?.(`asking ${atSign} to let ${appName} in`);
  const command = enroll.format({
    ...{ operation: "request", appName, deviceName, namespaces, otp, apkamPublicKey: pkam.publicKey },
    encryptedAPKAMSymmetricKey: encryptForKey(symmetricKey, publicKey),
    ...(expiryMs !== undefined && { apkamKeysExpiryInMillis: expiryMs }),
  });
  const { enrollmentId: id } = parseMembers(await connection.send(command));
  if (id === undefined) throw new ClientError("corrupt", "the atServer answered no enrolment");
  return { id, pkam, symmetricKey };
}

const pauseMs = 1_000;

/** @returns a connection that has logged in as the app */
async function approval(open: Reopening, { id, pkam }: AppKeys, options: EnrollmentOptions): Promise<Connection> {
  const { atSign, appName, waitMs, onStep } = options;
  const deadline = performance.now() + waitMs;
  onStep?.(`waiting until ${atSign} approves ${appName}`);
  for (;;) {
    try {
      const connection = await open.connection();
      await logIn(connection, atSign, { pkam, enrollmentId: id });
      return connection;
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
      if (error.code === "AT0025") {
        throw new ClientError("refused", `the owner of ${atSign} denied it`, { code: error.code, cause: error });
      }
      if (error.code !== "AT0026" && error.reason !== "unreachable") throw error;
      if (performance.now() + pauseMs > deadline) throw undecided(options, id, error);
    }
    await delay(pauseMs);
  }
}

function undecided({ atSign }: EnrollmentOptions, id: string, cause: ClientError): ClientError {
  return new ClientError("timeout", `nobody has decided on the enrolment ${id} of ${atSign} in time`, {
    advice: "Ask again; the owner can deny this request, or it is forgotten after two days.",
    cause,
  });
}

async function fetchKeys(connection: Connection, app: AppKeys, publicKey: string, atSign: AtSign): Promise<AtKeys> {
  const fetch = async (name: string) => {
    const keyName = `${app.id}.${name}.__manage${atSign}`;
    const { value = "", iv } = parseMembers(await connection.send(keysVerb.format({ operation: "get", keyName })));
    return decryptText(value, app.symmetricKey, iv === undefined ? zeroIv : (decodeBase64(iv) ?? zeroIv));
  };
  try {
    const [privateKey, selfEncryptionKey] = [
      await fetch("default_enc_private_key"),
      await fetch("default_self_enc_key"),
    ];
    if (publicKeyOf(privateKey) !== publicKey || decodeBase64(selfEncryptionKey)?.length !== 32) {
      throw new DecryptionError();
    }
    const encryption = { publicKey, privateKey };
    return { pkam: app.pkam, encryption, selfEncryptionKey, apkamSymmetricKey: app.symmetricKey, enrollmentId: app.id };
  } catch (cause) {
    if (!(cause instanceof DecryptionError || cause instanceof KeyFormatError)) throw cause;
    throw new ClientError("corrupt", `what was handed over are not the keys of ${atSign}`, {
      cause,
      advice: "Revoke this enrolment with the owner's keys, and ask again.",
    });
  }
}

/** The texts among the members of a JSON object. @throws {ClientError} `corrupt` */
function parseMembers(reply: string): Readonly<Record<string, string | undefined>> {
  const json: unknown = parseJson(reply);
  if (typeof json !== "object" || json === null)
    throw new ClientError("corrupt", "the atServer answered no JSON object");
  return Object.fromEntries(Object.entries(json).filter(([, value]) => typeof value === "string"));
}

/** @throws {ClientError} `corrupt` */
export function parseJson(reply: string): unknown {
  try {
    return JSON.parse(reply);
  } catch {
    // Without a cause, which would quote the reply.
    throw new ClientError("corrupt", "the atServer answered no JSON");
  }
}

/** A connection that is replaced when it was lost: an owner may take a long time. */
class Reopening implements AsyncDisposable {
  readonly #options: ConnectOptions;
  #connection: Connection;

  constructor(connection: Connection, options: ConnectOptions) {
    this.#connection = connection;
    this.#options = options;
  }

  async connection(): Promise<Connection> {
    if (!this.#connection.usable) ({ connection: this.#connection } = await connect(this.#options));
    return this.#connection;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection[Symbol.asyncDispose]();
  }
}
