import { type AtSign, cram, cramDigest, from, pkam, signPkam } from "@atrium/protocol";
import type { AtKeys } from "./atkeys.ts";
import type { Connection } from "./connection.ts";
import { ClientError } from "./errors.ts";

/**
 * Proves with the PKAM key that the owner is here.
 *
 * @throws {ClientError} `authentication` when the atServer does not accept the key
 */
export async function logIn(
  connection: Connection,
  atSign: AtSign,
  { pkam: { privateKey }, enrollmentId }: Pick<AtKeys, "pkam" | "enrollmentId">,
): Promise<void> {
  const signature = signPkam(privateKey, await challenge(connection, atSign));
  await prove(connection, pkam.format({ signature, ...(enrollmentId !== undefined && { enrollmentId }) }));
}

/**
 * Proves with the secret that an atSign's activation is allowed.
 *
 * @throws {ClientError} `authentication` when the atServer does not accept it, `not_found` when it does not wait for one (any more)
 */
export async function proveSecret(connection: Connection, atSign: AtSign, secret: string): Promise<void> {
  await prove(connection, cram.format({ digest: cramDigest(secret, await challenge(connection, atSign)) }));
}

async function challenge(connection: Connection, atSign: AtSign): Promise<string> {
  const text = await connection.send(from.format({ atSign }));
  // Nothing else is signed: the signature could be of use to somebody, elsewhere.
  if (/^_[^\s@:]+(@[^\s@:]+):[^\s@:]+$/.exec(text)?.[1] === atSign) return text;
  throw new ClientError("corrupt", `the atServer gave no challenge for ${atSign}`);
}

async function prove(connection: Connection, proof: string): Promise<void> {
  const reply = await connection.send(proof);
  if (reply !== "success") throw new ClientError("authentication", "the atServer did not confirm the login");
}
