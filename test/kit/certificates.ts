import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Certificates for tests, as RFC 5280 writes them. By hand, because tests shall not depend on the code that makes the
 * platform's own certificates, and the libraries for it want a polyfill.
 */

export interface Pair {
  /** PEM, the leaf alone */
  readonly certificate: string;
  /** PEM, PKCS#8 */
  readonly key: string;
}

export interface Life {
  readonly from?: Date;
  readonly until?: Date;
}

export interface TestCa {
  /** PEM of the root */
  readonly pem: string;
  /** @param client whether it may also identify a client; atServers that call each other need both */
  issue(options: Asked): Pair;
  /** @returns PEM of a certificate for a key that somebody else keeps */
  certify(publicKey: KeyObject, options: Asked): string;
}

type Asked = { readonly dns: readonly string[]; readonly ip?: readonly string[]; readonly client?: boolean } & Life;

/**
 * A root for tests, alive from yesterday for ten days, as are its leaves.
 *
 * @param permitted the DNS subtrees that the root is constrained to; without it the root may name anything
 */
export function testCa({ permitted = [] }: { permitted?: readonly string[] } = {}): TestCa {
  const root = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const issuer = { name: `Atrium test root ${randomBytes(4).toString("hex")}`, ...root };
  const constraints = permitted.map((name) => der(0x30, der(0x82, Buffer.from(name))));
  const pem = certificate(issuer, {
    ...issuer,
    extensions: [
      extension("basicConstraints", der(0x30, der(0x01, Buffer.from([0xff]))), true),
      extension("keyUsage", bits(0x06), true),
      ...(permitted.length === 0 ? [] : [extension("nameConstraints", der(0x30, der(0xa0, ...constraints)), true)]),
    ],
  });
  const certify = (publicKey: KeyObject, { dns, ip = [], client = false, ...life }: Asked): string => {
    const usages = [oid("serverAuth"), ...(client ? [oid("clientAuth")] : [])];
    const extensions = [
      extension("keyUsage", bits(0x80), true),
      extension("extKeyUsage", der(0x30, ...usages)),
      extension("subjectAltName", der(0x30, ...dns.map((name) => der(0x82, Buffer.from(name))), ...ip.map(ipv4Name))),
    ];
    return certificate(issuer, { name: "Atrium test", publicKey, extensions, ...life });
  };
  return {
    pem,
    certify,
    issue(asked) {
      const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
      const key = privateKey.export({ format: "pem", type: "pkcs8" }).toString();
      return { certificate: certify(publicKey, asked), key };
    },
  };
}

/** Writes the directory of an atServer's identity, as its file source reads it. */
export function writeIdentity(
  directory: string,
  { certificate, key, trust, activation }: Pair & { trust: string; activation?: string },
): void {
  mkdirSync(directory, { recursive: true });
  const files = { "certificate.pem": certificate, "key.pem": key, "trust.pem": trust, activation };
  for (const [name, text] of Object.entries(files)) {
    if (text !== undefined) writeFileSync(join(directory, name), text, { mode: 0o600 });
  }
}

interface Issuer {
  readonly name: string;
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

interface Subject extends Life {
  readonly name: string;
  readonly publicKey: KeyObject;
  readonly extensions: readonly Buffer[];
}

const dayMs = 86_400_000;

function certificate(issuer: Issuer, { name, publicKey, extensions, from, until }: Subject): string {
  const algorithm = der(0x30, oid("ecdsa-with-SHA256"));
  const body = der(
    0x30,
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.concat([Buffer.from([1]), randomBytes(15)])),
    algorithm,
    distinguishedName(issuer.name),
    der(0x30, time(from ?? new Date(Date.now() - dayMs)), time(until ?? new Date(Date.now() + 10 * dayMs))),
    distinguishedName(name),
    spki(publicKey),
    der(
      0xa3,
      der(
        0x30,
        extension("subjectKeyIdentifier", der(0x04, keyId(publicKey))),
        extension("authorityKeyIdentifier", der(0x30, der(0x80, keyId(issuer.publicKey)))),
        ...extensions,
      ),
    ),
  );
  const signature = sign("sha256", body, issuer.privateKey);
  const whole = der(0x30, body, algorithm, der(0x03, Buffer.from([0]), signature));
  const lines = whole.toString("base64").match(/.{1,64}/g) ?? [];
  return ["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----", ""].join("\n");
}

/** The contents of OBJECT IDENTIFIERs. */
const objectIds = {
  commonName: "550403",
  subjectKeyIdentifier: "551d0e",
  keyUsage: "551d0f",
  subjectAltName: "551d11",
  basicConstraints: "551d13",
  nameConstraints: "551d1e",
  authorityKeyIdentifier: "551d23",
  extKeyUsage: "551d25",
  serverAuth: "2b06010505070301",
  clientAuth: "2b06010505070302",
  "ecdsa-with-SHA256": "2a8648ce3d040302",
} as const;

function oid(name: keyof typeof objectIds): Buffer {
  return der(0x06, Buffer.from(objectIds[name], "hex"));
}

function extension(name: keyof typeof objectIds, value: Buffer, critical = false): Buffer {
  const flag = critical ? [der(0x01, Buffer.from([0xff]))] : [];
  return der(0x30, oid(name), ...flag, der(0x04, value));
}

function distinguishedName(name: string): Buffer {
  return der(0x30, der(0x31, der(0x30, oid("commonName"), der(0x0c, Buffer.from(name)))));
}

function spki(publicKey: KeyObject): Buffer {
  return publicKey.export({ format: "der", type: "spki" });
}

/** RFC 5280, 4.2.1.6: an address is its four bytes. */
function ipv4Name(address: string): Buffer {
  return der(0x87, Buffer.from(address.split(".").map(Number)));
}

function keyId(publicKey: KeyObject): Buffer {
  return createHash("sha1").update(spki(publicKey)).digest();
}

/** A BIT STRING of one byte, without the zeros at its end. */
function bits(byte: number): Buffer {
  return der(0x03, Buffer.from([31 - Math.clz32(byte & -byte), byte]));
}

/** A GeneralizedTime, or the UTCTime that dates before 2050 must have. */
function time(date: Date): Buffer {
  const text = `${date.toISOString().replace(/[-:T]|\.\d+/g, "")}`;
  return date.getUTCFullYear() < 2050 ? der(0x17, Buffer.from(text.slice(2))) : der(0x18, Buffer.from(text));
}

function der(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(contents);
  const { length } = content;
  if (length > 0xffff) throw new RangeError("too long for a test certificate");
  const head = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...head]), content]);
}
