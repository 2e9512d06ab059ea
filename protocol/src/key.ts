import { type AtSign, parseAtSign } from "./atsign.ts";
import { ProtocolError } from "./errors.ts";

/**
 * The parts of a record name. Names are stored in lower case: uniqueness is on that form.
 *
 * `scope` is what stands before the name: `shared` is `@someone:`, also where someone is the owner; `self` is nothing;
 * `reserved` is a name that has no owner (`privatekey:at_secret`, `configkey`, `_…`).
 */
export interface Key {
  readonly cached: boolean;
  readonly scope: "public" | "private" | "local" | "shared" | "self" | "reserved";
  readonly sharedWith?: AtSign;
  /** entity and namespace: `phone.wavi`; the whole text of a reserved name */
  readonly name: string;
  readonly owner?: AtSign;
}

export type KeyType =
  | "reservedKey"
  | "publicKey"
  | "privateKey"
  | "sharedKey"
  | "selfKey"
  | "cachedPublicKey"
  | "cachedSharedKey"
  | "localKey"
  | "invalidKey";

/** UTF-16 units of a stored name. */
const maxKeyLength = 248;
const maxCachedKeyLength = 255;

// No white space: the range of symbols has some.
const symbols = "\\xa9\\xae\\u200b-\\u2027\\u202a-\\u202e\\u2030-\\u205e\\u2060-\\u2fff\\u3001-\\u3300\\ufe00-\\ufe0f";
const emoji = "[\\ud83c-\\ud83e][\\udc00-\\udfff]";
const entity = `(?:[\\w.\\-'*"${symbols}]|${emoji})+`;
const atSign = `@(?:[\\w-]|[${symbols}]|${emoji})+`;
const maxAtSignUnits = 55;

const keyPattern = new RegExp(
  `^(?:(?<cached>cached:)?(?:(?<open>public):|(?<sharedWith>${atSign}):)|(?<closed>private|local):)?${entity}(?<owner>${atSign})$`,
);

const reservedPattern = new RegExp(
  `^(?:${[
    "privatekey:(?:at_pkam_publickey|at_pkam_privatekey|privatekey|self_encryption_key|at_secret|at_secret_deleted" +
      "|signing_keypair_generated|(?:commitlog|accesslog|notification)compactionstats)",
    "configkey",
    "_[^@:\\s]*",
    `private:blocklist${atSign}`,
    `public:signing_publickey${atSign}`,
    `${atSign}:signing_privatekey${atSign}`,
    `${atSign}:shared_key${atSign}`,
    `public:publickey${atSign}`,
    `shared_key\\.${atSign.slice(1)}${atSign}`,
  ].join("|")})$`,
);

/**
 * @param text a record name in any letter case; blanks are removed
 * @throws {ProtocolError} `invalid_key` when it is no valid name, `invalid_at_sign` when an atSign in it is none
 */
export function parseKey(text: string): Key {
  const key = splitKey(text);
  if (keyType(formatKey(key)) === "invalidKey") throw new ProtocolError("invalid_key", `${text} is not a valid key`);
  return key;
}

/** The stored form: {@link parseKey} of it gives the same parts. */
export function formatKey({ cached, scope, sharedWith, name, owner = "" as AtSign }: Key): string {
  const prefix = scope === "shared" ? `${sharedWith}:` : scope === "self" || scope === "reserved" ? "" : `${scope}:`;
  return `${cached ? "cached:" : ""}${prefix}${name}${owner}`;
}

/** A name in its stored form, as nearly all clients write it: there is nothing to normalise. */
const normalName = /^(?:cached:)?(?:(?:public|private|local|@[a-z0-9_-]+):)?[a-z0-9_.-]+@[a-z0-9_-]+$/;

/** The stored form of a name whose validity is still to be judged, as commands bring it. */
export function storedKey(text: string): string {
  if (normalName.test(text)) return text;
  return formatKey(splitKey(text));
}

/** Takes a name apart without judging the characters of its entity. */
function splitKey(text: string): Key {
  const whole = text.trim().replaceAll(" ", "").toLowerCase();
  const cached = whole.startsWith("cached:");
  const { scope, sharedWith, rest } = splitScope(cached ? whole.slice("cached:".length) : whole);
  const at = rest.lastIndexOf("@");
  const name = at === -1 ? rest : rest.slice(0, at);
  return {
    cached,
    scope: at === -1 && scope === "self" ? "reserved" : scope,
    ...(sharedWith !== undefined && { sharedWith }),
    name,
    ...(at !== -1 && { owner: parseAtSign(rest.slice(at)) }),
  };
}

function splitScope(text: string): { scope: Key["scope"]; sharedWith?: AtSign; rest: string } {
  const colon = text.indexOf(":");
  if (colon === -1) return { scope: "self", rest: text };
  const prefix = text.slice(0, colon);
  const rest = text.slice(colon + 1);
  if (prefix === "public" || prefix === "private" || prefix === "local") return { scope: prefix, rest };
  if (prefix.startsWith("@")) return { scope: "shared", sharedWith: parseAtSign(prefix), rest };
  return { scope: "self", rest: text };
}

/**
 * What kind of record a name is for; the first that fits of the protocol's list.
 *
 * @param stored the stored form
 */
export function keyType(stored: string): KeyType {
  if (stored.length > maxCachedKeyLength) return "invalidKey";
  if (reservedPattern.test(stored)) return "reservedKey";
  const { cached, open, closed, sharedWith, owner = "" } = keyPattern.exec(stored)?.groups ?? {};
  if (owner === "" || tooLong(owner) || tooLong(sharedWith)) return "invalidKey";
  if (closed !== undefined) return closed === "private" ? "privateKey" : "localKey";
  if (open !== undefined) return cached === undefined ? "publicKey" : "cachedPublicKey";
  if (cached !== undefined) return "cachedSharedKey";
  return sharedWith === undefined || sharedWith === owner ? "selfKey" : "sharedKey";
}

function tooLong(atSign = ""): boolean {
  return atSign.length > maxAtSignUnits + "@".length;
}

/** The last segment of a dotted name: `app` of `foo.bar.app`; undefined when there is none. */
export function namespaceOf({ name }: Pick<Key, "name">): string | undefined {
  return /.\.(\w+)$/s.exec(name)?.[1];
}

/** Whether changes of a record get a commit id, and so reach clients through sync. */
export function isCommitted(stored: string): boolean {
  // Names without an owner, privatekey: among them, cannot be read back by the clients' parsers.
  if (!stored.includes("@")) return false;
  if (/^(?:private:|privatekey:|local:|public:_(?!_))/.test(stored)) return false;
  return !/\.__manage@|\.__(?:public|private|self)_keys[.@]/.test(stored);
}

/**
 * Whether `scan` leaves a name out for the owner.
 *
 * @param showHidden what `scan:showhidden:true` asks for: `public:__…` and `_…` too
 */
export function isHidden(stored: string, showHidden = false): boolean {
  if (!stored.includes("@") || /^(?:private:|privatekey:|public:_(?!_))/.test(stored)) return true;
  return !showHidden && /^(?:_|public:__)/.test(stored);
}

/** Whether a record cannot be deleted: without it nobody reaches or trusts the atSign any more. Cached copies can. */
export function isProtected(stored: string, owner: AtSign): boolean {
  if (stored === "privatekey:at_pkam_publickey") return true;
  if (stored.startsWith("cached:")) return false;
  const name = stored.slice(stored.lastIndexOf(":") + 1);
  return ["publickey", "signing_publickey", "signing_privatekey"].some((entity) => name === `${entity}${owner}`);
}

/** @throws {ProtocolError} `invalid_key` for a name that is too long for any record */
export function checkKeyLength(stored: string): void {
  const allowed = stored.startsWith("cached:") ? maxCachedKeyLength : maxKeyLength;
  if (stored.length <= allowed) return;
  throw new ProtocolError("invalid_key", `key length ${stored.length} is greater than max allowed ${allowed} chars`);
}

/**
 * Checks that an owner's client may write a record.
 *
 * @param stored the stored form of the name
 * @param owner the atSign that the server serves
 * @throws {ProtocolError} `invalid_key`
 */
export function checkUpdatable(stored: string, owner: AtSign): void {
  checkOwner(stored, owner);
  const { cached, scope } = splitKey(stored);
  checkKeyLength(stored); // before the type, whose patterns are for names of bounded length
  // private:blocklist is reserved and yet private: the prefix decides first.
  const type = scope === "private" && !cached ? "privateKey" : keyType(stored);
  if (!updatable.has(type)) throw new ProtocolError("invalid_key", `You may not update keys of type KeyType.${type}`);
}

/**
 * The first of these checks.
 *
 * @throws {ProtocolError} `invalid_key` for a record of somebody else
 */
export function checkOwner(stored: string, owner: AtSign): void {
  const { owner: sharedBy = owner } = splitKey(stored);
  if (sharedBy === owner) return;
  const detail = `Invalid update command - sharedBy atsign ${sharedBy} should be same as current atsign ${owner}`;
  throw new ProtocolError("invalid_key", detail);
}

const updatable: ReadonlySet<KeyType> = new Set(["reservedKey", "publicKey", "sharedKey", "selfKey"]);
