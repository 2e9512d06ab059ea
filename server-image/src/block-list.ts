import type { AtSign } from "@atrium/protocol";
import { serverMetadata } from "./records.ts";
import type { Store, Transaction } from "./store/store.ts";

/** The atSigns that `from` refuses, as the owner keeps them. */
export class BlockList {
  readonly #store: Store;
  readonly #atSign: AtSign;
  readonly #now: () => number;
  readonly #key: string;

  constructor({ store, atSign, now }: { store: Store; atSign: AtSign; now: () => number }) {
    this.#store = store;
    this.#atSign = atSign;
    this.#now = now;
    this.#key = `private:blocklist${atSign}`;
  }

  has(atSign: AtSign): boolean {
    return atSign !== this.#atSign && this.list().includes(atSign);
  }

  list(): AtSign[] {
    return parse(this.#store.get(this.#key)?.value);
  }

  /** Resolves once it is durable. The owner's own atSign cannot be blocked, and is passed over. */
  add(atSigns: readonly AtSign[]): Promise<void> {
    const others = atSigns.filter((each) => each !== this.#atSign);
    return this.#change((blocked) => [...new Set([...blocked, ...others])]);
  }

  remove(atSigns: readonly AtSign[]): Promise<void> {
    return this.#change((blocked) => blocked.filter((each) => !atSigns.includes(each)));
  }

  #change(change: (blocked: AtSign[]) => AtSign[]): Promise<void> {
    return this.#store.write((tx: Transaction) => {
      const value = JSON.stringify({ blockList: change(parse(tx.get(this.#key)?.value)) });
      tx.put({ key: this.#key, value, metadata: serverMetadata(this.#atSign, this.#now()) }, null);
    });
  }
}

function parse(value: string | undefined): AtSign[] {
  if (value === undefined) return [];
  const { blockList }: { blockList: AtSign[] } = JSON.parse(value);
  return blockList;
}
