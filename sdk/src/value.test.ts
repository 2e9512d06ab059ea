import { update } from "@atrium/protocol";
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { encryptText, newKeyPair, newSymmetricKey, verifyText, zeroIv } from "./crypto.ts";
import { decodeEncrypted, decodePublic, encodeEncrypted, encodePublic, maxValueBytes } from "./value.ts";

const pair = await newKeyPair();
const key = newSymmetricKey();
const text = fc.string({ unit: "binary", minLength: 1, maxLength: 50 });

/** What a server has after it has parsed the command that carries the value. */
function carried({ value, metadata }: ReturnType<typeof encodePublic>) {
  const line = update.format({ key: "public:x.y@alice", value, metadata });
  const { encoding, dataSignature, ivNonce, isEncrypted, ...rest } = update.parse(line).metadata;
  expect(rest).toEqual({});
  return {
    value: update.parse(line).value,
    metadata: {
      ...(typeof encoding === "string" && { encoding }),
      ...(typeof dataSignature === "string" && { dataSignature }),
      ...(typeof ivNonce === "string" && { ivNonce }),
      ...(isEncrypted !== undefined && { isEncrypted }),
    },
  };
}

describe("a public value", () => {
  test("comes back as it was, signed, through a command line", () => {
    fc.assert(
      fc.property(text, (value) => {
        const stored = carried(encodePublic(value, pair.privateKey));
        expect(decodePublic(stored.value, stored.metadata)).toBe(value);
        expect(verifyText(value, stored.metadata.dataSignature ?? "", pair.publicKey)).toBe(true);
      }),
      { numRuns: 50 },
    );
  });

  test.each([
    ["Al", "Al", null],
    ["two words", "two words", null],
    ["two\nlines", "dHdvCmxpbmVz", "base64"],
    ["blank ", "Ymxhbmsg", "base64"],
    ["\u00a0", "wqA=", "base64"],
    ["a\u0000b", "YQBi", "base64"],
  ])("%j is written as %j, encoding %s", (value, written, encoding) => {
    expect(encodePublic(value, pair.privateKey)).toMatchObject({ value: written, metadata: { encoding } });
  });

  test("cannot be empty, nor longer than what all SDKs send", () => {
    expect(() => encodePublic("", pair.privateKey)).toThrow("a public value cannot be empty");
    expect(() => encodePublic("x".repeat(maxValueBytes + 1), pair.privateKey)).toThrow("the value is too long");
    expect(encodePublic("x".repeat(maxValueBytes), pair.privateKey).value).toHaveLength(maxValueBytes);
  });

  test.each([
    ["no base64", "base64", "the value is not base64 as its metadata says"],
    ["/w==", "base64", "the value is not UTF-8"],
    ["QUw=", "base91", "the value is not base91 as its metadata says"],
  ])("%j with the encoding %s is damaged", (value, encoding, message) => {
    expect(() => decodePublic(value, { encoding })).toThrow(message);
  });
});

describe("an encrypted value", () => {
  test("comes back as it was, through a command line", () => {
    fc.assert(
      fc.property(fc.oneof(text, fc.constant("")), (value) => {
        const stored = carried(encodeEncrypted(value, key));
        expect(decodeEncrypted(stored.value, stored.metadata, key)).toBe(value);
      }),
    );
  });

  test("is never written alike twice", () => {
    expect(encodeEncrypted("x", key).value).not.toBe(encodeEncrypted("x", key).value);
  });

  test("is read from SDKs that use no IV, and from those that do not say that it is encrypted", () => {
    expect(decodeEncrypted(encryptText("x", key, zeroIv), { isEncrypted: true }, key)).toBe("x");
    const { value, metadata } = encodeEncrypted("x", key);
    expect(decodeEncrypted(value, { ivNonce: String(metadata.ivNonce) }, key)).toBe("x");
    expect(decodeEncrypted("in clear", { isEncrypted: false }, key)).toBe("in clear");
  });

  test.each([
    ["AAAA", {}],
    ["in clear", {}],
    [encryptText("x", key, zeroIv), { ivNonce: "AAAA" }],
    [encryptText("x", key, zeroIv), { ivNonce: "no base64" }],
  ])("%j %j is damaged", (value, metadata) => {
    expect(() => decodeEncrypted(value, { isEncrypted: true, ...metadata }, key)).toThrow("cannot be decrypted");
  });
});
