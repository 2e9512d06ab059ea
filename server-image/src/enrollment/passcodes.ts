import { createHash, randomInt, timingSafeEqual } from "node:crypto";
import { type AtSign, ProtocolError } from "@atrium/protocol";
import { hasExpired, serverMetadata } from "../records.ts";
import type { Store, Transaction } from "../store/store.ts";

/** Without those that are taken for one another. */
const letters = "ABCDEFGHIJKLMNPQRSTUVWXYZ";
const alphabet = `${letters}123456789`;
const length = 6;
const lifeMs = 300_000;
/** That have not been used. */
const maxPasscodes = 100;

interface Options {
  readonly atSign: AtSign;
  readonly store: Store;
  /** epoch milliseconds */
  readonly now: () => number;
}

/**
 * The words by which a new app may ask to be let in: some for one use each, and one that stays until it is replaced. Only
 * their hashes are kept: they cannot be read back, and how long a comparison takes says nothing of them.
 */
export class Passcodes {
  readonly #atSign: AtSign;
  readonly #store: Store;
  readonly #now: () => number;

  constructor({ atSign, store, now }: Options) {
    this.#atSign = atSign;
    this.#store = store;
    this.#now = now;
  }

  /**
   * Makes one for one use.
   *
   * @param ttlMs 0: as long as usual
   * @returns once it is durable
   * @throws {ProtocolError} `internal` when too many wait for their use
   */
  async issue(ttlMs = 0): Promise<string> {
    const now = this.#now();
    const waiting = this.#store.keys({ prefix: oncePrefix, limit: 2 * maxPasscodes, liveAt: now });
    if (waiting.keys.length >= maxPasscodes) {
      throw new ProtocolError("internal", "too many passcodes have not been used yet", { closes: false });
    }
    const passcode = newPasscode();
    const metadata = serverMetadata(this.#atSign, now, { ttl: ttlMs === 0 ? lifeMs : ttlMs });
    await this.#store.write((tx) => tx.put({ key: this.#onceKey(passcode), value: "", metadata }, null));
    return passcode;
  }

  /**
   * Keeps one that may be used any number of times, in the place of the one before; returns once that is durable.
   *
   * @param ttlMs 0: until it is replaced
   */
  async keep(passcode: string, ttlMs = 0): Promise<void> {
    const metadata = serverMetadata(this.#atSign, this.#now(), ttlMs === 0 ? {} : { ttl: ttlMs });
    await this.#store.write((tx) => tx.put({ key: this.#keptKey, value: hashOf(passcode), metadata }, null));
  }

  /**
   * Uses up a passcode, in the transaction for which it was given.
   *
   * @returns whether it is one
   */
  use(tx: Transaction, passcode: string): boolean {
    const kept = tx.get(this.#keptKey);
    if (kept?.value !== undefined && this.#isLive(kept) && isEqual(kept.value, hashOf(passcode))) return true;
    const key = this.#onceKey(passcode);
    const once = tx.get(key);
    if (once === undefined || !this.#isLive(once)) return false;
    tx.delete(key, null);
    return true;
  }

  #isLive({ metadata }: NonNullable<ReturnType<Transaction["get"]>>): boolean {
    return !hasExpired(metadata, this.#now());
  }

  #onceKey(passcode: string): string {
    return `${oncePrefix}${hashOf(passcode)}.__otp${this.#atSign}`;
  }

  get #keptKey(): string {
    return `private:spp.__otp${this.#atSign}`;
  }
}

const oncePrefix = "private:otp.";

function newPasscode(): string {
  for (;;) {
    const characters = Array.from({ length }, () => alphabet.charAt(randomInt(alphabet.length)));
    if (/\d/.test(characters.join(""))) return characters.join("");
  }
}

/** In any letter case it is the same. */
function hashOf(passcode: string): string {
  return createHash("sha256").update(passcode.toLowerCase()).digest("hex");
}

function isEqual(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}
