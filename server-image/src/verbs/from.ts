import { randomUUID } from "node:crypto";
import { type AtSign, ProtocolError, readsJsonErrors, from as syntax } from "@atrium/protocol";
import type { Connection } from "../connection.ts";
import { certifies } from "../outbound/dial.ts";
import { type Parts, verb } from "./verb.ts";

/** Answers who connects with a challenge: one for the owner to sign, or one for another atServer to prove itself by. */
export const from = verb({
  syntax,
  allow: ["anonymous", "owner", "peer"],
  handle({ atSign: caller, clientConfig }, parts, connection) {
    const { atSign, blockList, access, monotonic } = parts;
    if (blockList.has(caller)) throw new ProtocolError("blocked", "Unable to connect");
    connection.json = readsJsonErrors(clientConfig);
    // The last one counts.
    connection.challenges.withdraw();
    connection.polChallenges.withdraw();
    connection.caller = undefined;
    if (caller !== atSign) return challengePeer(caller, parts, connection);
    access.login(caller);
    const challenge = `${connection.sessionId}${caller}:${randomUUID()}`;
    connection.challenges.issue(challenge, monotonic());
    return challenge;
  },
});

/** Another atServer shows a certificate for the host that the directory has for its atSign. */
async function challengePeer(caller: AtSign, parts: Parts, connection: Connection): Promise<string> {
  if (!(await isCertified(caller, parts, connection))) {
    throw new ProtocolError("unauthenticated", "Certificate Verification Failed");
  }
  const challenge = randomUUID();
  connection.polChallenges.issue(challenge, parts.monotonic());
  parts.challenges.publish(`${connection.sessionId}${caller}`, challenge);
  connection.caller = caller;
  parts.access.login(caller);
  return `proof:${connection.sessionId}${caller}:${challenge}`;
}

async function isCertified(caller: AtSign, { peers }: Parts, connection: Connection): Promise<boolean> {
  const { host } = await peers.find(caller);
  const { certificate, trusted } = connection.shownCertificate ?? {};
  if (certificate === undefined || !trusted) return false;
  // It may have moved since the directory was asked.
  return certifies(certificate, host) || certifies(certificate, (await peers.findAnew(caller)).host);
}
