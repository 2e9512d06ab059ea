import { type AtSign, formatKey, type Key, keyType, ProtocolError, parseAtSign, parseKey } from "@atrium/protocol";
import { ClientError } from "./errors.ts";

/** @throws {ClientError} `invalid` */
export function atSignOf(text: string): AtSign {
  return checked(
    () => parseAtSign(text),
    (fault) => `${JSON.stringify(text)} is no atSign: ${fault}`,
  );
}

/** A record's key with its owner. */
export interface OwnedKey extends Key {
  readonly owner: AtSign;
}

/**
 * What a user means by a key: the owner may be left out, `phone.demo` is `phone.demo@alice` to `@alice`.
 *
 * @throws {ClientError} `invalid`, for keys that only servers deal with too
 */
export function keyOf(text: string, atSign: AtSign): OwnedKey {
  const what = `${JSON.stringify(text)} is no key of a record`;
  const key = checked(
    () => parseKey(hasOwner(text) ? text : `${text}${atSign}`),
    () => what,
  );
  if (key.owner === undefined || key.cached || key.scope === "private" || key.scope === "local") {
    throw new ClientError("invalid", `${what} that clients use`);
  }
  return { ...key, owner: key.owner };
}

/** Whether the protocol itself gives this name its meaning. */
export function isReserved(key: OwnedKey): boolean {
  return isOfProtocol(formatKey(key));
}

/** The same of a stored key, also of one that is a cached copy. */
export function isOfProtocol(stored: string): boolean {
  return keyType(stored.replace(/^cached:/, "")) === "reservedKey";
}

function hasOwner(text: string): boolean {
  // The first `@` of `@bob:phone.demo` names the recipient.
  return text.includes("@", 1);
}

function checked<T>(parse: () => T, message: (fault: string) => string): T {
  try {
    return parse();
  } catch (cause) {
    if (!(cause instanceof ProtocolError)) throw cause;
    throw new ClientError("invalid", message(cause.message), { cause });
  }
}
