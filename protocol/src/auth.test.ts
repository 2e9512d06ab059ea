import { createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { cramDigest, signPkam, verifyCram, verifyPkam } from "./auth.ts";

const challenge = "_11111111-2222-3333-4444-555555555555@alice:66666666-7777-8888-9999-000000000000";
const digest =
  "ab546f9e653b6ec47ee56818b6f57c9b3e36475d77568804eab108f4e0026c913e1260fa4b4f5617f882f82a09d04dedfd7895439294296ba3dbafcd3bfbb0ca";

test("the CRAM digest is that of the protocol's example", () => {
  expect(cramDigest("secret", challenge)).toBe(digest);
});

test.each([
  [digest, true],
  [digest.toUpperCase(), true],
  [digest.replace("a", "b"), false],
  [digest.slice(1), false],
  ["", false],
  ["é".repeat(64), false],
])("%s proves the secret: %s", (given, proven) => {
  expect(verifyCram({ secret: "secret", challenge, digest: given })).toBe(proven);
});

function rsa(modulusLength: number) {
  return texts(generateKeyPairSync("rsa", { modulusLength }));
}

function texts({ publicKey, privateKey }: { publicKey: KeyObject; privateKey: KeyObject }) {
  return {
    publicKey: publicKey.export({ format: "der", type: "spki" }).toString("base64"),
    privateKey: privateKey.export({ format: "der", type: "pkcs8" }).toString("base64"),
  };
}

/** The point of a key on an elliptic curve, in hex. */
function point(publicKey: string, compressed: boolean): string {
  const key = createPublicKey({ key: Buffer.from(publicKey, "base64"), format: "der", type: "spki" });
  const { x = "", y = "" } = key.export({ format: "jwk" });
  const [xBytes, yBytes] = [Buffer.from(x, "base64url"), Buffer.from(y, "base64url")];
  const odd = (yBytes.at(-1) ?? 0) % 2 === 1;
  return compressed
    ? `${odd ? "03" : "02"}${xBytes.toString("hex")}`
    : `04${xBytes.toString("hex")}${yBytes.toString("hex")}`;
}

const pair = rsa(2048);
const ecc = texts(generateKeyPairSync("ec", { namedCurve: "P-256" }));

describe("a login with an RSA key", () => {
  test.each(["sha256", "sha512"] as const)("is proven over %s", (hashingAlgo) => {
    const signature = signPkam(pair.privateKey, challenge, { hashingAlgo });
    expect(signature).toHaveLength(344);
    expect(verifyPkam({ publicKey: pair.publicKey, signature, challenge, hashingAlgo, signingAlgo: "rsa2048" })).toBe(
      true,
    );
    expect(verifyPkam({ publicKey: pair.publicKey, signature, challenge })).toBe(hashingAlgo === "sha256");
  });

  test("is refused over another challenge, with another key, or with another kind of signature", () => {
    const signature = signPkam(pair.privateKey, challenge);
    expect(verifyPkam({ publicKey: pair.publicKey, signature, challenge: `${challenge}0` })).toBe(false);
    expect(verifyPkam({ publicKey: rsa(2048).publicKey, signature, challenge })).toBe(false);
    expect(verifyPkam({ publicKey: pair.publicKey, signature, challenge, signingAlgo: "ecc_secp256r1" })).toBe(false);
  });

  test("is refused with a key that is too small", () => {
    const small = rsa(1024);
    expect(
      verifyPkam({ publicKey: small.publicKey, signature: signPkam(small.privateKey, challenge), challenge }),
    ).toBe(false);
  });

  test("is refused with a key that is none", () => {
    const signature = signPkam(pair.privateKey, challenge);
    const others = [
      ecc.publicKey,
      texts(generateKeyPairSync("ed25519")).publicKey,
      pair.privateKey,
      "",
      "AAAA",
      "not base64",
    ];
    for (const publicKey of others) expect(verifyPkam({ publicKey, signature, challenge })).toBe(false);
  });
});

describe("a login with a key on secp256r1", () => {
  test.each([false, true])("is proven, the point compressed: %s", (compressed) => {
    const signature = signPkam(ecc.privateKey, challenge, { signingAlgo: "ecc_secp256r1" });
    expect(Buffer.from(signature, "base64").toString()).toMatch(/^[0-9a-f]{128}$/);
    const proof = { publicKey: point(ecc.publicKey, compressed), signature, signingAlgo: "ecc_secp256r1" } as const;
    expect(verifyPkam({ ...proof, challenge })).toBe(true);
    expect(verifyPkam({ ...proof, challenge: `${challenge}0` })).toBe(false);
    expect(verifyPkam({ ...proof, challenge, hashingAlgo: "sha512" })).toBe(true);
  });

  test("is refused with a point off the curve", () => {
    const signature = signPkam(ecc.privateKey, challenge, { signingAlgo: "ecc_secp256r1" });
    expect(verifyPkam({ publicKey: `04${"11".repeat(64)}`, signature, challenge, signingAlgo: "ecc_secp256r1" })).toBe(
      false,
    );
  });
});

test("nothing from outside makes it throw, or believe", () => {
  const hex = fc.string({ unit: fc.constantFrom(..."0123456789abcdef"), minLength: 128, maxLength: 128 });
  const base64 = fc.base64String({ maxLength: 400 });
  const texts = fc.oneof(
    fc.string({ unit: "binary" }),
    base64,
    hex,
    hex.map((text) => `04${text}`),
    hex.map((text) => btoa(text)),
  );
  const publicKeys = fc.oneof(texts, fc.constant(pair.publicKey), fc.constant(point(ecc.publicKey, false)));
  const algorithms = fc.constantFrom("rsa2048" as const, "ecc_secp256r1" as const);
  fc.assert(
    fc.property(publicKeys, texts, algorithms, (publicKey, signature, signingAlgo) => {
      expect(verifyPkam({ publicKey, signature, challenge, signingAlgo })).toBe(false);
    }),
  );
});

test.each(["", "AAAA", pair.publicKey])("a private key that is none is told: %.10s", (privateKey) => {
  expect(() => signPkam(privateKey, challenge)).toThrow(expect.objectContaining({ error: "illegal_arguments" }));
});
