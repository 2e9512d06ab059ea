import { type AtSign, lookup, ProtocolError } from "@atrium/protocol";
import type { Log } from "@atrium/runtime/log.ts";
import { dropCopy, storePublicCopy, storeSharedCopy } from "../cache.ts";
import type { Notifications } from "../notifications/notifications.ts";
import { notFound } from "../records.ts";
import type { Store, StoredRecord } from "../store/store.ts";
import type { PeerKeys } from "./peer-keys.ts";
import type { Peers } from "./peers.ts";
import { parseRemoteRecord } from "./remote-record.ts";

export interface FetchParts {
  /** for whom */
  readonly atSign: AtSign;
  readonly store: Pick<Store, "get" | "write">;
  readonly peers: Pick<Peers, "ask" | "askAs">;
  readonly peerKeys: Pick<PeerKeys, "seen">;
  /** is told of copies that changed */
  readonly notifications: Pick<Notifications, "recordChanged">;
  readonly log: Log;
  readonly now: () => number;
}

/** One record of another atSign, and what becomes of the copy here. */
interface Original {
  readonly key: string;
  readonly owner: AtSign;
  /** @returns the payload of the answer */
  readonly ask: () => Promise<string>;
  /** @returns the commit id */
  readonly keep: (record: StoredRecord) => Promise<number>;
  /** as `keep`, when it is gone; without it a copy stays */
  readonly drop?: () => Promise<number>;
}

/**
 * Asks its atServer for what `owner` shares with us; a copy is kept as its owner allows, and goes with the original.
 *
 * @throws {ProtocolError} `key_not_found`, or why it could not be asked
 */
export function fetchShared(name: string, owner: AtSign, parts: FetchParts): Promise<StoredRecord> {
  const { atSign, peers, store, now } = parts;
  const key = `${atSign}:${name}${owner}`;
  const copyKey = `cached:${key}`;
  const original: Original = {
    key,
    owner,
    ask: () => peers.askAs(owner, lookup.format({ part: "all", name, owner })),
    keep: (record) => storeSharedCopy(store, { ...record, key: copyKey }, now()),
    drop: () => dropCopy(store, copyKey),
  };
  return fetch(original, parts);
}

/** As {@link fetchShared}, for what everybody may read. The copy of an encryption key outlives it. */
export function fetchPublic(name: string, owner: AtSign, parts: FetchParts): Promise<StoredRecord> {
  const { peers, peerKeys, store, now } = parts;
  const key = `public:${name}${owner}`;
  const copyKey = `cached:${key}`;
  const ask = () => peers.ask(owner, lookup.format({ part: "all", name, owner }));
  if (name === "publickey") return fetch({ key, owner, ask, keep: (record) => peerKeys.seen(owner, record) }, parts);
  const keep = (record: StoredRecord) => storePublicCopy(store, { ...record, key: copyKey }, now());
  return fetch({ key, owner, ask, keep, drop: () => dropCopy(store, copyKey) }, parts);
}

async function fetch({ key, owner, ask, keep, drop }: Original, parts: FetchParts): Promise<StoredRecord> {
  let payload: string;
  try {
    payload = await ask();
    if (payload === "null") throw notFound(key);
  } catch (error) {
    const gone = error instanceof ProtocolError && error.error === "key_not_found";
    if (gone && drop !== undefined) await change(drop, "delete", parts);
    throw error;
  }
  const record = parseRemoteRecord(payload, key, owner, parts.now());
  await change(() => keep(record), "update", parts);
  return record;
}

/** Changes a copy and tells those who monitor of it. A copy that cannot be kept is no reason not to answer. */
async function change(
  act: () => Promise<number>,
  operation: "update" | "delete",
  { notifications, log }: Pick<FetchParts, "notifications" | "log">,
): Promise<void> {
  try {
    notifications.recordChanged(await act(), operation);
  } catch (error) {
    log.warn({ err: error }, "copy of a record not kept");
  }
}
