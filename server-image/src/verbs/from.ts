import { randomUUID } from "node:crypto";
import { ProtocolError, readsJsonErrors, from as syntax } from "@atrium/protocol";
import { verb } from "./verb.ts";

/** Answers who connects with a challenge: one for the owner to sign, or one for another atServer to prove itself by. */
export const from = verb({
  syntax,
  allow: ["anonymous", "owner"],
  handle({ atSign: caller, clientConfig }, { atSign, blockList, access, monotonic }, connection) {
    if (blockList.has(caller)) throw new ProtocolError("blocked", "Unable to connect");
    connection.json = readsJsonErrors(clientConfig);
    access.login(caller);
    const challenge = `${connection.sessionId}${caller}:${randomUUID()}`;
    if (caller !== atSign) {
      connection.challenges.withdraw();
      return `proof:${challenge}`;
    }
    connection.challenges.issue(challenge, monotonic());
    return challenge;
  },
});
