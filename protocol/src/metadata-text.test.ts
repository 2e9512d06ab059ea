import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { metadataChanges } from "./arbitraries.ts";
import { formatMetadata, readMetadata } from "./metadata-text.ts";

describe("metadata is read", () => {
  test.each([
    ["", {}],
    [":ttl:60000:isEncrypted:false", { ttl: 60_000, isEncrypted: false }],
    [":isEncrypted:false:ttl:60000", { ttl: 60_000, isEncrypted: false }],
    [":ISENCRYPTED:True:ccd:FALSE", { isEncrypted: true, ccd: false }],
    [":ivNonce:a+/b==:dataSignature:x=", { ivNonce: "a+/b==", dataSignature: "x=" }],
    [":pubKeyHash:ab:hashingAlgo:sha512", { pubKeyHash: { hash: "ab", algo: "sha512" } }],
    [":hash:ab:algo:sha256", { pubKeyHash: { hash: "ab", algo: "sha256" } }],
    [":algo:sha256:ttl:1:hash:ab", { ttl: 1, pubKeyHash: { hash: "ab", algo: "sha256" } }],
    [":pubKeyHash:null", { pubKeyHash: null }],
    [":encoding:null", { encoding: null }],
    [":sharedKeyStatus:shared", {}],
    [":ttr:-1", { ttr: -1 }],
    [":ttl:0", { ttl: 0 }],
    [":immutable:true:appMetadata:e30=", { immutable: true, appMetadata: "e30=" }],
    [
      ":cAt:2024-10-24T01:35:02.123456Z:uAt:2024-10-24T01:35:02Z:eAt:2024-10-25T01:35:02.1Z:aAt:2024-10-24t01:35:02.123z",
      {
        createdAt: 1_729_733_702_123,
        updatedAt: 1_729_733_702_000,
        expiresAt: 1_729_820_102_100,
        availableAt: 1_729_733_702_123,
      },
    ],
  ])("%s", (text, metadata) => {
    expect(readMetadata(text, 0)).toEqual({ metadata, end: text.length });
  });

  test("up to what is none", () => {
    const line = "update:ttl:5:public:ttl@alice v";
    expect(readMetadata(line, 6)).toEqual({ metadata: { ttl: 5 }, end: 12 });
    expect(readMetadata(":ttl@alice", 0)).toEqual({ metadata: {}, end: 0 });
    expect(readMetadata(":@bob:x@alice:ttl:5", 0)).toEqual({ metadata: {}, end: 0 });
  });
});

describe("metadata is refused", () => {
  test.each([
    [":ttl:-1", "Valid value for TTL should be greater than or equal to 0"],
    [":ttb:-5", "Valid value for TTB should be greater than or equal to 0"],
    [":ttr:-2", "Valid values for TTR are -1 and greater than or equal to 1"],
    [":ttl:1.5", "ttl has a wrong value"],
    [":ttl:soon", "ttl has a wrong value"],
    [":ttl:", "ttl has a wrong value"],
    [":ttl:99999999999999999999", "99999999999999999999 is out of range"],
    [":ccd:maybe", "ccd has a wrong value"],
    [":ccd:truely", "ccd has a wrong value"],
    [":isBinary::x", "isBinary has a wrong value"],
    [":encoding:@x", "encoding has a wrong value"],
    [":cAt:2024-10-24", "cAt has a wrong value"],
    [":cAt:2024-13-24T01:35:02Z", "2024-13-24T01:35:02Z is not a date"],
    [":ttl:1:TTL:1", "ttl is there twice"],
    [":hash:ab:pubKeyHash:ab:algo:x", "pubKeyHash is there twice"],
    [":hash:ab", "pubKeyHash and hashingAlgo go together"],
    [":hashingAlgo:sha512", "pubKeyHash and hashingAlgo go together"],
  ])("%s", (text, message) => {
    expect(() => readMetadata(text, 0)).toThrow(expect.objectContaining({ error: "invalid_syntax", message }));
  });
});

test("is written in the order that a strict reader wants", () => {
  const change = {
    appMetadata: "e30=",
    isEncrypted: true,
    ttl: 5,
    pubKeyHash: { hash: "ab", algo: "sha512" },
    ivNonce: null,
  } as const;
  expect(formatMetadata(change)).toBe(
    ":ttl:5:isEncrypted:true:pubKeyHash:ab:hashingAlgo:sha512:ivNonce:null:appMetadata:e30=",
  );
});

test("parse(format(metadata)) = metadata, in any order of items", () => {
  fc.assert(
    fc.property(metadataChanges, (change) => {
      const text = formatMetadata(change);
      expect(readMetadata(text, 0)).toEqual({ metadata: change, end: text.length });
      const items = Object.entries(change).map(([member, value]) => formatMetadata({ [member]: value }));
      const reversed = items.reverse().join("");
      expect(readMetadata(reversed, 0)).toEqual({ metadata: change, end: reversed.length });
    }),
  );
});

test.each([
  { ivNonce: "a:b" },
  { ivNonce: "a b" },
  { ivNonce: "a@b" },
  { ivNonce: "a\nb" },
  { ivNonce: "" },
  { ivNonce: "null" },
  { pubKeyHash: { hash: "a:ttl:5", algo: "x" } },
  { ttl: -1 },
  { ttl: 1.5 },
  { ttr: -2 },
])("%j cannot be written", (change) => {
  expect(() => formatMetadata(change)).toThrow(expect.objectContaining({ error: "invalid_syntax" }));
});
