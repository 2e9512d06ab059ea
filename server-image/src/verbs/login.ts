import { type AtSign, ProtocolError } from "@atrium/protocol";
import type { Connection } from "../connection.ts";

/**
 * The challenge that a login answers. It is used up by the attempt, whatever comes of it.
 *
 * @param refusal what the client is told when its challenge was used up, replaced or too old
 * @throws {ProtocolError} `key_not_found` when it never asked for one, else `unauthenticated`
 */
export function takeChallenge(connection: Connection, atSign: AtSign, refusal: string, nowMs: number): string {
  if (!connection.challenges.issued) {
    throw new ProtocolError("key_not_found", `private:${connection.sessionId}${atSign} does not exist in keystore`);
  }
  const challenge = connection.challenges.take(nowMs);
  if (challenge === undefined) {
    connection.becomeAnonymous();
    throw new ProtocolError("unauthenticated", refusal);
  }
  return challenge;
}
