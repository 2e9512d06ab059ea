import { describe, expect, test } from "@jest/globals";
import { type Access, covers, isRoot, mayAccess, mayList, mayManage, maySync, type Namespaces } from "./rights.ts";

const none = {};
const read: Namespaces = { wavi: "r" };
const write: Namespaces = { wavi: "rw" };
const everything: Namespaces = { "*": "rw" };
const readEverything: Namespaces = { "*": "r" };
const manager: Namespaces = { __manage: "rw" };
const root: Namespaces = { __manage: "rw", "*": "rw" };
const dotted: Namespaces = { "buzz.wavi": "rw" };

const grants = { none, read, write, everything, readEverything, manager, root, dotted };

/** What each grant allows, in the order of `grants`. */
type Row = [
  "-" | Access,
  "-" | Access,
  "-" | Access,
  "-" | Access,
  "-" | Access,
  "-" | Access,
  "-" | Access,
  "-" | Access,
];

/** Of one key: what may be done with it. */
const matrix: [kind: string, key: string, row: Row][] = [
  // none, wavi:r, wavi:rw, *:rw, *:r, __manage:rw, __manage:rw and *:rw, buzz.wavi:rw
  ["self", "phone.wavi@alice", ["-", "r", "rw", "rw", "r", "-", "rw", "-"]],
  ["shared", "@bob:phone.wavi@alice", ["-", "r", "rw", "rw", "r", "-", "rw", "-"]],
  ["shared with oneself", "@alice:phone.wavi@alice", ["-", "r", "rw", "rw", "r", "-", "rw", "-"]],
  ["public", "public:phone.wavi@alice", ["-", "r", "rw", "rw", "r", "-", "rw", "-"]],
  ["cached", "cached:@alice:phone.wavi@bob", ["-", "r", "rw", "rw", "r", "-", "rw", "-"]],
  ["cached public", "cached:public:phone.wavi@bob", ["-", "r", "rw", "rw", "r", "-", "rw", "-"]],
  ["received", "@alice:phone.wavi@bob", ["-", "r", "rw", "rw", "r", "-", "rw", "-"]],
  ["in another letter case", "Phone.WAVI@alice", ["-", "r", "rw", "rw", "r", "-", "rw", "-"]],
  ["of a dotted namespace", "phone.buzz.wavi@alice", ["-", "r", "rw", "rw", "r", "-", "rw", "rw"]],
  ["of a longer one", "phone.x.buzz.wavi@alice", ["-", "r", "rw", "rw", "r", "-", "rw", "rw"]],
  ["of another", "phone.other@alice", ["-", "-", "-", "rw", "r", "-", "rw", "-"]],
  ["of one that only ends alike", "phone.xwavi@alice", ["-", "-", "-", "rw", "r", "-", "rw", "-"]],
  ["of one below another", "phone.wavi.other@alice", ["-", "-", "-", "rw", "r", "-", "rw", "-"]],
  ["dotted, ends alike", "phone.xbuzz.wavi@alice", ["-", "r", "rw", "rw", "r", "-", "rw", "-"]],
  ["without namespace", "phone@alice", ["-", "-", "-", "rw", "r", "-", "rw", "-"]],
  ["named as the namespace", "wavi@alice", ["-", "-", "-", "rw", "r", "-", "rw", "-"]],
  ["with a dot at the end", "wavi.@alice", ["-", "-", "-", "rw", "r", "-", "rw", "-"]],
  ["text", "@bob:see you at wavi", ["-", "-", "-", "rw", "r", "-", "rw", "-"]],
  ["of a peculiar namespace", "phone.constructor@alice", ["-", "-", "-", "rw", "r", "-", "rw", "-"]],
  ["of another peculiar one", "phone.__proto__@alice", ["-", "-", "-", "rw", "r", "-", "rw", "-"]],
  ["of enrolments", "7c.new.enrollments.__manage@alice", ["-", "-", "-", "-", "-", "-", "-", "-"]],
  ["of their keys", "7c.default_self_enc_key.__manage@alice", ["-", "-", "-", "-", "-", "-", "-", "-"]],
  ["of enrolments, shared", "@bob:7c.new.enrollments.__MANAGE@alice", ["-", "-", "-", "-", "-", "-", "-", "-"]],
  ["reserved: own copy of a key", "shared_key.bob@alice", ["rw", "rw", "rw", "rw", "rw", "rw", "rw", "rw"]],
  ["reserved: recipient's copy", "@bob:shared_key@alice", ["rw", "rw", "rw", "rw", "rw", "rw", "rw", "rw"]],
  ["reserved: cached", "cached:@alice:shared_key@bob", ["rw", "rw", "rw", "rw", "rw", "rw", "rw", "rw"]],
  ["reserved: cached public key", "cached:public:publickey@bob", ["rw", "rw", "rw", "rw", "rw", "rw", "rw", "rw"]],
  ["reserved: without owner", "_note", ["rw", "rw", "rw", "rw", "rw", "rw", "rw", "rw"]],
  ["reserved: public key", "public:publickey@alice", ["r", "r", "r", "r", "r", "r", "rw", "r"]],
  ["reserved: signing key", "@alice:signing_privatekey@alice", ["r", "r", "r", "r", "r", "r", "rw", "r"]],
  ["reserved: login key", "privatekey:at_pkam_publickey", ["r", "r", "r", "r", "r", "r", "rw", "r"]],
  ["reserved: secret", "privatekey:at_secret", ["r", "r", "r", "r", "r", "r", "rw", "r"]],
  ["reserved: block list", "private:blocklist@alice", ["r", "r", "r", "r", "r", "r", "rw", "r"]],
];

describe("a record", () => {
  const cases = matrix.flatMap(([kind, key, row]) => {
    return Object.entries(grants).map(([name, namespaces], i) => ({ kind, key, name, namespaces, allowed: row[i] }));
  });

  test.each(cases)("$kind: $key, with $name: $allowed", ({ key, namespaces, allowed }) => {
    for (const verb of ["llookup", "lookup", "notify:fetch", "notify:status", "notify:list"]) {
      expect(mayAccess(namespaces, { key, access: "r", verb })).toBe(allowed !== "-");
    }
    for (const verb of ["update", "update:meta", "delete", "notify", "notify:all", "notify:remove"]) {
      expect(mayAccess(namespaces, { key, access: "rw", verb })).toBe(allowed === "rw");
    }
  });
});

test.each([
  [none, false],
  [write, false],
  [everything, false],
  [manager, true],
  [{ __manage: "r" }, true],
  [root, true],
] as [Namespaces, boolean][])(
  "what concerns enrolments, with %j, for the verbs that manage them: %j",
  (namespaces, allowed) => {
    const key = "7c.new.enrollments.__manage@alice";
    for (const verb of ["monitor", "otp", "enroll"]) {
      expect(mayAccess(namespaces, { key, access: "r", verb })).toBe(allowed);
    }
    expect(mayManage(namespaces)).toBe(allowed);
  },
);

test("the first namespace that fits decides, the last segment before longer ends", () => {
  const act = { access: "rw", verb: "update" } as const;
  expect(mayAccess({ "buzz.wavi": "r", wavi: "rw" }, { key: "a.buzz.wavi@alice", ...act })).toBe(true);
  expect(mayAccess({ wavi: "r", "buzz.wavi": "rw" }, { key: "a.buzz.wavi@alice", ...act })).toBe(false);
  expect(mayAccess({ "c.d": "r", "b.c.d": "rw" }, { key: "a.b.c.d@alice", ...act })).toBe(false);
  expect(mayAccess({ "*": "rw", wavi: "r" }, { key: "a.wavi@alice", ...act })).toBe(false);
});

test.each([
  [root, true],
  [everything, false],
  [manager, false],
  [{ __manage: "rw", "*": "r" }, false],
  [none, false],
] as [Namespaces, boolean][])("%j is the root: %j", (namespaces, expected) => {
  expect(isRoot(namespaces)).toBe(expected);
});

describe("an approver", () => {
  test.each([
    [write, { wavi: "rw" }, true],
    [write, { wavi: "r" }, true],
    [read, { wavi: "r" }, true],
    [read, { wavi: "rw" }, false],
    [write, { "buzz.wavi": "rw" }, true],
    [dotted, { "buzz.wavi": "rw" }, true],
    [dotted, { "x.buzz.wavi": "rw" }, true],
    [dotted, { wavi: "r" }, false],
    [write, { xwavi: "r" }, false],
    [write, { wavi: "rw", other: "r" }, false],
    [everything, { wavi: "rw", other: "r" }, true],
    [readEverything, { wavi: "r" }, true],
    [readEverything, { wavi: "rw" }, false],
    [everything, { "*": "rw" }, true],
    [readEverything, { "*": "rw" }, false],
    [write, { "*": "r" }, false],
    [everything, { __manage: "rw" }, false],
    [manager, { __manage: "rw" }, true],
    [manager, { wavi: "r" }, false],
    [root, { __manage: "rw", "*": "rw" }, true],
    [root, {}, true],
  ] as [Namespaces, Namespaces, boolean][])("with %j decides on %j: %j", (own, requested, expected) => {
    expect(covers(own, requested)).toBe(expected);
  });
});

describe("lists", () => {
  const keys = [
    "phone.wavi@alice",
    "phone.buzz.wavi@alice",
    "phone.other@alice",
    "phone@alice",
    "public:phone.other@alice",
    "public:publickey@alice",
    "cached:public:phone.other@bob",
    "cached:@alice:phone.wavi@bob",
    "@bob:shared_key@alice",
    "7c.new.enrollments.__manage@alice",
    "public:7c.x.__manage@alice",
  ];

  test.each([
    ["none", none, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]],
    ["read", read, [1, 1, 0, 0, 1, 1, 1, 1, 0, 0, 0]],
    ["dotted", dotted, [0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0]],
    ["everything", everything, [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]],
    ["manager", manager, [0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0]],
    ["root", root, [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]],
  ] as [string, Namespaces, number[]][])("scan, with %s", (_name, namespaces, expected) => {
    expect(keys.map((key) => Number(mayList(namespaces, key)))).toEqual(expected);
  });

  test.each([
    ["none", none, [0, 0, 0, 1, 0, 1, 0, 0, 1, 0, 0]],
    ["read", read, [1, 1, 0, 1, 0, 1, 0, 1, 1, 0, 0]],
    ["dotted", dotted, [0, 0, 0, 1, 0, 1, 0, 0, 1, 0, 0]],
    ["everything", everything, [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]],
    ["manager", manager, [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]],
  ] as [string, Namespaces, number[]][])("sync, with %s", (_name, namespaces, expected) => {
    expect(keys.map((key) => Number(maySync(namespaces, key)))).toEqual(expected);
  });
});
