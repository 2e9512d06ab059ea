import { type AtSign, type LookupParams, lookup as syntax } from "@atrium/protocol";
import { cachedRecord } from "../cache.ts";
import type { Connection } from "../connection.ts";
import { fetchShared } from "../outbound/fetch.ts";
import { liveRecord, render } from "../records.ts";
import { resolveReference } from "../references.ts";
import { type Parts, type Reply, verb } from "./verb.ts";

/**
 * Reads what an owner shares: with everybody when nobody has logged in, with another atSign when its atServer asks, with
 * this server's owner otherwise; that of another atSign is asked for at its atServer.
 */
export const lookup = verb({
  syntax,
  allow: ["anonymous", "owner", "peer"],
  needs: ({ name, owner }, { atSign }) => ({ access: "r", key: `${atSign}:${name}${owner}`, doing: "lookup" }),
  handle(params, parts, connection): Reply | Promise<Reply> {
    const { name, owner, part } = params;
    const { atSign, store, access, now } = parts;
    const { state } = connection;
    if (state === "owner" && owner !== atSign) return lookupRemote(params, parts);
    const brief = state === "anonymous" ? briefRecord(params, parts) : undefined;
    if (brief !== undefined) return brief;
    const scope = scopeOf(connection, atSign);
    const record = liveRecord(store, `${scope}${name}${owner}`, now());
    access.lookup(`${name}${owner}`);
    return render(resolveReference(store, record, scope, now()), part);
  },
});

/** What stands in for a record while two atServers prove to each other whose they are. */
function briefRecord({ name, owner, part }: LookupParams, { atSign, proofs, challenges }: Parts): string | undefined {
  if (!name.startsWith("_") || part !== "value") return undefined;
  return (owner === atSign ? proofs : challenges).get(`${name}${owner}`);
}

function scopeOf({ state, peer }: Connection, atSign: AtSign): string {
  if (state === "anonymous") return "public:";
  return `${state === "peer" ? peer : atSign}:`;
}

async function lookupRemote(params: LookupParams, parts: Parts): Promise<Reply> {
  const { name, owner, part } = params;
  const { atSign, store, now } = parts;
  const cached = cachedRecord(store, `cached:${atSign}:${name}${owner}`, params, now());
  return render(cached ?? (await fetchShared(name, owner, parts)), part);
}
