import { ProtocolError, cram as syntax, verifyCram } from "@atrium/protocol";
import { activationSecret } from "../activation.ts";
import { takeChallenge } from "./login.ts";
import { verb } from "./verb.ts";

/** Lets the owner in with the activation secret, until the atSign is activated. */
export const cram = verb({
  syntax,
  allow: ["anonymous", "owner", "peer"],
  handle({ digest }, { atSign, store, identity, monotonic }, connection) {
    const challenge = takeChallenge(connection, atSign, "Authentication Failed", monotonic());
    const secret = activationSecret(store, identity);
    if (!verifyCram({ secret, challenge, digest })) {
      connection.becomeAnonymous();
      throw new ProtocolError("unauthenticated", "Authentication Failed");
    }
    connection.becomeActivatingOwner();
    return "success";
  },
});
