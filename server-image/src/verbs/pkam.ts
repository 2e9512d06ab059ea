import { ProtocolError, pkam as syntax, verifyPkam } from "@atrium/protocol";
import { takeChallenge } from "./login.ts";
import { verb } from "./verb.ts";

const publicKeyName = "privatekey:at_pkam_publickey";

/** Lets the owner in with a signature by the key that was stored at activation. */
export const pkam = verb({
  syntax,
  allow: ["anonymous", "owner"],
  handle({ enrollmentId, ...proof }, { atSign, store, monotonic }, connection) {
    if (enrollmentId !== undefined) {
      const detail = `enrollment_id: ${enrollmentId} is expired or invalid`;
      throw new ProtocolError("too_many_requests", detail, { colonForm: true });
    }
    const challenge = takeChallenge(connection, atSign, "pkam authentication failed", monotonic());
    const publicKey = store.get(publicKeyName)?.value;
    if (publicKey === undefined || !verifyPkam({ ...proof, publicKey, challenge })) {
      connection.becomeAnonymous();
      const detail = publicKey === undefined ? "pkam publickey not found" : "pkam authentication failed";
      throw new ProtocolError("unauthenticated", detail);
    }
    connection.becomeOwner();
    return "success";
  },
});
