import { sign, verify } from "node:crypto";
import { type AtSign, from, ProtocolError, parseError, pol } from "@atrium/protocol";
import type { BriefRecords } from "./brief-records.ts";
import type { Dialogue } from "./dialogue.ts";

/** What another side may have us sign: a UUID today, something longer one day. */
const maxChallengeLength = 1_024;
/** Of RSA keys and signatures of any use, in base64. */
const maxKeyLength = 4_096;

/** Who this atServer is to others. */
export interface Prover {
  readonly atSign: AtSign;
  /** base64 of PKCS#8: the signing key of the atSign */
  readonly signingKey: () => string;
  /** Shows a signature to whom asks for it by name, for a while; and takes it back. */
  readonly proofs: Pick<BriefRecords, "publish" | "withdraw">;
}

/**
 * Shows the other side of a connection whose atServer this is.
 *
 * @throws {ProtocolError} `handshake`, with the cause in its text
 */
export async function prove(dialogue: Dialogue, peer: AtSign, prover: Prover & { stepMs: number }): Promise<void> {
  const { atSign, signingKey, proofs, stepMs } = prover;
  try {
    const { name, challenge } = parseChallenge(await dialogue.ask(from.format({ atSign }), stepMs), atSign);
    proofs.publish(name, signed(challenge, signingKey()));
    try {
      // Meanwhile the other side fetches the proof from us, over a connection of its own.
      const refusal = await dialogue.askForPrompt(pol.format({}), `${atSign}@`, stepMs);
      if (refusal !== undefined) throw refusalOf(refusal, peer);
    } finally {
      proofs.withdraw(name);
    }
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new ProtocolError("handshake", `${peer} did not accept this atServer: ${why}`, { cause });
  }
}

/** @param line `data:proof:_<id>@alice:<challenge>`, or without `data:` as the specification has it */
function parseChallenge(line: string, atSign: AtSign): { name: string; challenge: string } {
  if (line.startsWith("error:")) throw refusalOf(line, undefined);
  const [, id, named, challenge] = /^(?:data:)?proof:(_[\w-]{1,100})(@[^:\s]+):([^:\s]+)$/.exec(line) ?? [];
  if (id === undefined || named !== atSign || challenge === undefined || challenge.length > maxChallengeLength) {
    throw new ProtocolError("socket", "it gave no challenge");
  }
  return { name: `${id.toLowerCase()}${named}`, challenge };
}

function refusalOf(line: string, peer: AtSign | undefined): Error {
  return line.startsWith("error:")
    ? parseError(line)
    : new ProtocolError("socket", `${peer ?? "it"} answered no proof`);
}

/** RSASSA-PKCS1-v1_5 with SHA-256, base64. */
function signed(challenge: string, signingKey: string): string {
  const key = { key: Buffer.from(signingKey, "base64"), format: "der", type: "pkcs8" } as const;
  return sign("sha256", Buffer.from(challenge), key).toString("base64");
}

/** @param publicKey base64 of SubjectPublicKeyInfo, as its owner's atServer publishes it: it may be anything */
export function isProof(signature: string, challenge: string, publicKey: string): boolean {
  if (publicKey.length > maxKeyLength || signature.length > maxKeyLength) return false;
  try {
    const key = { key: Buffer.from(publicKey, "base64"), format: "der", type: "spki" } as const;
    return verify("sha256", Buffer.from(challenge), key, Buffer.from(signature, "base64"));
  } catch {
    // No key: nothing that was signed by it.
    return false;
  }
}
