import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { recordMetadata } from "./arbitraries.ts";
import { ProtocolError } from "./errors.ts";
import { mergeMetadata } from "./metadata.ts";
import { formatMetadataJson, parseMetadataJson } from "./metadata-json.ts";

test("has the form of the protocol's example", () => {
  const metadata = mergeMetadata(undefined, {}, { now: 1_729_733_702_123, by: "@alice" });
  expect(JSON.stringify(formatMetadataJson(metadata))).toBe(
    '{"createdBy":"@alice","updatedBy":"@alice","createdAt":"2024-10-24 01:35:02.123Z","updatedAt":"2024-10-24 01:35:02.123Z","status":"active","version":0,"isBinary":false,"isEncrypted":false}',
  );
});

test("has its members in the order of the reference, whatever their order in the record", () => {
  const order =
    "createdBy, updatedBy, createdAt, updatedAt, availableAt, expiresAt, refreshAt, status, version, ttl, ttb, ttr, ccd, isBinary, isEncrypted, dataSignature, sharedKeyEnc, pubKeyCS, encoding, encKeyName, encAlgo, ivNonce, skeEncKeyName, skeEncAlgo, pubKeyHash, immutable, appMetadata".split(
      ", ",
    );
  fc.assert(
    fc.property(recordMetadata, (metadata) => {
      const reversed = Object.fromEntries(Object.entries(metadata).reverse());
      expect(Object.keys(formatMetadataJson(reversed))).toEqual(order.filter((member) => member in metadata));
    }),
  );
});

test("names the algorithm of a hash for both kinds of readers", () => {
  expect(formatMetadataJson({ pubKeyHash: { hash: "ab", algo: "sha512" } })).toEqual({
    pubKeyHash: { hash: "ab", algo: "sha512", hashingAlgo: "sha512" },
  });
  expect(parseMetadataJson({ pubKeyHash: { hash: "ab", hashingAlgo: "sha512" } })).toEqual({
    pubKeyHash: { hash: "ab", algo: "sha512" },
  });
});

test("what is written can be read, also with every value a string", () => {
  fc.assert(
    fc.property(recordMetadata, (metadata) => {
      const json = formatMetadataJson(metadata);
      expect(parseMetadataJson(JSON.parse(JSON.stringify(json)))).toEqual(metadata);
      const strings = Object.entries(json).map(([member, value]) => [
        member,
        typeof value === "object" ? value : String(value),
      ]);
      expect(parseMetadataJson(Object.fromEntries(strings))).toEqual(metadata);
    }),
  );
});

test("passes over unknown members and nulls", () => {
  expect(parseMetadataJson({ ttl: 5, ttb: null, expiresAt: "null", isPublic: true })).toEqual({ ttl: 5 });
});

test.each([
  null,
  undefined,
  5,
  "text",
  [],
  { ttl: "soon" },
  { ttl: 1.5 },
  { isBinary: 1 },
  { createdAt: "yesterday" },
  { pubKeyHash: "ab" },
  { encoding: {} },
])("refuses %j", (json) => {
  expect(() => parseMetadataJson(json)).toThrow(expect.objectContaining({ error: "invalid_syntax" }));
});

test("nothing but its own error comes out", () => {
  const members = ["ttl", "ccd", "createdAt", "pubKeyHash", "encoding", "status", "__proto__"];
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue(), fc.dictionary(fc.constantFrom(...members), fc.jsonValue())), (json) => {
      try {
        parseMetadataJson(json);
      } catch (error) {
        expect(error).toBeInstanceOf(ProtocolError);
      }
    }),
  );
});
