import { ProtocolError, lookup as syntax } from "@atrium/protocol";
import { cachedRecord } from "../cache.ts";
import { liveRecord, render } from "../records.ts";
import { resolveReference } from "../references.ts";
import { verb } from "./verb.ts";

/** Reads what an owner shares: with everybody when nobody has logged in, with this server's owner otherwise. */
export const lookup = verb({
  syntax,
  allow: ["anonymous", "owner"],
  handle(params, { atSign, store, access, now }, { state }) {
    const { name, owner, part } = params;
    if (state === "owner" && owner !== atSign) {
      const cached = cachedRecord(store, `cached:${atSign}:${name}${owner}`, params, now());
      if (cached !== undefined) return render(cached, part);
      throw new ProtocolError("handshake", `this atServer cannot prove to ${owner} who it is yet`);
    }
    const scope = state === "owner" ? `${atSign}:` : "public:";
    const record = liveRecord(store, `${scope}${name}${owner}`, now());
    access.lookup(`${name}${owner}`);
    return render(resolveReference(store, record, scope, now()), part);
  },
});
