import type { SigningAlgo } from "../auth.ts";
import { ProtocolError } from "../errors.ts";
import { syntax } from "../syntax.ts";

const operations = ["request", "approve", "deny", "revoke", "unrevoke", "list", "fetch", "delete"] as const;
export type EnrollOperation = (typeof operations)[number];

const states = ["pending", "approved", "denied", "revoked", "expired"] as const;
export type EnrollmentState = (typeof states)[number];

export interface EnrollParams {
  readonly operation: EnrollOperation;
  /** of `revoke`: also one's own */
  readonly force?: true;
  readonly enrollmentId?: string;
  readonly appName?: string;
  readonly deviceName?: string;
  /** as the client wrote the names */
  readonly namespaces?: Readonly<Record<string, "r" | "rw">>;
  readonly otp?: string;
  /** base64 of the SPKI DER form, or hex of a point on secp256r1 */
  readonly apkamPublicKey?: string;
  /** without it, each login names its own */
  readonly signingAlgo?: SigningAlgo;
  /** by the public key of the atSign */
  readonly encryptedAPKAMSymmetricKey?: string;
  /** by the APKAM symmetric key, as the next one */
  readonly encryptedDefaultEncryptionPrivateKey?: string;
  readonly encPrivateKeyIV?: string;
  readonly encryptedDefaultSelfEncryptionKey?: string;
  readonly selfEncKeyIV?: string;
  /** milliseconds; 0: never */
  readonly apkamKeysExpiryInMillis?: number;
  readonly enrollmentStatusFilter?: readonly EnrollmentState[];
}

type Reader<T> = (json: unknown) => T | undefined;

/** With both in it, and the longest atSign, the name of a record is not too long. */
const maxNameLength = 75;

/** Each returns undefined for what it does not take. */
const members = {
  enrollmentId: text(100),
  appName: text(maxNameLength),
  deviceName: text(maxNameLength),
  namespaces: readNamespaces,
  otp: text(100),
  apkamPublicKey: text(4_096),
  signingAlgo: readSigningAlgo,
  encryptedAPKAMSymmetricKey: text(4_096),
  encryptedDefaultEncryptionPrivateKey: text(16_384),
  encPrivateKeyIV: text(100),
  encryptedDefaultSelfEncryptionKey: text(4_096),
  selfEncKeyIV: text(100),
  apkamKeysExpiryInMillis: readDuration,
  enrollmentStatusFilter: readStates,
} as const satisfies { [K in Exclude<keyof EnrollParams, "operation" | "force">]-?: Reader<EnrollParams[K]> };

/** `enroll:<operation>[:force][:]{…}` — ask for an app to be let in, decide on that, list. Unknown members are passed over. */
export const enroll = syntax<EnrollParams>({
  verb: "enroll",
  usage: "enroll:<request|approve|deny|revoke[:force]|unrevoke|list|fetch|delete>:<json>",
  pattern: /^enroll:(?<name>[a-z]+)(?<force>:force)?(?::?(?<json>\{.*))?$/is,
  parse({ name = "", force, json }) {
    const operation = operations.find((each) => each === name.toLowerCase());
    const body = json === undefined ? undefined : parseObject(json);
    if (operation === undefined || (json === undefined ? operation !== "list" : body === undefined)) return undefined;
    return {
      operation,
      ...(force !== undefined && operation === "revoke" && { force: true }),
      ...readMembers(body ?? {}, operation),
    };
  },
  format({ operation, force, ...body }) {
    return `enroll:${operation}${force ? ":force" : ""}:${JSON.stringify(body)}`;
  },
});

function parseObject(json: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(json);
  } catch {
    return undefined; // answered as wrong syntax
  }
}

/** What is null or an empty text is as if it were not there. */
function readMembers(body: Record<string, unknown>, operation: EnrollOperation): object {
  const read: [string, unknown][] = [];
  for (const [name, reader] of Object.entries(members)) {
    const json = Object.hasOwn(body, name) ? body[name] : undefined;
    if (json === undefined || json === null || json === "") continue;
    const value = reader(json);
    if (value === undefined) {
      throw new ProtocolError("illegal_arguments", `${name} is not valid for enroll:${operation}`);
    }
    read.push([name, value]);
  }
  return Object.fromEntries(read);
}

function text(maxLength: number): Reader<string> {
  return (json) => {
    if (typeof json !== "string" || json.length > maxLength) return undefined;
    return json.isWellFormed() && !/\p{Cc}/u.test(json) ? json : undefined;
  };
}

const maxNamespaces = 100;

function readNamespaces(json: unknown): EnrollParams["namespaces"] {
  if (typeof json !== "object" || json === null || Array.isArray(json)) return undefined;
  const entries = Object.entries(json);
  const valid = entries.every(([name, access]) => {
    return /^[^\s:@\p{Cc}\p{Cs}]{1,100}$/u.test(name) && (access === "r" || access === "rw");
  });
  return valid && entries.length <= maxNamespaces ? Object.fromEntries(entries) : undefined;
}

function readSigningAlgo(json: unknown): SigningAlgo | undefined {
  return json === "rsa2048" || json === "ecc_secp256r1" ? json : undefined;
}

/** So that an instant that lies so far ahead can still be written. */
const maxDurationMs = 1e14;

function readDuration(json: unknown): number | undefined {
  return Number.isSafeInteger(json) && Number(json) >= 0 && Number(json) <= maxDurationMs ? Number(json) : undefined;
}

function readStates(json: unknown): EnrollmentState[] | undefined {
  if (!Array.isArray(json)) return undefined;
  const known = states.filter((state) => json.includes(state));
  return json.every((each) => states.includes(each)) ? known : undefined;
}
