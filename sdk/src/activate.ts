import { type AtSign, deleteRecord, update } from "@atrium/protocol";
import { type AtKeys, keyFileExists, newAtKeys, readKeyFile, writeKeyFile } from "./atkeys.ts";
import { type ConnectOptions, connect, publishedKey } from "./connect.ts";
import type { Connection } from "./connection.ts";
import { ClientError } from "./errors.ts";
import { logIn, proveSecret } from "./login.ts";

export interface ActivationOptions extends ConnectOptions {
  /** the activation secret, which the hosting operator hands to the owner */
  readonly secret: string;
  /** where the keys are written to; one that an earlier, interrupted activation left is taken up */
  readonly keyFile: string;
  /** opens that key file when it is protected */
  readonly passphrase?: string | undefined;
}

/**
 * Takes possession of an atSign: makes its keys, writes them to a file, and makes the atServer accept these keys
 * and forget the secret.
 *
 * The key file is on disk before the atServer hears of the keys, and every step may be done again: whenever this
 * is interrupted, the same call takes it up and ends it, and nobody is locked out.
 *
 * @throws {ClientError} `authentication` when the secret is not accepted, when the atSign is activated already, or the key
 *   file cannot be used; `local` when the key file cannot be written; and whatever a connection may fail with
 */
export async function activate(options: ActivationOptions): Promise<AtKeys> {
  const { atSign, keyFile, passphrase, onStep } = options;
  const written = (await keyFileExists(keyFile)) ? await readKeyFile(atSign, keyFile, passphrase) : undefined;
  if (written?.enrollmentId !== undefined) {
    throw new ClientError("authentication", `the key file ${keyFile} holds the keys of an enrolled app`, {
      advice: "Name another file for the new keys with --keys FILE.",
    });
  }
  const { connection } = await connect(options);
  await using open = connection;
  const published = await publishedKey(open, atSign);
  if (published !== undefined && published !== written?.encryption.publicKey) throw activatedElsewhere(options);
  onStep?.(`proving the activation secret of ${atSign}`);
  const proved = await accepted(proveSecret(open, atSign, options.secret));
  if (!proved && written === undefined) throw wrongSecret(atSign);
  const keys = written ?? (await newKeyFile(options));
  if (proved)
    await open.send(update.format({ key: "privatekey:at_pkam_publickey", value: keys.pkam.publicKey, metadata: {} }));
  onStep?.(`logging in as ${atSign}`);
  // Without the secret, the key file may prove that an earlier call came far enough.
  if (!(await accepted(logIn(open, atSign, keys)))) throw proved ? overtaken(atSign) : wrongSecret(atSign);
  if (!proved && published !== undefined) throw activatedAlready(options);
  await finish(open, options, keys, published !== undefined);
  return keys;
}

/** Publishes what others encrypt with, unless that is done, and makes the atServer forget the secret. */
async function finish(connection: Connection, { atSign, onStep }: ActivationOptions, keys: AtKeys, published: boolean) {
  onStep?.(`publishing the public key of ${atSign}`);
  if (!published)
    await connection.send(
      update.format({ key: `public:publickey${atSign}`, value: keys.encryption.publicKey, metadata: {} }),
    );
  onStep?.(`ending the activation of ${atSign}`);
  await connection.send(deleteRecord.format({ key: "privatekey:at_secret", force: false }));
}

async function newKeyFile({ atSign, keyFile, onStep }: ActivationOptions): Promise<AtKeys> {
  onStep?.(`making the keys of ${atSign}`);
  const keys = await newAtKeys();
  await writeKeyFile(atSign, keyFile, keys);
  return keys;
}

/** Whether a proof was accepted. An atServer that does not wait for a secret, or has no key yet, says "not found". */
async function accepted(proof: Promise<void>): Promise<boolean> {
  try {
    await proof;
    return true;
  } catch (error) {
    if (error instanceof ClientError && (error.reason === "authentication" || error.reason === "not_found"))
      return false;
    throw error;
  }
}

function wrongSecret(atSign: AtSign): ClientError {
  return new ClientError("authentication", `the atServer of ${atSign} does not accept this activation secret`, {
    advice: "Check that it is the secret of this atSign, whole and unchanged.",
  });
}

function overtaken(atSign: AtSign): ClientError {
  return new ClientError("authentication", `${atSign} was given other keys while this activation was under way`, {
    advice: "Was it activated somewhere else at the same time? Use the key file from there.",
  });
}

function activatedElsewhere({ atSign }: ActivationOptions): ClientError {
  return new ClientError("refused", `${atSign} is activated already, with other keys`, {
    advice: "Use the key file that its activation wrote: --keys FILE.",
  });
}

function activatedAlready({ atSign, keyFile }: ActivationOptions): ClientError {
  return new ClientError("refused", `${atSign} is activated already`, {
    advice: `The keys in ${keyFile} are the ones that open it: nothing is left to do.`,
  });
}
