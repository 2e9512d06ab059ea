import { constants, createPublicKey, publicEncrypt } from "node:crypto";
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import {
  DecryptionError,
  decryptText,
  decryptWithKey,
  encryptForKey,
  encryptText,
  KeyFormatError,
  newIv,
  newKeyPair,
  newSymmetricKey,
  passphraseKey,
  publicKeyOf,
  signText,
  verifyText,
  zeroIv,
} from "./crypto.ts";

const key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const iv = Buffer.from("Dw4NDAsKCQgHBgUEAwIBAA==", "base64");
const pair = await newKeyPair();
const otherPair = await newKeyPair();
const anyText = fc.string({ unit: "binary", maxLength: 200 });

describe("AES", () => {
  // Made with the official SDKs.
  test.each([
    ["hello", zeroIv, "mvVs2kVClNui+JFh1iV8iw=="],
    ["0123456789abcdef", zeroIv, "wqEyhR58qeeRyvsIvkoS5uBNZr5aqY/1tuaLIVjSJi0="],
    ["", zeroIv, "4oAQpjpZj8C544p6zT5nkA=="],
    ["hello", iv, "GtSPVCN4RCB4oc/BgUmOqg=="],
    ["0123456789abcdef", iv, "QoDRC3hGeRxLk6Wo6Sbgx/9tUTrRxNfnK/tuRfPMmvE="],
  ])("encrypts %j as the other SDKs do", (plain, vector, cipher) => {
    expect(encryptText(plain, key, vector)).toBe(cipher);
    expect(decryptText(cipher, key, vector)).toBe(plain);
  });

  test("gives back any text", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const [k, i] = [newSymmetricKey(), newIv()];
        expect(decryptText(encryptText(text, k, i), k, i)).toBe(text);
      }),
    );
  });

  test("fails in one way only, whatever the cipher text", () => {
    fc.assert(
      fc.property(fc.oneof(anyText, fc.base64String()), (cipher) => {
        try {
          decryptText(cipher, key, iv);
        } catch (error) {
          expect(error).toEqual(new DecryptionError());
        }
      }),
    );
  });

  test.each([
    ["a pad of 0", Buffer.alloc(16, 0)],
    ["a pad of 17", Buffer.alloc(16, 17)],
    ["pad bytes that differ", Buffer.concat([Buffer.alloc(13, 65), Buffer.from([3, 2, 3])])],
    ["bytes that are not UTF-8", Buffer.concat([Buffer.alloc(15, 0xff), Buffer.from([1])])],
  ])("refuses %s", (_what, plain) => {
    // In CTR mode, encrypting sixteen known bytes gives the key stream.
    const known = Buffer.from(encryptText("0123456789abcdef", key, iv), "base64");
    const stream = Buffer.from("0123456789abcdef").map((byte, i) => byte ^ (known[i] ?? 0));
    const cipher = Buffer.from(plain.map((byte, i) => byte ^ (stream[i] ?? 0))).toString("base64");
    expect(() => decryptText(cipher, key, iv)).toThrow(DecryptionError);
  });

  test("accepts a whole block of padding only when all of it is", () => {
    expect(decryptText(encryptText("0123456789abcdef", key, iv), key, iv)).toBe("0123456789abcdef");
  });

  test.each(["", "AAAA", "not base64", key.slice(0, -1)])("refuses %j as a key", (bad) => {
    expect(() => encryptText("x", bad, iv)).toThrow(KeyFormatError);
    expect(() => decryptText("4oAQpjpZj8C544p6zT5nkA==", bad, iv)).toThrow(KeyFormatError);
  });

  test("refuses an IV of another length", () => {
    expect(() => encryptText("x", key, Buffer.alloc(12))).toThrow(RangeError);
    expect(() => decryptText("4oAQpjpZj8C544p6zT5nkA==", key, Buffer.alloc(12))).toThrow(DecryptionError);
  });
});

describe("RSA", () => {
  test("has the text forms of the other SDKs", () => {
    expect(pair.publicKey).toHaveLength(392);
    expect(pair.privateKey.length).toBeGreaterThan(1600);
    expect(publicKeyOf(pair.privateKey)).toBe(pair.publicKey);
  });

  test("gives back what was encrypted", () => {
    for (let i = 0; i < 20; i++) {
      const secret = newSymmetricKey();
      const cipher = encryptForKey(secret, pair.publicKey);
      expect(cipher).toHaveLength(344);
      expect(decryptWithKey(cipher, pair.privateKey)).toBe(secret);
    }
    expect(decryptWithKey(encryptForKey("", pair.publicKey), pair.privateKey)).toBe("");
  });

  test.each([
    ["a block of type 1", [0, 1, ...Array(253).fill(0xff), 0]],
    ["a first byte that is not 0", [1, 2, ...Array(252).fill(7), 0, 65]],
    ["fewer than eight bytes of padding", [0, 2, 1, 2, 3, 4, 5, 6, 7, 0, ...Array(246).fill(65)]],
    ["no end of the padding", [0, 2, ...Array(254).fill(7)]],
    ["bytes that are not UTF-8", [0, 2, ...Array(250).fill(7), 0, 0xff, 0xfe, 0xfd]],
  ])("refuses %s", (_what, encoded) => {
    const key = createPublicKey({ key: Buffer.from(pair.publicKey, "base64"), format: "der", type: "spki" });
    const cipher = publicEncrypt({ key, padding: constants.RSA_NO_PADDING }, Buffer.from(encoded));
    expect(() => decryptWithKey(cipher.toString("base64"), pair.privateKey)).toThrow(DecryptionError);
  });

  test.each(["", "AAAA", "no base64!", "A".repeat(344), "A".repeat(400)])("refuses the cipher text %j", (cipher) => {
    expect(() => decryptWithKey(cipher, pair.privateKey)).toThrow(DecryptionError);
  });

  test("does not open with another key", () => {
    expect(() => decryptWithKey(encryptForKey("secret", pair.publicKey), otherPair.privateKey)).toThrow(
      DecryptionError,
    );
  });

  test("signs what it verifies, and nothing else", () => {
    const signature = signText("grüße", pair.privateKey);
    expect(verifyText("grüße", signature, pair.publicKey)).toBe(true);
    expect(verifyText("grüsse", signature, pair.publicKey)).toBe(false);
    expect(verifyText("grüße", signature, otherPair.publicKey)).toBe(false);
    expect(verifyText("grüße", "no signature", pair.publicKey)).toBe(false);
    expect(verifyText("grüße", "", pair.publicKey)).toBe(false);
  });

  test.each(["", "AAAA", "-----BEGIN PUBLIC KEY-----"])("refuses %j as a key", (bad) => {
    expect(() => encryptForKey("x", bad)).toThrow(KeyFormatError);
    expect(() => signText("x", bad)).toThrow(KeyFormatError);
  });
});

test("a passphrase makes the key that the other SDKs make of it", () => {
  expect(passphraseKey("correct-horse")).toBe("vlBIDLgQk9YxfjXEwjEhMEdSN4kVS9t282jZu0P+u6o=");
});
