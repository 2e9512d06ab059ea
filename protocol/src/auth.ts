import {
  createHash,
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  sign,
  timingSafeEqual,
  verify,
} from "node:crypto";
import { ProtocolError } from "./errors.ts";

export type SigningAlgo = "rsa2048" | "ecc_secp256r1";
export type HashingAlgo = "sha256" | "sha512";

/**
 * What a client answers to the challenge when it activates an atSign. Not an HMAC, but what the protocol says.
 *
 * @returns 128 digits of lower-case hex
 */
export function cramDigest(secret: string, challenge: string): string {
  return createHash("sha512").update(secret).update(challenge).digest("hex");
}

/** Compares in constant time. */
export function verifyCram({
  secret,
  challenge,
  digest,
}: {
  secret: string;
  challenge: string;
  digest: string;
}): boolean {
  const expected = Buffer.from(cramDigest(secret, challenge));
  const given = Buffer.from(digest.toLowerCase());
  return given.length === expected.length && timingSafeEqual(given, expected);
}

/**
 * Signs a challenge.
 *
 * @param privateKey base64 of the PKCS#8 DER form, an RSA key or one on secp256r1
 * @param challenge the whole text after `data:`
 * @returns the signature as `pkam` carries it
 * @throws {ProtocolError} `illegal_arguments` when the key cannot be read
 */
export function signPkam(
  privateKey: string,
  challenge: string,
  { signingAlgo = "rsa2048", hashingAlgo = "sha256" }: { signingAlgo?: SigningAlgo; hashingAlgo?: HashingAlgo } = {},
): string {
  const key = readPrivateKey(privateKey);
  const data = Buffer.from(challenge);
  if (signingAlgo === "rsa2048") return sign(hashingAlgo, data, key).toString("base64");
  const signature = sign("sha256", data, { key, dsaEncoding: "ieee-p1363" });
  return Buffer.from(signature.toString("hex")).toString("base64");
}

function readPrivateKey(privateKey: string): KeyObject {
  try {
    return createPrivateKey({ key: Buffer.from(privateKey, "base64"), format: "der", type: "pkcs8" });
  } catch (cause) {
    throw new ProtocolError("illegal_arguments", "not a private key in PKCS#8", { cause });
  }
}

export interface PkamProof {
  /** `rsa2048`: base64 of the SPKI DER form; `ecc_secp256r1`: hex of the point */
  readonly publicKey: string;
  /** base64; for `ecc_secp256r1` of the hex text of r and s */
  readonly signature: string;
  readonly challenge: string;
  readonly signingAlgo?: SigningAlgo;
  /** for `rsa2048`; the other is always over SHA-256 */
  readonly hashingAlgo?: HashingAlgo;
}

/** @returns false also for keys and signatures that are none: both come from outside */
export function verifyPkam({ signingAlgo = "rsa2048", hashingAlgo = "sha256", ...proof }: PkamProof): boolean {
  const signature = decodeBase64(proof.signature);
  if (signature === undefined) return false;
  const data = Buffer.from(proof.challenge);
  try {
    return signingAlgo === "rsa2048"
      ? verifyRsa(proof.publicKey, hashingAlgo, data, signature)
      : verifyEcc(proof.publicKey, data, signature);
  } catch {
    return false; // OpenSSL could not read the key: nothing can be proven with it
  }
}

function verifyRsa(publicKey: string, hashingAlgo: HashingAlgo, data: Buffer, signature: Buffer): boolean {
  const der = decodeBase64(publicKey);
  if (der === undefined) return false;
  const key = createPublicKey({ key: der, format: "der", type: "spki" });
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  // The upper bound keeps a login from costing seconds.
  if (key.asymmetricKeyType !== "rsa" || bits < 2048 || bits > 4096) return false;
  return verify(hashingAlgo, data, key, signature);
}

function verifyEcc(publicKey: string, data: Buffer, signature: Buffer): boolean {
  const rs = signature.toString("latin1");
  if (!/^[0-9a-f]{128}$/i.test(rs)) return false;
  const der = secp256r1Spki(publicKey);
  if (der === undefined) return false;
  const key = createPublicKey({ key: der, format: "der", type: "spki" });
  return verify("sha256", data, { key, dsaEncoding: "ieee-p1363" }, Buffer.from(rs, "hex"));
}

/** AlgorithmIdentifier of an EC key on the curve. RFC 5480, section 2. */
const secp256r1Algorithm = Buffer.from("301306072a8648ce3d020106082a8648ce3d030107", "hex");

/** @param point hex, uncompressed (`04…`) or compressed (`02…`, `03…`) */
function secp256r1Spki(point: string): Buffer | undefined {
  if (!/^(?:04[0-9a-f]{128}|0[23][0-9a-f]{64})$/i.test(point)) return undefined;
  const bytes = Buffer.from(point, "hex");
  const bits = Buffer.from([0x03, bytes.length + 1, 0]);
  const length = secp256r1Algorithm.length + bits.length + bytes.length;
  return Buffer.concat([Buffer.from([0x30, length]), secp256r1Algorithm, bits, bytes]);
}

/** Longer than any key or signature in use. */
const maxBase64Characters = 4096;

function decodeBase64(text: string): Buffer | undefined {
  if (text.length > maxBase64Characters || !/^[A-Za-z0-9+/]+={0,2}$/.test(text)) return undefined;
  return Buffer.from(text, "base64");
}
