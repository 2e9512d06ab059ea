import { ProtocolError, type SigningAlgo, pkam as syntax, verifyPkam } from "@atrium/protocol";
import type { Connection, Enrollment } from "../connection.ts";
import { takeChallenge } from "./login.ts";
import { type Parts, verb } from "./verb.ts";

const publicKeyName = "privatekey:at_pkam_publickey";

/** Lets the owner in with a signature: by the key that was stored at activation, or by that of an enrolled app. */
export const pkam = verb({
  syntax,
  allow: ["anonymous", "owner", "peer"],
  handle({ enrollmentId, ...proof }, parts, connection) {
    const { atSign, enrollments, monotonic } = parts;
    const key = enrollmentId === undefined ? ownersKey(parts) : appsKey(enrollmentId, parts, connection);
    const challenge = takeChallenge(connection, atSign, "pkam authentication failed", monotonic());
    if (key === undefined || !verifyPkam({ ...proof, ...key, challenge }) || isRevoked(key, parts)) {
      connection.becomeAnonymous();
      const detail = key === undefined ? "pkam publickey not found" : "pkam authentication failed";
      throw new ProtocolError("unauthenticated", detail);
    }
    connection.becomeOwner(key.enrollment);
    parts.access.pkam();
    if (key.enrollment !== undefined) enrollments.endWithExpiry(connection, key.enrollment);
    return "success";
  },
});

interface LoginKey {
  readonly publicKey: string;
  /** without it, the one that the client names */
  readonly signingAlgo?: SigningAlgo;
  /** undefined: it may do everything */
  readonly enrollment?: Enrollment;
}

function ownersKey({ store }: Parts): LoginKey | undefined {
  const publicKey = store.get(publicKeyName)?.value;
  return publicKey === undefined ? undefined : { publicKey };
}

/** @throws {ProtocolError} which leaves the challenge: who waits for an approval asks again */
function appsKey(id: string, { enrollments }: Parts, connection: Connection): LoginKey {
  try {
    const { granted: enrollment, record } = enrollments.approved(id);
    const { apkamPublicKey: publicKey, signingAlgo } = record;
    return { publicKey, enrollment, ...(signingAlgo !== undefined && { signingAlgo }) };
  } catch (error) {
    connection.becomeAnonymous();
    throw error;
  }
}

/** An app that was revoked does not come in by leaving its id out. */
function isRevoked({ publicKey, enrollment }: LoginKey, { enrollments }: Parts): boolean {
  return enrollment === undefined && enrollments.isRevokedKey(publicKey);
}
