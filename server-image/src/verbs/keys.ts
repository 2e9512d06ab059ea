import { setImmediate as turn } from "node:timers/promises";
import { checkKeyLength, type KeysParams, keyType, ProtocolError, keys as syntax } from "@atrium/protocol";
import type { Enrollment } from "../connection.ts";
import { serverMetadata } from "../records.ts";
import { type Parts, verb } from "./verb.ts";

/** Keeps keys of enrolled apps, and hands them those that their approver left for them. */
export const keys = verb({
  syntax,
  allow: ["owner"],
  handle(params, parts, { enrollment }) {
    if (enrollment === undefined) {
      throw new ProtocolError("internal", "Keys verb cannot be accessed without an enrollmentId", { closes: false });
    }
    if (params.operation === "put") return put(params, parts, enrollment);
    if (params.operation === "delete") return remove(params, parts, enrollment);
    return params.keyName === undefined ? list(params, parts, enrollment) : get(params.keyName, parts, enrollment);
  },
});

/** As it is stored, in this order. */
interface StoredKey {
  readonly value: string;
  readonly keyType: string | null;
  readonly enrollmentId: string;
  readonly encryptionKeyName: string | null;
}

async function put(params: KeysParams, { atSign, store, now }: Parts, { id }: Enrollment): Promise<string> {
  const { keyName, value, keyType = null, encryptionKeyName = null } = params;
  if (keyName === undefined || value === undefined) throw wrong("keys:put needs a name and a value");
  const key = `${nameOf(params, keyName)}${atSign}`;
  const stored: StoredKey = { value, keyType, enrollmentId: id, encryptionKeyName };
  await store.write((tx) => {
    assertOwn(tx.get(key)?.value, key, id, "put");
    tx.put({ key, value: JSON.stringify(stored), metadata: serverMetadata(atSign, now()) }, null);
  });
  return "-1";
}

/** Without the owner. */
function nameOf({ visibility, namespace = "__global", appName, deviceName }: KeysParams, keyName: string): string {
  if (visibility === "public") return checked(`public:${keyName}.__public_keys.${namespace}`);
  if (visibility === undefined || appName === undefined || deviceName === undefined) {
    throw wrong("keys:put needs public, or private or self with appName and deviceName");
  }
  const name = `${appName}.${deviceName}.${keyName}.__${visibility}_keys.${namespace}`;
  return checked(visibility === "private" ? `private:${name}` : name);
}

/** In its stored form. @throws {ProtocolError} `invalid_key` */
function checked(name: string): string {
  const stored = name.toLowerCase();
  // Any owner, only to see whether it is a name at all.
  if (keyType(`${stored}@a`) === "invalidKey") throw new ProtocolError("invalid_key", `${name} is not a valid key`);
  checkKeyLength(stored);
  return stored;
}

function get(keyName: string, { store, enrollments, now }: Parts, { id }: Enrollment): string {
  const key = keyName.toLowerCase();
  const isDefault = Object.values(enrollments.defaultKeysOf(id)).includes(key);
  if (!isDefault && !keysPattern.test(key)) throw notYours("get", keyName, id);
  const value = store.getLive(key, now())?.value;
  if (value === undefined) throw new ProtocolError("key_not_found", `key ${keyName} not found in keystore`);
  if (key.startsWith("private:")) assertOwn(value, key, id, "get");
  return value;
}

async function remove({ keyName }: KeysParams, { store }: Parts, { id }: Enrollment): Promise<string> {
  const key = keyName?.toLowerCase();
  if (key === undefined) throw wrong("keys:delete needs a name");
  if (!keysPattern.test(key)) throw notYours("delete", key, id);
  await store.write((tx) => {
    assertOwn(tx.get(key)?.value, key, id, "delete");
    tx.delete(key, null);
  });
  return "-1";
}

const pageSize = 1_000;

/** The names of the keys that an app has put. */
async function list(
  { visibility }: KeysParams,
  { store, enrollments, now }: Parts,
  { id }: Enrollment,
): Promise<string> {
  if (visibility === undefined) throw wrong("keys:get needs a name, or one of public, private and self");
  const { encryption, self } = enrollments.defaultKeysOf(id);
  const given = { public: [], private: [encryption], self: [self] }[visibility];
  const names: string[] = given.filter((key) => store.getLive(key, now()) !== undefined);
  const prefix = visibility === "self" ? "" : `${visibility}:`;
  for (let after: string | undefined; ; await turn()) {
    const page = store.keys({ prefix, after, limit: pageSize, liveAt: now() });
    for (const key of page.keys) {
      if (visibilityOf(key) === visibility && ownerOf(store.getLive(key, now())?.value) === id) names.push(key);
    }
    if (page.next === undefined) return JSON.stringify(names);
    after = page.next;
  }
}

const keysPattern = /^(?:public:|private:)?[^:@\s]+\.__(?<visibility>public|private|self)_keys\.[^:@.\s]+@[^:@\s]+$/;

function visibilityOf(key: string): string | undefined {
  return keysPattern.exec(key)?.groups?.visibility;
}

/** The enrolment that put a key; undefined for what is none. */
function ownerOf(value: string | undefined): string | undefined {
  try {
    return (JSON.parse(value ?? "{}") as Partial<StoredKey>).enrollmentId;
  } catch {
    return undefined; // written by another verb
  }
}

/** @throws {ProtocolError} when there is a record that another app has written */
function assertOwn(value: string | undefined, key: string, id: string, doing: string): void {
  if (value !== undefined && ownerOf(value) !== id) throw notYours(doing, key, id);
}

function notYours(doing: string, key: string, id: string): ProtocolError {
  return new ProtocolError(
    "unauthorized",
    `Connection with enrollment ID ${id} is not authorized to ${doing} keys key: ${key}`,
  );
}

function wrong(detail: string): ProtocolError {
  return new ProtocolError("invalid_syntax", detail);
}
