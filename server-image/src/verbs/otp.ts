import { ProtocolError, otp as syntax } from "@atrium/protocol";
import { mayManage } from "../rights/rights.ts";
import { verb } from "./verb.ts";

/** Gives out the passcodes by which new apps may ask to be let in. */
export const otp = verb({
  syntax,
  // Anybody, to be told better what is missing.
  allow: ["anonymous", "owner", "peer"],
  async handle({ passcode, ttl }, { passcodes }, { state, enrollment }) {
    if (state !== "owner") throw new ProtocolError("unauthenticated", "otp: requires authenticated connection");
    if (passcode === undefined) return await passcodes.issue(ttl);
    if (enrollment !== undefined && !mayManage(enrollment.namespaces)) {
      throw new ProtocolError("internal", "Client not allowed to not store semi permanent pass code");
    }
    await passcodes.keep(passcode, ttl);
    return "ok";
  },
});
