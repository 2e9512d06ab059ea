import "reflect-metadata"; // what the library's own code asks for
import {
  createPrivateKey,
  type KeyObject,
  X509Certificate as NodeCertificate,
  randomBytes,
  webcrypto,
} from "node:crypto";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  type PublicKeyType,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
/** Clocks differ: a certificate is good a little before it is made. */
const backdatedMs = hourMs;
const rootLifeMs = 10 * 365 * dayMs;

/** How long a leaf of an atServer lives; it is renewed at two thirds of it. */
export const leafLifeMs = dayMs;

/** The same of the parts of a platform in a cluster. */
export const platformLifeMs = 30 * dayMs;

/** PEM of a certificate and of its private key, PKCS#8. */
export interface Pair {
  readonly certificate: string;
  readonly key: string;
}

/**
 * A root that may only speak for some names: the DNS subtrees in its critical name constraints.
 *
 * @param permitted DNS names; each covers itself and everything below it
 * @see RFC 5280, section 4.2.1.10
 */
export async function createRoot(permitted: readonly string[], now: number): Promise<Pair> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: `CN=Atrium platform CA ${randomBytes(4).toString("hex")}`,
    notBefore: new Date(now - backdatedMs),
    notAfter: new Date(now + rootLifeMs),
    keys,
    signingAlgorithm: algorithm,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
      new Extension("2.5.29.30", true, nameConstraints(permitted)),
    ],
  });
  return { certificate: pem(certificate), key: await exportKey(keys.privateKey) };
}

/** What a leaf is for. */
export interface LeafRequest {
  readonly dnsNames: readonly string[];
  /** whether it may identify a client too: atServers call each other */
  readonly client: boolean;
  /** {@link leafLifeMs} without it; never beyond the root's own */
  readonly lifeMs?: number;
}

/** Issues leaves of one root. */
export interface CertificateAuthority {
  /** PEM of the root */
  readonly certificate: string;
  /** end of the root's life, epoch milliseconds */
  readonly expiresAtMs: number;
  /** Makes the key too. */
  issue(request: LeafRequest, now: number): Promise<Pair>;
  /** @returns PEM of a certificate for a key that somebody else keeps */
  certify(publicKey: PublicKeyType, request: LeafRequest, now: number): Promise<string>;
}

/** @throws {Error} when the pair cannot be read, or does not belong together */
export async function openAuthority(root: Pair): Promise<CertificateAuthority> {
  const issuer = new X509Certificate(root.certificate);
  const key = createPrivateKey(root.key);
  if (!new NodeCertificate(root.certificate).checkPrivateKey(key)) throw new Error("the key is not the root's");
  const signingAlgorithm = signingAlgorithmOf(key);
  const signingKey = await importKey(key, signingAlgorithm);
  const named = issuer.getExtension(SubjectKeyIdentifierExtension);
  const authorityKey = named
    ? new AuthorityKeyIdentifierExtension(named.keyId)
    : await AuthorityKeyIdentifierExtension.create(issuer);
  const expiresAtMs = issuer.notAfter.getTime();
  const certify = async (
    publicKey: PublicKeyType,
    { dnsNames, client, lifeMs = leafLifeMs }: LeafRequest,
    now: number,
  ) =>
    pem(
      await X509CertificateGenerator.create({
        serialNumber: serialNumber(),
        // Peers look at the alternative names only; a subject is for people.
        subject: "CN=Atrium",
        issuer: issuer.subjectName,
        notBefore: new Date(now - backdatedMs),
        notAfter: new Date(Math.min(now + lifeMs, expiresAtMs)),
        publicKey,
        signingKey,
        signingAlgorithm,
        extensions: [
          new BasicConstraintsExtension(false, undefined, true),
          new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
          new ExtendedKeyUsageExtension([
            ExtendedKeyUsage.serverAuth,
            ...(client ? [ExtendedKeyUsage.clientAuth] : []),
          ]),
          new SubjectAlternativeNameExtension(dnsNames.map((value) => ({ type: "dns" as const, value }))),
          await SubjectKeyIdentifierExtension.create(publicKey),
          authorityKey,
        ],
      }),
    );
  return {
    certificate: root.certificate,
    expiresAtMs,
    certify,
    async issue(request, now) {
      const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
      return { certificate: await certify(keys.publicKey, request, now), key: await exportKey(keys.privateKey) };
    },
  };
}

/** 127 bits, positive. RFC 5280, section 4.1.2.2. */
function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes.toString("hex");
}

/** NameConstraints with permitted dNSName subtrees, in DER; the library has no writer for it. */
function nameConstraints(permitted: readonly string[]): Buffer {
  const subtrees = permitted.map((name) => der(0x30, der(0x82, Buffer.from(name, "ascii"))));
  return der(0x30, der(0xa0, Buffer.concat(subtrees)));
}

function der(tag: number, content: Buffer): Buffer {
  const { length } = content;
  const header = length < 0x80 ? [tag, length] : [tag, 0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from(header), content]);
}

function pem(certificate: X509Certificate): string {
  return `${certificate.toString("pem")}\n`;
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  const bytes = await webcrypto.subtle.exportKey("pkcs8", key);
  return createPrivateKey({ key: Buffer.from(bytes), format: "der", type: "pkcs8" })
    .export({ format: "pem", type: "pkcs8" })
    .toString();
}

/** Of a root that was brought, too. @throws {Error} when there is none for keys of its kind */
function signingAlgorithmOf(key: KeyObject) {
  const { asymmetricKeyType: type, asymmetricKeyDetails: { namedCurve, modulusLength = 0 } = {} } = key;
  if (type === "ec" && namedCurve === "prime256v1") return algorithm;
  if (type === "ec" && namedCurve === "secp384r1") {
    return { name: "ECDSA", namedCurve: "P-384", hash: "SHA-384" } as const;
  }
  if (type === "rsa" && modulusLength >= 2048) return { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" } as const;
  throw new Error("its key must be ECDSA P-256 or P-384, or RSA of at least 2048 bits");
}

function importKey(key: KeyObject, how: ReturnType<typeof signingAlgorithmOf>): Promise<webcrypto.CryptoKey> {
  const bytes = key.export({ format: "der", type: "pkcs8" });
  return webcrypto.subtle.importKey("pkcs8", new Uint8Array(bytes), how, false, ["sign"]);
}
