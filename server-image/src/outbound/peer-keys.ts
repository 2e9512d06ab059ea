import { type AtSign, isCommitted } from "@atrium/protocol";
import { putPublicKeyCopy } from "../cache.ts";
import type { Store, StoredRecord, Transaction } from "../store/store.ts";
import { parseRemoteRecord } from "./remote-record.ts";

interface Options {
  readonly atSign: AtSign;
  readonly store: Pick<Store, "get" | "write">;
  readonly now: () => number;
}

const halfADayMs = 43_200_000;
/** Of a public key of any use, in base64; what is longer is none. */
const maxKeyLength = 16_384;

/**
 * The encryption keys of other atSigns, as they were seen last. One that has changed means that its atSign was set up
 * anew: the key by which our owner shared with it opens nothing there any more, and is put aside under another name, so
 * that clients make a new one.
 */
export class PeerKeys {
  readonly #options: Options;

  constructor(options: Options) {
    this.#options = options;
  }

  /** @param payload what its atServer answered to `lookup:all:publickey` */
  async told(peer: AtSign, payload: string): Promise<number> {
    return await this.seen(peer, parseRemoteRecord(payload, `public:publickey${peer}`, peer, this.#options.now()));
  }

  /** @returns the id of the newest commit that this took; -1 when nothing changed */
  async seen(peer: AtSign, record: StoredRecord): Promise<number> {
    const { store, now } = this.#options;
    const key = `cached:public:publickey${peer}`;
    if (record.value === undefined || record.value.length > maxKeyLength) return -1;
    const copy = store.get(key);
    const usableMs = (copy?.metadata.refreshAt ?? 0) - now();
    if (copy?.value === record.value && usableMs > halfADayMs) return -1;
    return await store.write((tx) => {
      const before = tx.get(key);
      if (before !== undefined && before.value !== record.value) {
        this.#putAside(tx, peer);
        tx.delete(key, isCommitted(key) ? "-" : null);
      }
      return putPublicKeyCopy(tx, { ...record, key }, now());
    });
  }

  #putAside(tx: Transaction, peer: AtSign): void {
    const { atSign, now } = this.#options;
    const name = `shared_key.${peer.slice(1)}`;
    const shared = tx.get(`${name}${atSign}`);
    if (shared === undefined) return;
    const aside = { ...shared, key: `${name}.until.${now()}${atSign}` };
    tx.put(aside, isCommitted(aside.key) ? "*" : null);
    tx.delete(shared.key, isCommitted(shared.key) ? "-" : null);
  }
}
