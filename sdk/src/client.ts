import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import {
  type AtSign,
  deleteRecord,
  formatKey,
  llookup,
  lookup,
  type MetadataChange,
  notify,
  notifyStatus,
  plookup,
  scan,
  update,
} from "@atrium/protocol";
import type { AtKeys } from "./atkeys.ts";
import { type ConnectOptions, connect } from "./connect.ts";
import type { Connection } from "./connection.ts";
import { Enrollments } from "./enrollments.ts";
import { ClientError } from "./errors.ts";
import { logIn } from "./login.ts";
import { type MonitorOptions, monitor } from "./monitor.ts";
import { isReserved, keyOf, type OwnedKey } from "./names.ts";
import type { Notification } from "./notification.ts";
import { checkSignature, noRecord, parseRecord, parseReply, type StoredRecord } from "./record.ts";
import { SharedKeys } from "./shared-keys.ts";
import { decodeEncrypted, decodePublic, type Encoded, encodeEncrypted, encodePublic } from "./value.ts";

export interface ClientOptions extends ConnectOptions {
  readonly keys: AtKeys;
}

export interface PutOptions {
  /** the record is forgotten after this time; 0: never; without it, the record's previous one begins anew */
  readonly ttlMs?: number | undefined;
  /** the record is not there before this time */
  readonly ttbMs?: number | undefined;
}

export interface Written {
  /** the whole key, `phone.demo@alice` */
  readonly key: string;
  /** the place of the write in the atServer's commit log */
  readonly commitId: number;
}

export interface ScanOptions {
  /** those keys only in which this finds something; without white space */
  readonly regex?: string | undefined;
  /** also those whose names begin with `_` */
  readonly showHidden?: boolean | undefined;
}

export interface GetOptions {
  /** a public value also when its signature does not fit, as after a write by a client that does not sign */
  readonly unverified?: boolean | undefined;
}

export interface NotifyOptions {
  /** for how long it is worth delivering; 15 minutes without it */
  readonly ttlMs?: number | undefined;
}

/** How far a notification has come. `errored` is tried again until it has `expired`. */
export type DeliveryStatus = "queued" | "errored" | "delivered" | "expired";

/** A record whose value is decrypted and decoded. */
export interface Entry extends StoredRecord {
  /** of a public value: whether its owner signed it */
  readonly signed?: boolean;
}

/**
 * The owner of an atSign at work: logged in to the atServer, with the keys that encrypt and decrypt.
 *
 * ```ts
 * await using alice = await Client.open({ atSign: "@alice", platform, keys });
 * await alice.put("phone.demo", "+1 555 0100");
 * ```
 *
 * Methods may be called at the same time; they take their turns. A connection that was lost is replaced with the next
 * call; a call that was under way fails, because whether it had its effect is unknown.
 */
export class Client implements AsyncDisposable {
  readonly atSign: AtSign;
  readonly #options: ClientOptions;
  /** Which further apps and devices act for the owner. */
  readonly enrollments: Enrollments;
  readonly #sharedKeys: SharedKeys;
  #connection: Promise<Connection>;
  #closed = false;

  private constructor(options: ClientOptions, connection: Connection) {
    this.atSign = options.atSign;
    this.#options = options;
    this.#sharedKeys = new SharedKeys({
      atSign: options.atSign,
      encryption: options.keys.encryption,
      send: (step, command) => this.#send(step, command),
    });
    this.enrollments = new Enrollments({
      atSign: options.atSign,
      keys: options.keys,
      send: (step, command) => this.#send(step, command),
    });
    this.#connection = Promise.resolve(connection);
  }

  /** @throws {ClientError} `not_found`, `unreachable`, `timeout`, `untrusted`, `authentication` */
  static async open(options: ClientOptions): Promise<Client> {
    return new Client(options, await connectAsOwner(options));
  }

  /**
   * Stores a value: encrypted for the owner, under `@bob:` for `@bob`, or under `public:` in clear and signed.
   *
   * @throws {ClientError} `invalid` for keys that are not ours to write and values that cannot be stored
   */
  async put(keyText: string, value: string, { ttlMs, ttbMs }: PutOptions = {}): Promise<Written> {
    const key = this.#ownKey(keyText);
    if (!value.isWellFormed()) throw new ClientError("invalid", "the value is not Unicode text");
    if (isReserved(key)) {
      throw new ClientError("invalid", `${formatKey(key)} has a meaning of its own in the protocol`, {
        advice: "Choose another name, usually NAME.NAMESPACE.",
      });
    }
    const encoded = await this.#encoded(key, value);
    const metadata: MetadataChange = { ...encoded.metadata, ...defined({ ttl: ttlMs, ttb: ttbMs }) };
    return await this.#write(
      key,
      `storing ${formatKey(key)}`,
      update.format({ key: formatKey(key), value: encoded.value, metadata }),
    );
  }

  /**
   * Reads a record of our own, or one that another atSign shares with us or with everybody, which our atServer fetches
   * from theirs.
   *
   * @throws {ClientError} `not_found`, also for what is expired or not yet there; `corrupt` when decryption or signature fail
   */
  async get(keyText: string, options: GetOptions = {}): Promise<Entry> {
    const key = keyOf(keyText, this.atSign);
    const text = formatKey(key);
    const ours = key.owner === this.atSign;
    if (!ours && key.sharedWith !== undefined && key.sharedWith !== this.atSign) {
      throw new ClientError("invalid", `${text} is shared with ${key.sharedWith}, not with ${this.atSign}`);
    }
    const record = await this.#read(text, ours ? llookup.format({ part: "all", key: text }) : remoteLookup(key));
    const { value } = record;
    if (value === undefined || isReserved(key)) return record;
    if (key.scope === "public") return await this.#readable(record, value, key.owner, options);
    return {
      ...record,
      value: ours ? await this.#decoded(record, value, key) : await this.#received(record, value, key),
    };
  }

  /** Deletes a record of our own; one that is not there is deleted, too. */
  async delete(keyText: string): Promise<Written> {
    const key = this.#ownKey(keyText);
    return await this.#write(
      key,
      `deleting ${formatKey(key)}`,
      deleteRecord.format({ key: formatKey(key), force: false }),
    );
  }

  /**
   * The keys of all records, in no order.
   *
   * @throws {ClientError} `invalid` when the regular expression is none
   */
  async scan({ regex, showHidden = false }: ScanOptions = {}): Promise<string[]> {
    if (regex !== undefined) checkRegex(regex);
    const command = scan.format({ showHidden, ...(regex !== undefined && { regex: regex.replace(/^:/, "[:]") }) });
    const keys = parseReply(await this.#send("listing the records", command));
    if (Array.isArray(keys) && keys.every((key) => typeof key === "string")) return keys;
    throw new ClientError("corrupt", "the atServer answered no list of keys");
  }

  /**
   * Tells another atSign something, encrypted; nothing is stored but on the way. It is accepted once this returns: the
   * atServer delivers it as soon as the other one can be reached.
   *
   * @param keyText with the recipient: `@bob:phone.demo`
   * @returns its id
   */
  async notify(keyText: string, value: string, { ttlMs }: NotifyOptions = {}): Promise<{ id: string; key: string }> {
    const key = this.#ownKey(keyText);
    const { sharedWith: to, name, owner } = key;
    if (to === undefined) {
      throw new ClientError("invalid", `${formatKey(key)} names nobody to notify`, {
        advice: `Put the recipient in front: @NAME:${name}.`,
      });
    }
    const { value: encrypted, metadata } = await this.#encoded(key, value);
    const { isEncrypted, ivNonce } = metadata;
    const command = notify.format({
      ...{ id: randomUUID(), operation: "update", messageType: "key", to, name, owner, value: encrypted },
      ...(ttlMs !== undefined && { ttln: ttlMs }),
      metadata: defined({ isEncrypted, ivNonce }),
    });
    return { id: await this.#send(`notifying ${to}`, command), key: formatKey(key) };
  }

  /**
   * How far a notification has come.
   *
   * @param waitMs waits so long for its delivery
   * @throws {ClientError} `not_found` when there is none of that id
   */
  async delivery(id: string, { waitMs = 0 }: { waitMs?: number } = {}): Promise<DeliveryStatus> {
    const deadline = performance.now() + waitMs;
    for (let pause = 50; ; pause = Math.min(2 * pause, 2_000)) {
      const status = await this.#send("asking for the delivery", notifyStatus.format({ id }));
      if (status === "null") throw new ClientError("not_found", `there is no notification ${id}`);
      if (!["queued", "errored", "delivered", "expired"].includes(status)) {
        throw new ClientError("corrupt", "the atServer answered no state of a delivery");
      }
      const leftMs = deadline - performance.now();
      // The protocol tells of a delivery only who asks.
      if (status === "delivered" || status === "expired" || leftMs <= 0) return status as DeliveryStatus;
      await delay(Math.min(pause, leftMs));
    }
  }

  /**
   * What others notify, and what the owner's other apps do, decrypted, until the signal ends it; over a connection of its
   * own, which is opened again when it is lost.
   *
   * @throws {ClientError} as `open`; `corrupt` when one cannot be decrypted
   */
  async *monitor({
    onLost,
    ...options
  }: MonitorOptions & { onLost?: (error: ClientError) => void }): AsyncGenerator<Notification> {
    const all = monitor({ ...options, onLost, open: () => connectAsOwner(this.#options) });
    for await (const notification of all) {
      // Keys are shared this way, too; they are looked up when they are needed.
      if (/^@[^:]+:shared_key@/.test(notification.key)) continue;
      yield await this.#opened(notification);
    }
  }

  /** Closes the connection, and for good: every call fails from now on. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    const connection = await this.#connection.catch(() => undefined);
    await connection?.[Symbol.asyncDispose]();
  }

  #ownKey(text: string): OwnedKey {
    const key = keyOf(text, this.atSign);
    if (key.owner === this.atSign) return key;
    throw new ClientError("invalid", `${formatKey(key)} belongs to ${key.owner}: ${this.atSign} cannot write it`);
  }

  async #encoded(key: OwnedKey, value: string): Promise<Encoded> {
    const { encryption, selfEncryptionKey } = this.#options.keys;
    if (key.scope === "public") return encodePublic(value, encryption.privateKey);
    const recipient = this.#recipient(key);
    return encodeEncrypted(
      value,
      recipient === undefined ? selfEncryptionKey : await this.#sharedKeys.toShareWith(recipient),
    );
  }

  /** A record of our own. */
  async #decoded({ metadata }: StoredRecord, value: string, key: OwnedKey): Promise<string> {
    const recipient = this.#recipient(key);
    const { selfEncryptionKey } = this.#options.keys;
    return decodeEncrypted(
      value,
      metadata,
      recipient === undefined ? selfEncryptionKey : await this.#sharedKeys.sharedWith(recipient),
    );
  }

  /** A record that its owner shares with us. */
  async #received({ metadata }: StoredRecord, value: string, { owner }: Pick<OwnedKey, "owner">): Promise<string> {
    try {
      return decodeEncrypted(value, metadata, await this.#sharedKeys.sharedBy(owner, metadata));
    } catch (error) {
      if (!(error instanceof ClientError && error.reason === "corrupt")) throw error;
      // Our atServer may hold a copy of a key that has been replaced since.
      return decodeEncrypted(value, metadata, await this.#sharedKeys.sharedBy(owner, metadata, true));
    }
  }

  async #opened(notification: Notification): Promise<Notification> {
    const { value, metadata, isEncrypted, from } = notification;
    if (value === undefined || !isEncrypted || notification.isText) return notification;
    const record = { key: notification.key, value, metadata: { ...metadata, isEncrypted } };
    return {
      ...notification,
      value: await (from === this.atSign
        ? decodeEncrypted(value, record.metadata, this.#options.keys.selfEncryptionKey)
        : this.#received(record, value, { owner: from })),
    };
  }

  /** Whom a record of ours is shared with; undefined when with nobody. */
  #recipient({ sharedWith }: OwnedKey): AtSign | undefined {
    return sharedWith === this.atSign ? undefined : sharedWith;
  }

  /** A public record, decoded, with its signature checked. */
  async #readable(record: StoredRecord, stored: string, owner: AtSign, { unverified }: GetOptions): Promise<Entry> {
    const value = decodePublic(stored, record.metadata);
    if (unverified || record.metadata.dataSignature === undefined) return { ...record, value, signed: false };
    if (owner === this.atSign) {
      return { ...record, value, signed: checkSignature(record, value, this.#options.keys.encryption.publicKey) };
    }
    try {
      return { ...record, value, signed: checkSignature(record, value, await this.#publicKeyOf(owner, false)) };
    } catch (error) {
      if (!(error instanceof ClientError && error.reason === "corrupt")) throw error;
      // Our atServer keeps keys of others for a day; this one may have been replaced since.
      return { ...record, value, signed: checkSignature(record, value, await this.#publicKeyOf(owner, true)) };
    }
  }

  async #read(key: string, command: string): Promise<StoredRecord> {
    try {
      return parseRecord(await this.#send(`reading ${key}`, command), key);
    } catch (error) {
      if (!(error instanceof ClientError && error.code === "AT0015")) throw error;
      throw noRecord(key, error);
    }
  }

  #publicKeyOf(owner: AtSign, bypassCache: boolean): Promise<string> {
    const command = plookup.format({ bypassCache, part: "value", name: "publickey", owner });
    return this.#send(`fetching the public key of ${owner}`, command);
  }

  async #write(key: OwnedKey, step: string, command: string): Promise<Written> {
    const commitId = Number(await this.#send(step, command));
    if (Number.isSafeInteger(commitId)) return { key: formatKey(key), commitId };
    throw new ClientError("corrupt", "the atServer did not confirm the write");
  }

  async #send(step: string, command: string): Promise<string> {
    const connection = await this.#connected();
    this.#options.onStep?.(step);
    return await connection.send(command);
  }

  async #connected(): Promise<Connection> {
    const current = this.#connection;
    const connection = await current.catch(() => undefined);
    if (this.#closed) throw new ClientError("invalid", `the client of ${this.atSign} is closed`);
    if (connection?.usable) return connection;
    // Of several callers that find the connection lost, the first one replaces it.
    if (this.#connection === current) this.#connection = connectAsOwner(this.#options);
    return await this.#connection;
  }
}

async function connectAsOwner(options: ClientOptions): Promise<Connection> {
  const { connection } = await connect(options);
  try {
    options.onStep?.(`logging in as ${options.atSign}`);
    await logIn(connection, options.atSign, options.keys);
    return connection;
  } catch (error) {
    await connection[Symbol.asyncDispose]();
    throw error;
  }
}

function remoteLookup({ scope, name, owner }: OwnedKey): string {
  const verb = scope === "public" ? plookup : lookup;
  return verb.format({ bypassCache: false, part: "all", name, owner });
}

function checkRegex(regex: string): void {
  if (/\s/u.test(regex))
    throw new ClientError("invalid", "a regular expression for keys cannot have white space in it");
  try {
    new RegExp(regex);
  } catch (cause) {
    throw new ClientError("invalid", `${JSON.stringify(regex)} is no regular expression`, { cause });
  }
}

function defined<T extends object>(values: { [K in keyof T]: T[K] | undefined }): Partial<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Partial<T>;
}
