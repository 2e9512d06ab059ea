import { ProtocolError, pkam as syntax, verifyPkam } from "@atrium/protocol";
import type { Connection } from "../connection.ts";
import { takeChallenge } from "./login.ts";
import { type Parts, verb } from "./verb.ts";

const publicKeyName = "privatekey:at_pkam_publickey";

/** Lets the owner in with a signature: by the key that was stored at activation, or by that of an enrolled app. */
export const pkam = verb({
  syntax,
  allow: ["anonymous", "owner", "peer"],
  handle({ enrollmentId, ...proof }, parts, connection) {
    const { atSign, store, monotonic } = parts;
    const app = enrollmentId === undefined ? undefined : approvedApp(enrollmentId, parts, connection);
    const challenge = takeChallenge(connection, atSign, "pkam authentication failed", monotonic());
    const publicKey = app === undefined ? store.get(publicKeyName)?.value : app.publicKey;
    const signingAlgo = app?.signingAlgo ?? proof.signingAlgo;
    const isProven =
      publicKey !== undefined &&
      verifyPkam({ ...proof, ...(signingAlgo !== undefined && { signingAlgo }), publicKey, challenge }) &&
      (app !== undefined || !parts.enrollments.isRevokedKey(publicKey));
    if (!isProven) {
      connection.becomeAnonymous();
      const detail = publicKey === undefined ? "pkam publickey not found" : "pkam authentication failed";
      throw new ProtocolError("unauthenticated", detail);
    }
    connection.becomeOwner(app?.enrollment);
    if (app !== undefined) parts.enrollments.endWithExpiry(connection, app.enrollment);
    return "success";
  },
});

/** Its challenge stays: who waits for an approval asks again. */
function approvedApp(id: string, { enrollments }: Parts, connection: Connection) {
  try {
    const enrollment = enrollments.approved(id);
    const { apkamPublicKey: publicKey, signingAlgo } = enrollments.find(id) ?? {};
    return { enrollment, publicKey, signingAlgo };
  } catch (error) {
    connection.becomeAnonymous();
    throw error;
  }
}
