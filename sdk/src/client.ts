import {
  type AtSign,
  deleteRecord,
  formatKey,
  info,
  llookup,
  lookup,
  type MetadataChange,
  ProtocolError,
  parseMetadataJson,
  plookup,
  type RecordMetadata,
  scan,
  update,
} from "@atrium/protocol";
import type { AtKeys } from "./atkeys.ts";
import { Connection } from "./connection.ts";
import { KeyFormatError, verifyText } from "./crypto.ts";
import { lookUpAtServer } from "./directory.ts";
import { ClientError } from "./errors.ts";
import { logIn } from "./login.ts";
import { isReserved, keyOf, type OwnedKey } from "./names.ts";
import { type Address, formatAddress, type Platform } from "./platform.ts";
import { withRetries } from "./retry.ts";
import { decodeEncrypted, decodePublic, type Encoded, encodeEncrypted, encodePublic } from "./value.ts";

export interface Reporting {
  /** how long each step may take, 20 s without it; the transfer of long values earns more */
  readonly timeoutMs?: number | undefined;
  /** is told what is about to be done */
  readonly onStep?: ((step: string) => void) | undefined;
}

export interface ClientOptions extends Reporting {
  readonly atSign: AtSign;
  readonly platform: Platform;
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

export interface Entry {
  readonly key: string;
  /** undefined when the record has metadata only */
  readonly value: string | undefined;
  readonly metadata: Partial<RecordMetadata>;
  /** of a public value: whether its owner signed it; a signature that is not valid is an error */
  readonly signed?: boolean;
}

const defaultTimeoutMs = 20_000;

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
  #connection: Promise<Connection>;
  #closed = false;

  private constructor(options: ClientOptions, connection: Connection) {
    this.atSign = options.atSign;
    this.#options = options;
    this.#connection = Promise.resolve(connection);
  }

  /** @throws {ClientError} `not_found`, `unreachable`, `timeout`, `untrusted`, `authentication` */
  static async open(options: ClientOptions): Promise<Client> {
    return new Client(options, await connectAsOwner(options));
  }

  /**
   * Stores a value: encrypted for the owner, or under `public:` in clear and signed.
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
    const encoded = this.#encoded(key, value);
    const metadata: MetadataChange = { ...encoded.metadata, ...defined({ ttl: ttlMs, ttb: ttbMs }) };
    return await this.#write(
      key,
      `storing ${formatKey(key)}`,
      update.format({ key: formatKey(key), value: encoded.value, metadata }),
    );
  }

  /**
   * Reads a record of our own, or a public record of another atSign, which our atServer fetches from theirs.
   *
   * @throws {ClientError} `not_found`, also for what is expired or not yet there; `corrupt` when decryption or signature fail
   */
  async get(keyText: string): Promise<Entry> {
    const key = keyOf(keyText, this.atSign);
    if (key.owner === this.atSign) return await this.#getOwn(key);
    if (key.scope === "public") return await this.#getPublicOf(key);
    throw new ClientError("invalid", `${formatKey(key)}: of another atSign, only public records can be read`, {
      advice: `Did you mean public:${key.name}${key.owner}?`,
    });
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
    const keys = json(await this.#send("listing the records", command));
    if (Array.isArray(keys) && keys.every((key) => typeof key === "string")) return keys;
    throw new ClientError("corrupt", "the atServer answered no list of keys");
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

  #encoded(key: OwnedKey, value: string): Encoded {
    const { encryption, selfEncryptionKey } = this.#options.keys;
    if (key.scope === "public") return encodePublic(value, encryption.privateKey);
    if (key.scope === "self") return encodeEncrypted(value, selfEncryptionKey);
    throw new ClientError("invalid", `${formatKey(key)}: sharing with others is not possible yet`);
  }

  async #getOwn(key: OwnedKey): Promise<Entry> {
    const text = formatKey(key);
    const { encryption, selfEncryptionKey } = this.#options.keys;
    const { value, metadata } = await this.#read(text, llookup.format({ part: "all", key: text }));
    if (value === undefined || isReserved(key)) return { key: text, value, metadata };
    if (key.scope !== "public")
      return { key: text, value: decodeEncrypted(value, metadata, selfEncryptionKey), metadata };
    return signedEntry(text, value, metadata, encryption.publicKey);
  }

  async #getPublicOf(key: OwnedKey): Promise<Entry> {
    const text = formatKey(key);
    const { value, metadata } = await this.#read(
      text,
      plookup.format({ bypassCache: false, part: "all", name: key.name, owner: key.owner }),
    );
    if (value === undefined || isReserved(key)) return { key: text, value, metadata };
    if (metadata.dataSignature === undefined) return signedEntry(text, value, metadata, "");
    try {
      return signedEntry(text, value, metadata, await this.#publicKeyOf(key.owner, false));
    } catch (error) {
      if (!(error instanceof ClientError && error.reason === "corrupt")) throw error;
      // Our atServer keeps keys of others for a day; this one may have been replaced since.
      return signedEntry(text, value, metadata, await this.#publicKeyOf(key.owner, true));
    }
  }

  async #read(key: string, command: string): Promise<ReturnType<typeof record>> {
    try {
      return record(await this.#send(`reading ${key}`, command), key);
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

/** What can be said about an atSign by somebody who is not its owner. */
export interface Inspection {
  readonly atSign: AtSign;
  readonly address: Address;
  /** whether somebody has taken possession of it */
  readonly activated: boolean;
  /** what the atServer says about itself */
  readonly server: Record<string, unknown>;
}

/** Looks at an atSign without its keys. */
export async function inspect(options: Omit<ClientOptions, "keys">): Promise<Inspection> {
  const { atSign, onStep } = options;
  const { address, connection } = await connect(options);
  await using open = connection;
  onStep?.(`asking the atServer of ${atSign} about itself`);
  const server = json(await open.send(info.format({ brief: false })));
  const activated = (await publishedKey(open, atSign)) !== undefined;
  if (typeof server !== "object" || server === null)
    throw new ClientError("corrupt", "the atServer told nothing about itself");
  return { atSign, address, activated, server: { ...server } };
}

/** Finds the atServer in the directory and connects, some times if need be. */
export function connect({
  atSign,
  platform,
  onStep,
  timeoutMs = defaultTimeoutMs,
}: Omit<ClientOptions, "keys">): Promise<{ address: Address; connection: Connection }> {
  return withRetries(async () => {
    onStep?.(`looking up ${atSign} in the directory at ${formatAddress(platform.directory)}`);
    const address = await lookUpAtServer(atSign, platform, timeoutMs);
    onStep?.(`connecting to the atServer of ${atSign} at ${formatAddress(address)}`);
    return { address, connection: await Connection.open({ atSign, address, platform, timeoutMs }) };
  });
}

/** The encryption key that an atSign has published, asked for on a connection that is not logged in. */
export async function publishedKey(connection: Connection, atSign: AtSign): Promise<string | undefined> {
  try {
    return await connection.send(
      lookup.format({ bypassCache: false, part: "value", name: "publickey", owner: atSign }),
    );
  } catch (error) {
    if (error instanceof ClientError && error.reason === "not_found") return undefined;
    throw error;
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

function signedEntry(key: string, value: string, metadata: Partial<RecordMetadata>, publicKey: string): Entry {
  const { dataSignature } = metadata;
  const decoded = decodePublic(value, metadata);
  if (dataSignature === undefined) return { key, value: decoded, metadata, signed: false };
  try {
    if (verifyText(decoded, dataSignature, publicKey)) return { key, value: decoded, metadata, signed: true };
  } catch (cause) {
    if (!(cause instanceof KeyFormatError)) throw cause;
    throw new ClientError("corrupt", `${key}: its owner has no valid public key`, { cause });
  }
  throw new ClientError("corrupt", `${key}: the signature does not fit the value`);
}

/** The JSON form of a record, `{ key, data, metaData }`; some servers answer `null` for one that is expired. */
function record(reply: string, key: string): { value: string | undefined; metadata: Partial<RecordMetadata> } {
  const object = json(reply);
  if (object === null) throw noRecord(key);
  if (typeof object !== "object" || !("data" in object || "metaData" in object)) {
    throw new ClientError("corrupt", "the atServer answered no record");
  }
  const { data, metaData = {} } = object as { data?: unknown; metaData?: unknown };
  if (data !== undefined && data !== null && typeof data !== "string") {
    throw new ClientError("corrupt", "the atServer answered a record whose value is no text");
  }
  try {
    return { value: data ?? undefined, metadata: parseMetadataJson(metaData) };
  } catch (cause) {
    if (!(cause instanceof ProtocolError)) throw cause;
    throw new ClientError("corrupt", `the atServer answered a record with damaged metadata: ${cause.message}`, {
      cause,
    });
  }
}

function noRecord(key: string, cause?: ClientError): ClientError {
  const advice = "It may have expired or not be born yet. The command scan lists the keys of your own records.";
  return new ClientError("not_found", `there is no record ${key}`, { advice, code: cause?.code, cause });
}

function json(reply: string): unknown {
  try {
    return JSON.parse(reply);
  } catch (cause) {
    throw new ClientError("corrupt", "the atServer did not answer in JSON", { cause });
  }
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
