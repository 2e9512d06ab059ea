import { ProtocolError, to as syntax } from "@atrium/protocol";
import { verb } from "./verb.ts";

/** Tells who wants to speak with this atSign by which keys it is known; one that is not served here is not known. */
export const to = verb({
  syntax,
  allow: ["anonymous", "owner", "peer"],
  handle({ atSign: wanted }, { atSign, store, now }) {
    if (wanted !== atSign) throw new ProtocolError("at_server_not_found", `${wanted} is not served here`);
    const keyOf = (name: string) => store.getLive(`public:${name}${atSign}`, now())?.value;
    return JSON.stringify({ publickey: keyOf("publickey"), signing_publickey: keyOf("signing_publickey") });
  },
});
