import { describe, expect, test } from "@jest/globals";
import { update } from "./update.ts";
import { updateMeta } from "./update-meta.ts";

const signature = "Zm9v+/8=";

describe("a client's update is read", () => {
  test.each([
    ["update:x.wavi@alice hi", "x.wavi@alice", "hi", {}],
    [
      "update:ttl:60000:isEncrypted:false:public:x.wavi@alice hi",
      "public:x.wavi@alice",
      "hi",
      { ttl: 60_000, isEncrypted: false },
    ],
    // Python
    [
      `update:dataSignature:${signature}:isEncrypted:true:self1.ns@alice v`,
      "self1.ns@alice",
      "v",
      { dataSignature: signature, isEncrypted: true },
    ],
    [
      `update:dataSignature:${signature}:public:pub1.ns@alice v`,
      "public:pub1.ns@alice",
      "v",
      { dataSignature: signature },
    ],
    ["update:ttr:86400000:@bob:shared_key@alice v", "@bob:shared_key@alice", "v", { ttr: 86_400_000 }],
    [
      `update:ttl:2000:dataSignature:${signature}:isEncrypted:true:ivNonce:${signature}:self.ns@alice v`,
      "self.ns@alice",
      "v",
      { ttl: 2000, dataSignature: signature, isEncrypted: true, ivNonce: signature },
    ],
    [
      "update:ccd:True:sharedKeyEnc:e=:pubKeyCS:c:isBinary:False:isEncrypted:True:@bob:x@alice v",
      "@bob:x@alice",
      "v",
      { ccd: true, sharedKeyEnc: "e=", pubKeyCS: "c", isBinary: false, isEncrypted: true },
    ],
    // Java
    [
      "update:ttr:-1:ccd:true:isBinary:false:isEncrypted:true:@bob:jtest.ns@alice v",
      "@bob:jtest.ns@alice",
      "v",
      { ttr: -1, ccd: true, isBinary: false, isEncrypted: true },
    ],
    ["update:ttr:0:x@alice v", "x@alice", "v", { ttr: 0 }],
    [
      "update:sharedKeyEnc:e=:pubKeyCS:c:pubKeyHash:ab:hashingAlgo:sha512:@bob:x@alice v",
      "@bob:x@alice",
      "v",
      { sharedKeyEnc: "e=", pubKeyCS: "c", pubKeyHash: { hash: "ab", algo: "sha512" } },
    ],
    // C
    [`update:ivNonce:${signature}:cself.ns@alice v\r`, "cself.ns@alice", "v", { ivNonce: signature }],
    [
      "update:isBinary:false:dataSignature:s:hash:ab:algo:sha256:public:cpub.ns@alice v\r",
      "public:cpub.ns@alice",
      "v",
      { isBinary: false, dataSignature: "s", pubKeyHash: { hash: "ab", algo: "sha256" } },
    ],
    // Dart
    ["update:privatekey:at_pkam_publickey MIIB", "privatekey:at_pkam_publickey", "MIIB", {}],
    ["update:public:publickey@alice MIIB", "public:publickey@alice", "MIIB", {}],
    // names that look like something else, and values that look like commands
    ["update:ttl@alice v", "ttl@alice", "v", {}],
    ["update:public:public@alice v", "public:public@alice", "v", {}],
    ["update:meta@alice v", "meta@alice", "v", {}],
    ["update:x@alice  update:y@bob  v", "x@alice", " update:y@bob  v", {}],
    ["UPDATE:TTL:5:PUBLIC:X.Ns@ALICE Value", "public:x.ns@alice", "Value", { ttl: 5 }],
    ["up date:x@alice v", "x@alice", "v", {}],
    ["update:@Bo.b:x@al.ice v", "@bob:x@alice", "v", {}],
    ["update:☎️.ns@😀 📞", "☎️.ns@😀", "📞", {}],
    // what is refused only after the owner and the type of the key were looked at
    ["update:private:x@alice v", "private:x@alice", "v", {}],
    ["update:cached:@alice:x@bob v", "cached:@alice:x@bob", "v", {}],
    ["update:local:x@alice v", "local:x@alice", "v", {}],
    ["update:phone v", "phone", "v", {}],
  ])("%s", (line, key, value, metadata) => {
    expect(update.parse(line)).toEqual({ key, value, metadata });
  });
});

test.each([
  "update",
  "update:",
  "update:x@alice",
  "update:x@alice ",
  "update: v",
  "update:@alice v",
  "update:x@alice@bob v",
  "update:public:@bob:x@alice v",
  "update:other:x@alice v",
  "update::x@alice v",
  "update:ttl:5 v",
  "update:ttl:-5:x@alice v",
  "update:ttl:x:x@alice v",
  "update:privatekey:at_secret v",
  "update:privatekey:at_pkam_publickey@alice v",
  "update:x\t@alice v",
  "update:x@alice v\nupdate:y@alice w",
])("%j is wrong", (line) => {
  expect(() => update.parse(line)).toThrow(expect.objectContaining({ code: "AT0003" }));
});

test("a value of 10,230,000 bytes arrives whole", () => {
  const value = "v".repeat(10_230_000);
  expect(update.parse(`update:ttl:5:x.ns@alice ${value}`)).toEqual({ key: "x.ns@alice", value, metadata: { ttl: 5 } });
});

test.each([
  ["x@alice", "a\nb"],
  ["x@alice", ""],
  ["x@alice", "v "],
  ["x@alice", "v\r"],
  ["x y@alice", "v"],
  ["ttl:5:x@alice", "v"],
  ["", "v"],
])("key %j with value %j cannot be said", (key, value) => {
  expect(() => update.format({ key, value, metadata: {} })).toThrow(expect.objectContaining({ code: "AT0003" }));
});

describe("update:json", () => {
  const json = (members: object): string => `update:json:${JSON.stringify(members)}`;
  const own = { atKey: "x.ns", sharedBy: "@alice", value: "v" };

  test.each([
    [own, { key: "x.ns@alice", value: "v", metadata: {} }],
    [
      { ...own, sharedBy: "Al.ice", sharedWith: "bob" },
      { key: "@bob:x.ns@alice", value: "v", metadata: {} },
    ],
    [
      { ...own, metadata: { isPublic: true, ttl: 5 } },
      { key: "public:x.ns@alice", value: "v", metadata: { ttl: 5 } },
    ],
    [
      { ...own, metadata: { ttl: null, isEncrypted: true, version: 7, createdBy: "@eve" } },
      { key: "x.ns@alice", value: "v", metadata: { isEncrypted: true } },
    ],
    [
      { atKey: "privatekey:at_pkam_publickey", value: "MIIB" },
      { key: "privatekey:at_pkam_publickey", value: "MIIB", metadata: {} },
    ],
  ])("%j", (members, params) => {
    expect(update.parse(json(members))).toEqual(params);
  });

  test.each([
    {},
    { ...own, value: undefined },
    { ...own, value: 5 },
    { ...own, value: " " },
    { ...own, value: "two\nlines" },
    { ...own, value: "half \ud83d" },
    { ...own, atKey: "public:x" },
    { ...own, atKey: "x@bob" },
    { ...own, atKey: "privatekey:at_secret" },
    { ...own, metadata: { ttl: -1 } },
    { ...own, metadata: { ttl: "soon" } },
    { ...own, metadata: { ivNonce: "a\nb" } },
    { ...own, metadata: "none" },
  ])("%j is wrong", (members) => {
    expect(() => update.parse(json(members))).toThrow(expect.objectContaining({ code: "AT0003" }));
  });

  test("what is no JSON is wrong", () => {
    expect(() => update.parse("update:json:{x}")).toThrow(expect.objectContaining({ code: "AT0003" }));
  });
});

describe("update:meta", () => {
  test.each([
    ["update:meta:x@alice:ttl:5", { key: "x@alice", metadata: { ttl: 5 } }],
    [
      "update:meta:@bob:x.ns@alice:isEncrypted:true:ttl:5",
      { key: "@bob:x.ns@alice", metadata: { ttl: 5, isEncrypted: true } },
    ],
    ["update:meta:public:x@alice", { key: "public:x@alice", metadata: {} }],
    ["Update:Meta:public:X@Alice:TTB:5", { key: "public:x@alice", metadata: { ttb: 5 } }],
    ["update:meta:private:x@alice:ttl:5", { key: "private:x@alice", metadata: { ttl: 5 } }],
  ])("%s", (line, params) => {
    expect(updateMeta.parse(line)).toEqual(params);
  });

  test.each([
    "update:meta:",
    "update:meta:x:ttl:5",
    "update:meta:ttl:5:x@alice",
    "update:meta:x@alice v",
    "update:meta:x@alice:ttl:5 v",
    "update:meta:x@alice:ttl",
    "update:meta:x@alice:other:5",
    "update:meta:privatekey:at_pkam_publickey:ttl:5",
  ])("%s is wrong", (line) => {
    expect(() => updateMeta.parse(line)).toThrow(expect.objectContaining({ code: "AT0003" }));
  });
});
