import { type AtSign, lookup, ProtocolError, pol as syntax } from "@atrium/protocol";
import { isProof } from "../outbound/prove.ts";
import { type Parts, verb } from "./verb.ts";

/** Believes a caller to be the atServer of the atSign that it named, when that atSign's own atServer shows the proof. */
export const pol = verb({
  syntax,
  allow: ["anonymous", "peer"],
  async handle(_params, parts, connection) {
    const { caller, sessionId, polChallenges } = connection;
    if (caller === undefined) {
      const detail = "You must execute a 'from:' command before you may run the pol command";
      throw new ProtocolError("internal", detail, { closes: true });
    }
    const challenge = polChallenges.take(parts.monotonic());
    parts.challenges.withdraw(`${sessionId}${caller}`);
    if (challenge === undefined || !(await hasProof(caller, sessionId, challenge, parts))) {
      connection.becomeAnonymous();
      throw new ProtocolError("unauthenticated", "Pol Authentication Failed");
    }
    connection.becomePeer(caller);
    parts.access.proven(caller);
    parts.notifications.reached(caller);
    return { kind: "prompt" };
  },
});

/** Asks where the directory says that the caller's atServer is, over another connection than the caller's. */
async function hasProof(caller: AtSign, sessionId: string, challenge: string, { peers, log }: Parts): Promise<boolean> {
  const read = (name: string) => peers.ask(caller, lookup.format({ part: "value", name, owner: caller }));
  try {
    const signature = await read(sessionId);
    return isProof(signature, challenge, await read("signing_publickey"));
  } catch (error) {
    log.info({ err: error, caller }, "a caller could not be verified");
    return false;
  }
}
