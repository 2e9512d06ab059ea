import {
  createDecipheriv,
  createHash,
  createPrivateKey,
  createPublicKey,
  createSign,
  generateKeyPairSync,
  randomBytes,
  sign,
} from "node:crypto";
import type { Functions, Variables } from "./template.ts";

/** base64 of DER: SubjectPublicKeyInfo and PKCS#8, as the protocol carries them */
export interface KeyPair {
  readonly publicKey: string;
  readonly privateKey: string;
}

export function rsaPair(): KeyPair {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "der" },
    privateKeyEncoding: { type: "pkcs8", format: "der" },
  });
  return { publicKey: publicKey.toString("base64"), privateKey: privateKey.toString("base64") };
}

/** base64 SubjectPublicKeyInfo of a private key. */
export function publicKeyOf(privateKey: string): string {
  const key = createPrivateKey({ key: Buffer.from(privateKey, "base64"), format: "der", type: "pkcs8" });
  return createPublicKey(key).export({ type: "spki", format: "der" }).toString("base64");
}

/** RSASSA-PKCS1-v1_5, base64. */
export function signed(privateKey: string, text: string, hash: "sha256" | "sha512" = "sha256"): string {
  return createSign(hash)
    .update(text)
    .sign({ key: Buffer.from(privateKey, "base64"), format: "der", type: "pkcs8" })
    .toString("base64");
}

/** lower-case hex of SHA-512 over secret and challenge, nothing between them */
export function digest(secret: string, challenge: string): string {
  return createHash("sha512")
    .update(secret + challenge)
    .digest("hex");
}

/** AES-256-CTR under the key 00…1f, PKCS#7; `cipher` and `iv` in base64. */
export function decrypted(cipher: string, iv: string): string {
  const key = Buffer.from(Array.from({ length: 32 }, (_none, index) => index));
  const decipher = createDecipheriv("aes-256-ctr", key, Buffer.from(iv, "base64"));
  const padded = Buffer.concat([decipher.update(cipher, "base64"), decipher.final()]);
  return padded.subarray(0, padded.length - (padded.at(-1) ?? 0)).toString();
}

/** Keys of an app that enrols itself: one pair for all of them, since making one takes a while. */
const app = rsaPair();
const wrong = rsaPair();
const elliptic = generateKeyPairSync("ec", { namedCurve: "prime256v1" });

/** The public key that {@link ownFunctions}' `app` signs for. */
export const appKey = app.publicKey;

/** The uncompressed point, hex. */
function ellipticPoint(): string {
  const { x = "", y = "" } = elliptic.publicKey.export({ format: "jwk" });
  return `04${Buffer.from(x, "base64url").toString("hex")}${Buffer.from(y, "base64url").toString("hex")}`;
}

/** base64 of the text of 128 hex digits, as secure elements' clients send it */
function ellipticSignature(text: string): string {
  const bytes = sign("sha256", Buffer.from(text), { key: elliptic.privateKey, dsaEncoding: "ieee-p1363" });
  return Buffer.from(bytes.toString("hex")).toString("base64");
}

/** What every target has; a variable's name is the argument where something is signed. */
export function ownFunctions(): Functions {
  const value = (name: string, variables: Variables) => variables.get(name) ?? "";
  return {
    sign: (names, variables) => {
      const [key = "", text = ""] = names.split(",");
      return signed(value(key, variables), value(text, variables));
    },
    app: (name, variables) => signed(app.privateKey, value(name, variables)),
    app512: (name, variables) => signed(app.privateKey, value(name, variables), "sha512"),
    appKey: () => app.publicKey,
    wrong: (name, variables) => signed(wrong.privateKey, value(name, variables)),
    elliptic: (name, variables) => ellipticSignature(value(name, variables)),
    ellipticKey: () => ellipticPoint(),
    aes: (bytes) => randomBytes(Number(bytes)).toString("base64"),
    upTo: (count, variables) => "a".repeat(Number(count) - value("name", variables).length),
    dotted: (name, variables) => value(name, variables).replace(/^./, "$&."),
    long: (count) => "a".repeat(Number(count)),
    now: (offset) => `${Date.now() + Number(offset)}`,
    day: (offset) => new Date(Date.now() + Number(offset) * 86_400_000).toISOString().slice(0, 10),
    upper: (name, variables) => value(name, variables).toUpperCase(),
    lower: (name, variables) => value(name, variables).toLowerCase(),
  };
}
