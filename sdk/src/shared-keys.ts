import { createHash } from "node:crypto";
import {
  type AtSign,
  deleteRecord,
  llookup,
  lookup,
  type Metadata,
  type MetadataChange,
  plookup,
  update,
} from "@atrium/protocol";
import type { AtKeys } from "./atkeys.ts";
import {
  DecryptionError,
  decodeBase64,
  decryptWithKey,
  encryptForKey,
  KeyFormatError,
  newSymmetricKey,
} from "./crypto.ts";
import { ClientError } from "./errors.ts";

interface Options {
  readonly atSign: AtSign;
  readonly encryption: AtKeys["encryption"];
  /** @returns what stands behind `data:` */
  readonly send: (step: string, command: string) => Promise<string>;
}

/** What RSA-2048 makes of a key. */
const encryptedBytes = 256;
/** Seconds for which a recipient's atServer may keep its copy of the key: 45 days, as the other SDKs say. */
const keyTtr = 3_888_000;

/**
 * The AES keys by which two atSigns share records: one per direction. `alice → bob` is stored twice by alice's atServer:
 * encrypted for alice herself (`shared_key.bob@alice`), and for bob (`@bob:shared_key@alice`).
 */
export class SharedKeys {
  readonly #atSign: AtSign;
  readonly #encryption: AtKeys["encryption"];
  readonly #send: Options["send"];
  /** by recipient: found or made once, also when several ask at the same time */
  readonly #ours = new Map<AtSign, Promise<string>>();
  /** by owner */
  readonly #theirs = new Map<AtSign, string>();

  constructor({ atSign, encryption, send }: Options) {
    this.#atSign = atSign;
    this.#encryption = encryption;
    this.#send = send;
  }

  /**
   * The key for what we share with `recipient`; made and stored when there is none.
   *
   * @throws {ClientError} `not_found` when the recipient has published no key; `corrupt` when ours cannot be decrypted
   */
  async toShareWith(recipient: AtSign): Promise<string> {
    const known = this.#ours.get(recipient) ?? this.#findOrMake(recipient);
    this.#ours.set(recipient, known);
    // A failure is told to those that wait for it, and tried again by the next.
    known.catch(() => this.#ours.delete(recipient));
    return await known;
  }

  /**
   * The key of what we have shared with `recipient` before.
   *
   * @throws {ClientError} `not_found`, `corrupt`
   */
  async sharedWith(recipient: AtSign): Promise<string> {
    const known = this.#ours.get(recipient);
    if (known !== undefined) return await known;
    const key = await this.#ownCopy(recipient);
    if (key === undefined) throw new ClientError("not_found", `there is no key for what is shared with ${recipient}`);
    return key;
  }

  /**
   * The key of a record that `owner` shares with us.
   *
   * @param metadata of the record, which may bring the key along
   * @param fresh does not believe a copy
   * @throws {ClientError} `not_found`, `corrupt`
   */
  async sharedBy(
    owner: AtSign,
    { sharedKeyEnc, pubKeyCS }: Pick<Metadata, "sharedKeyEnc" | "pubKeyCS">,
    fresh = false,
  ): Promise<string> {
    if (pubKeyCS !== undefined && pubKeyCS !== checksum(this.#encryption.publicKey)) {
      throw new ClientError("corrupt", `${owner} encrypted this for another key than the one ${this.#atSign} has now`, {
        advice: `${owner} must share it again.`,
      });
    }
    if (sharedKeyEnc !== undefined) return this.#decrypted(sharedKeyEnc, `the key that ${owner} sent along`);
    const kept = fresh ? undefined : this.#theirs.get(owner);
    if (kept !== undefined) return kept;
    const command = lookup.format({ bypassCache: fresh, part: "value", name: "shared_key", owner });
    const key = this.#decrypted(
      await this.#send(`fetching the key that ${owner} shares with ${this.#atSign}`, command),
      `the key of ${owner}`,
    );
    this.#theirs.set(owner, key);
    return key;
  }

  async #findOrMake(recipient: AtSign): Promise<string> {
    const own = await this.#ownCopy(recipient);
    if (own === undefined) return await this.#make(recipient);
    // Whoever made it may have ended between the two copies.
    const theirs = await this.#found(llookup.format({ part: "value", key: `${recipient}:shared_key${this.#atSign}` }));
    if (theirs === undefined) await this.#storeFor(recipient, own, await this.#publicKeyOf(recipient));
    return own;
  }

  async #make(recipient: AtSign): Promise<string> {
    // First, because without it nothing is to be stored.
    const theirPublicKey = await this.#publicKeyOf(recipient);
    const key = newSymmetricKey();
    const theirs = `${recipient}:shared_key${this.#atSign}`;
    // An old copy of theirs beside a new one of ours would be a key that opens nothing.
    await this.#send(`removing an old key for ${recipient}`, deleteRecord.format({ key: theirs, force: false }));
    await this.#store(ownName(recipient, this.#atSign), encryptForKey(key, this.#encryption.publicKey), {});
    await this.#storeFor(recipient, key, theirPublicKey);
    return key;
  }

  async #storeFor(recipient: AtSign, key: string, publicKey: string): Promise<void> {
    let encrypted: string;
    try {
      encrypted = encryptForKey(key, publicKey);
    } catch (cause) {
      if (!(cause instanceof KeyFormatError)) throw cause;
      throw new ClientError("corrupt", `${recipient} has no valid public key`, { cause });
    }
    await this.#store(`${recipient}:shared_key${this.#atSign}`, encrypted, { ttr: keyTtr });
  }

  async #store(key: string, value: string, metadata: MetadataChange): Promise<void> {
    await this.#send(`storing ${key}`, update.format({ key, value, metadata }));
  }

  /** Our copy of a key of ours; undefined when there is none, or one that is damaged and can be replaced. */
  async #ownCopy(recipient: AtSign): Promise<string | undefined> {
    const key = ownName(recipient, this.#atSign);
    const stored = await this.#found(llookup.format({ part: "value", key }));
    if (stored === undefined || decodeBase64(stored)?.length !== encryptedBytes) return undefined;
    // A whole one that cannot be read was made for other keys than these: replacing it would lose what it opens.
    return this.#decrypted(stored, key);
  }

  async #publicKeyOf(recipient: AtSign): Promise<string> {
    const command = plookup.format({ bypassCache: false, part: "value", name: "publickey", owner: recipient });
    try {
      return await this.#send(`fetching the public key of ${recipient}`, command);
    } catch (error) {
      // Some servers answer so where there is nobody yet.
      if (!isNotFound(error) && !(error instanceof ClientError && error.code === "AT0011")) throw error;
      throw new ClientError("not_found", `${recipient} has no public key: nobody can share with it yet`, {
        advice: `${recipient} must be activated first.`,
        cause: error,
      });
    }
  }

  /** @returns undefined when there is no such record */
  async #found(command: string): Promise<string | undefined> {
    try {
      const value = await this.#send(`looking for a shared key`, command);
      return value === "null" ? undefined : value;
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  #decrypted(text: string, what: string): string {
    try {
      const key = decryptWithKey(text, this.#encryption.privateKey);
      if (decodeBase64(key)?.length === 32) return key;
    } catch (cause) {
      if (!(cause instanceof DecryptionError)) throw cause;
    }
    throw new ClientError("corrupt", `${what} cannot be decrypted with the keys of ${this.#atSign}`);
  }
}

/** The name of our own copy: without the `@` of the recipient. */
function ownName(recipient: AtSign, atSign: AtSign): string {
  return `shared_key.${recipient.slice(1)}${atSign}`;
}

/** Of a public key in its text form; the protocol's `pubKeyCS`, which guards against accidents only. */
function checksum(publicKey: string): string {
  return createHash("md5").update(publicKey).digest("hex");
}

function isNotFound(error: unknown): boolean {
  return error instanceof ClientError && error.code === "AT0015";
}
