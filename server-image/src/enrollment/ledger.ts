import type { AtSign } from "@atrium/protocol";
import { hasExpired, serverMetadata } from "../records.ts";
import type { Store, Transaction } from "../store/store.ts";
import { EnrollmentKeys, type EnrollmentRecord } from "./record.ts";

interface Options {
  readonly atSign: AtSign;
  readonly store: Pick<Store, "getLive">;
  /** epoch milliseconds */
  readonly now: () => number;
}

type Reader = (key: string) => string | undefined;

/** The records of all enrolments, in the store that clients see. None is ever committed, so none is synced. */
export class Ledger {
  readonly keys: EnrollmentKeys;
  readonly #options: Options;

  constructor(options: Options) {
    this.keys = new EnrollmentKeys(options.atSign);
    this.#options = options;
  }

  /** @returns the text that is stored; undefined when there is none, or it has expired */
  text(id: string): string | undefined {
    return this.#read(this.keys.enrollment(id));
  }

  /** Epoch milliseconds; undefined for one that is not there or does not expire. */
  expiresAt(id: string): number | undefined {
    const { store, now } = this.#options;
    return store.getLive(this.keys.enrollment(id), now())?.metadata.expiresAt;
  }

  /** All that have not expired, with their ids. */
  all(): [id: string, record: EnrollmentRecord][] {
    return this.#list((key) => this.#read(key));
  }

  /** As {@link all}, seen from a transaction. */
  allIn(tx: Transaction): [id: string, record: EnrollmentRecord][] {
    return this.#list((key) => this.#readIn(tx, key));
  }

  getIn(tx: Transaction, id: string): EnrollmentRecord | undefined {
    const text = this.#readIn(tx, this.keys.enrollment(id));
    return text === undefined ? undefined : parseEnrollment(text);
  }

  /** @param ttlMs 0: for ever */
  add(tx: Transaction, id: string, record: EnrollmentRecord, ttlMs: number): void {
    const known = this.allIn(tx).map(([each]) => each);
    this.write(tx, this.keys.index, JSON.stringify([...known, id]), 0);
    this.write(tx, this.keys.enrollment(id), JSON.stringify(record), ttlMs);
  }

  /** Keeps its age; and its end, unless it is given a new one. */
  change(tx: Transaction, id: string, record: EnrollmentRecord, ttlMs?: number): void {
    const key = this.keys.enrollment(id);
    const before = tx.get(key)?.metadata;
    const { atSign, now } = this.#options;
    const metadata = serverMetadata(atSign, now(), ttlMs ? { ttl: ttlMs } : {});
    const end = ttlMs === undefined && before !== undefined ? endOf(before) : {};
    const age = before === undefined ? {} : { createdAt: before.createdAt, version: before.version + 1 };
    tx.put({ key, value: JSON.stringify(record), metadata: { ...metadata, ...age, ...end } }, null);
  }

  /** Forgets it and all that it brought with it. */
  remove(tx: Transaction, id: string, record: EnrollmentRecord): void {
    const rest = this.allIn(tx).map(([each]) => each);
    this.write(tx, this.keys.index, JSON.stringify(rest.filter((each) => each !== id)), 0);
    const { encryption, self } = this.keys.defaultKeys(id);
    for (const key of [this.keys.enrollment(id), encryption, self]) tx.delete(key, null);
    // Another one of the same app and device may have taken its place.
    const published = this.keys.publicKey(record);
    if (tx.get(published)?.value === publishedValue(record)) tx.delete(published, null);
  }

  publish(tx: Transaction, record: EnrollmentRecord, ttlMs: number): void {
    this.write(tx, this.keys.publicKey(record), publishedValue(record), ttlMs);
  }

  /** @param ttlMs 0: for ever */
  write(tx: Transaction, key: string, value: string, ttlMs: number): void {
    const { atSign, now } = this.#options;
    tx.put({ key, value, metadata: serverMetadata(atSign, now(), ttlMs === 0 ? {} : { ttl: ttlMs }) }, null);
  }

  #list(read: Reader): [id: string, record: EnrollmentRecord][] {
    const ids: string[] = JSON.parse(read(this.keys.index) ?? "[]");
    return ids.flatMap((id) => {
      const text = read(this.keys.enrollment(id));
      return text === undefined ? [] : [[id, parseEnrollment(text)]];
    });
  }

  #read(key: string): string | undefined {
    const { store, now } = this.#options;
    return store.getLive(key, now())?.value;
  }

  #readIn(tx: Transaction, key: string): string | undefined {
    const record = tx.get(key);
    return record === undefined || hasExpired(record.metadata, this.#options.now()) ? undefined : record.value;
  }
}

export function parseEnrollment(text: string): EnrollmentRecord {
  return JSON.parse(text);
}

function publishedValue({ apkamPublicKey }: EnrollmentRecord): string {
  return JSON.stringify({ apkamPublicKey });
}

function endOf({ ttl, expiresAt }: { ttl?: number; expiresAt?: number }): { ttl?: number; expiresAt?: number } {
  return { ...(ttl !== undefined && { ttl }), ...(expiresAt !== undefined && { expiresAt }) };
}
