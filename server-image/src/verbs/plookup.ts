import {
  type AtSign,
  ProtocolError,
  parseMetadataJson,
  type RecordMetadata,
  plookup as syntax,
} from "@atrium/protocol";
import type { Log } from "@atrium/runtime/log.ts";
import { cachedRecord, dropCopy, storeCopy } from "../cache.ts";
import { liveRecord, notFound, render, serverMetadata } from "../records.ts";
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
  const { peers, store, now, log } = parts;
  const copyKey = `cached:public:${name}${owner}`;
  const isPublicKey = name === "publickey";
  let payload: string;
  try {
    payload = await peers.ask(owner, `lookup:all:${name}${owner}`);
    if (payload === "null") throw notFound(`public:${name}${owner}`);
  } catch (error) {
    const gone = error instanceof ProtocolError && error.error === "key_not_found";
    if (gone && !isPublicKey) await kept(dropCopy(store, copyKey), log);
    throw error;
  }
  const record = parseRecord(payload, `public:${name}${owner}`, owner, now());
  await kept(storeCopy(store, { ...record, key: copyKey, isPublicKey }, now()), log);
  return record;
}

/** A copy that cannot be kept is no reason not to answer. */
async function kept(copying: Promise<void>, log: Log): Promise<void> {
  try {
    await copying;
  } catch (error) {
    log.warn({ err: error }, "copy of a public record not kept");
  }
}

/** @throws {ProtocolError} `socket` when the peer's answer is none */
function parseRecord(payload: string, key: string, owner: AtSign, now: number): StoredRecord {
  // Without a cause: what a JSON parser says quotes what it read, and that is nobody's but the reader's.
  const malformed = () => new ProtocolError("socket", `${owner} answered what is no record`);
  let json: { data?: unknown; metaData?: unknown };
  let metadata: Partial<RecordMetadata>;
  try {
    json = JSON.parse(payload);
    metadata = parseMetadataJson(json.metaData ?? {});
  } catch {
    throw malformed();
  }
  const { data } = json;
  if (data !== null && (typeof data !== "string" || /[\r\n]/.test(data))) throw malformed();
  return { key, value: data ?? undefined, metadata: { ...serverMetadata(owner, now), ...metadata } };
}
