import { type AtSign, lookup, ProtocolError, plookup as syntax } from "@atrium/protocol";
import { cachedRecord, dropCopy, keepCopy, storePublicCopy } from "../cache.ts";
import { parseRemoteRecord } from "../outbound/remote-record.ts";
import { liveRecord, notFound, render } from "../records.ts";
import type { StoredRecord } from "../store/store.ts";
import { type Parts, verb } from "./verb.ts";

/** Reads a public record of any atSign, asking its atServer unless a copy may be used. */
export const plookup = verb({
  syntax,
  allow: ["owner"],
  async handle(params, parts) {
    const { name, owner, part } = params;
    const { atSign, store, now, access } = parts;
    const record =
      owner === atSign
        ? liveRecord(store, `public:${name}${owner}`, now())
        : (cachedRecord(store, `cached:public:${name}${owner}`, params, now()) ??
          (await fetchRecord(name, owner, parts)));
    access.lookup(`${name}${owner}`);
    return render(record, part);
  },
});

async function fetchRecord(name: string, owner: AtSign, parts: Parts): Promise<StoredRecord> {
  const { peers, peerKeys, store, notifications, now, log } = parts;
  const key = `public:${name}${owner}`;
  const copyKey = `cached:${key}`;
  const isPublicKey = name === "publickey";
  let payload: string;
  try {
    payload = await peers.ask(owner, lookup.format({ part: "all", name, owner }));
    if (payload === "null") throw notFound(key);
  } catch (error) {
    const gone = error instanceof ProtocolError && error.error === "key_not_found";
    if (gone && !isPublicKey) await keepCopy(() => dropCopy(store, copyKey), { notifications, log });
    throw error;
  }
  const record = parseRemoteRecord(payload, key, owner, now());
  await keepCopy(
    () => (isPublicKey ? peerKeys.seen(owner, record) : storePublicCopy(store, { ...record, key: copyKey }, now())),
    { notifications, log },
  );
  return record;
}
