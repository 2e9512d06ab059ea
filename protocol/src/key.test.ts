import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { garbage, keys } from "./arbitraries.ts";
import { ProtocolError } from "./errors.ts";
import {
  checkUpdatable,
  formatKey,
  isCommitted,
  isHidden,
  isProtected,
  keyType,
  namespaceOf,
  parseKey,
} from "./key.ts";

describe("a key is read", () => {
  const none = { cached: false, name: "phone.wavi", owner: "@alice" };
  test.each([
    ["phone.wavi@alice", { ...none, scope: "self" }],
    ["public:phone.wavi@alice", { ...none, scope: "public" }],
    ["@bob:phone.wavi@alice", { ...none, scope: "shared", sharedWith: "@bob" }],
    ["private:phone.wavi@alice", { ...none, scope: "private" }],
    ["local:phone.wavi@alice", { ...none, scope: "local" }],
    ["cached:public:phone.wavi@alice", { ...none, cached: true, scope: "public" }],
    ["cached:@bob:phone.wavi@alice", { ...none, cached: true, scope: "shared", sharedWith: "@bob" }],
    [" @Bo.b: Phone.WAVI @Al.ice ", { ...none, scope: "shared", sharedWith: "@bob" }],
    ["privatekey:at_secret", { cached: false, scope: "reserved", name: "privatekey:at_secret" }],
    ["configkey", { cached: false, scope: "reserved", name: "configkey" }],
    ["_latest", { cached: false, scope: "reserved", name: "_latest" }],
    ["☎️.ns@😀", { cached: false, scope: "self", name: "☎️.ns", owner: "@😀" }],
  ])("%s", (text, expected) => {
    expect(parseKey(text)).toEqual(expected);
  });
});

test.each([
  "",
  "phone",
  "public:phone.wavi",
  "@bob:phone",
  "@alice",
  "public:@alice",
  "cached:phone@alice",
  "cached:private:phone@alice",
  "cached:local:phone@alice",
  "other:phone@alice",
  "public:@bob:phone@alice",
  "ph,one@alice",
  "phone\u2003x@alice",
  "privatekey:other",
  "phone@ålice",
  `phone@${"a".repeat(56)}`,
  `${"a".repeat(260)}@alice`,
])("%j is no key", (text) => {
  expect(() => parseKey(text)).toThrow(expect.objectContaining({ error: "invalid_key" }));
});

test("a wrong atSign in a key is told as such", () => {
  expect(() => parseKey("phone@al!ce")).toThrow(expect.objectContaining({ error: "invalid_at_sign" }));
});

describe("the type of a key", () => {
  test.each([
    ["public:phone.wavi@alice", "publicKey"],
    ["private:phone.wavi@alice", "privateKey"],
    ["@bob:phone.wavi@alice", "sharedKey"],
    ["@alice:phone.wavi@alice", "selfKey"],
    ["phone.wavi@alice", "selfKey"],
    ["_phone@alice", "selfKey"],
    ["cached:public:phone@bob", "cachedPublicKey"],
    ["cached:public:publickey@bob", "cachedPublicKey"],
    ["cached:@alice:phone@bob", "cachedSharedKey"],
    ["cached:@alice:shared_key@bob", "cachedSharedKey"],
    ["local:phone@alice", "localKey"],
    ["privatekey:at_pkam_publickey", "reservedKey"],
    ["privatekey:commitlogcompactionstats", "reservedKey"],
    ["privatekey:at_secretive", "invalidKey"],
    ["configkey", "reservedKey"],
    ["_x", "reservedKey"],
    ["private:blocklist@alice", "reservedKey"],
    ["public:signing_publickey@alice", "reservedKey"],
    ["@alice:signing_privatekey@alice", "reservedKey"],
    ["@bob:shared_key@alice", "reservedKey"],
    ["public:publickey@alice", "reservedKey"],
    ["shared_key.bob@alice", "reservedKey"],
    ["my.shared_key.bob@alice", "selfKey"],
    ["phone", "invalidKey"],
  ])("%s is %s", (stored, type) => {
    expect(keyType(stored)).toBe(type);
  });
});

test("parse(format(key)) = key, in any letter case", () => {
  fc.assert(
    fc.property(keys, (key) => {
      const stored = formatKey(key);
      expect(parseKey(stored)).toEqual(key);
      expect(parseKey(stored.toUpperCase())).toEqual(key);
    }),
  );
});

test("nothing but its own error comes out", () => {
  fc.assert(
    fc.property(garbage, (text) => {
      try {
        const key = parseKey(text);
        expect(parseKey(formatKey(key))).toEqual(key);
      } catch (error) {
        expect(error).toBeInstanceOf(ProtocolError);
      }
    }),
  );
});

test.each([
  ["phone.wavi", "wavi"],
  ["foo.bar.app", "app"],
  ["phone", undefined],
  [".app", undefined],
  ["phone.", undefined],
  ["phone.a-b", undefined],
])("the namespace of %s is %s", (name, namespace) => {
  expect(namespaceOf({ name })).toBe(namespace);
});

describe.each([
  // stored, committed, hidden, hidden even when hidden ones are asked for
  ["phone.wavi@alice", true, false, false],
  ["public:phone.wavi@alice", true, false, false],
  ["@bob:phone.wavi@alice", true, false, false],
  ["@bob:_x@alice", true, false, false],
  ["cached:@alice:phone@bob", true, false, false],
  ["@alice:signing_privatekey@alice", true, false, false],
  ["_x@alice", true, true, false],
  ["public:__x@alice", true, true, false],
  ["public:_x@alice", false, true, true],
  ["private:x@alice", false, true, true],
  ["privatekey:at_secret", false, true, true],
  ["configkey", false, true, true],
  ["_x", false, true, true],
  ["7c.new.enrollments.__manage@alice", false, false, false],
  ["public:app.dev.pkam.__pkams.__public_keys@alice", false, false, false],
  ["app.dev.n.__self_keys.ns@alice", false, false, false],
])("%s", (stored, committed, hidden, internal) => {
  test(committed ? "is committed" : "is not committed", () => expect(isCommitted(stored)).toBe(committed));
  test(hidden ? "is hidden" : "is shown", () => expect(isHidden(stored)).toBe(hidden));
  test(internal ? "is always hidden" : "is shown on request", () => expect(isHidden(stored, true)).toBe(internal));
});

test.each([
  ["public:publickey@alice", true],
  ["publickey@alice", true],
  ["public:signing_publickey@alice", true],
  ["@alice:signing_privatekey@alice", true],
  ["privatekey:at_pkam_publickey", true],
  ["cached:public:publickey@bob", false],
  ["cached:public:publickey@alice", false],
  ["public:publickey@bob", false],
  ["privatekey:at_secret", false],
  ["mypublickey@alice", false],
])("%s is protected: %s", (stored, expected) => {
  expect(isProtected(stored, "@alice")).toBe(expected);
});

describe("an owner may update", () => {
  test.each([
    "phone.wavi@alice",
    "public:phone.wavi@alice",
    "@bob:phone.wavi@alice",
    "@alice:phone.wavi@alice",
    "public:publickey@alice",
    "shared_key.bob@alice",
    "@bob:shared_key@alice",
    "privatekey:at_pkam_publickey",
    `${"k".repeat(242)}@alice`,
  ])("%s", (stored) => {
    expect(() => checkUpdatable(stored, "@alice")).not.toThrow();
  });

  test.each([
    ["private:phone@alice", "You may not update keys of type KeyType.privateKey"],
    ["private:blocklist@alice", "You may not update keys of type KeyType.privateKey"],
    ["local:phone@alice", "You may not update keys of type KeyType.localKey"],
    ["cached:public:phone@alice", "You may not update keys of type KeyType.cachedPublicKey"],
    ["cached:@alice:phone@alice", "You may not update keys of type KeyType.cachedSharedKey"],
    ["phone", "You may not update keys of type KeyType.invalidKey"],
    ["ph,one@alice", "You may not update keys of type KeyType.invalidKey"],
    ["phone@bob", "Invalid update command - sharedBy atsign @bob should be same as current atsign @alice"],
    [
      "cached:@alice:phone@bob",
      "Invalid update command - sharedBy atsign @bob should be same as current atsign @alice",
    ],
    [`${"k".repeat(243)}@alice`, "key length 249 is greater than max allowed 248 chars"],
    [`cached:public:${"k".repeat(236)}@alice`, "key length 256 is greater than max allowed 255 chars"],
  ])("not %s", (stored, message) => {
    expect(() => checkUpdatable(stored, "@alice")).toThrow(expect.objectContaining({ code: "AT0016", message }));
  });
});
