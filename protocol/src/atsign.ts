import { createHash } from "node:crypto";
import { ProtocolError } from "./errors.ts";

/** A normalised atSign: `@`, then at least one character, in lower case and without dots. */
export type AtSign = `@${string}`;

const refused: readonly (readonly [pattern: RegExp, message: string])[] = [
  [/[!*'`();:&=+$,/?#[\]{}]/, "Cannot contain !*'`();:&=+$,/?#[]{}"],
  [
    /[\u0009-\u000d\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/,
    "Cannot Contain whitespace characters",
  ],
  [/[\u0000-\u001f\u007f\u2400-\u2421\u2424\u2425]/, "must not include control characters"],
];

/**
 * Normalises an atSign: lower case, with `@`, without dots. Emoji and their variation selectors stay as they are, so
 * that two spellings of a symbol are two atSigns.
 *
 * @param text with or without `@`
 * @throws {ProtocolError} `invalid_at_sign`
 */
export function parseAtSign(text: string): AtSign {
  if (/^@[a-z0-9_-]+$/.test(text)) return text as AtSign; // as nearly every name arrives
  const lower = text.toLowerCase();
  const name = lower.startsWith("@") ? lower.slice(1) : lower;
  if (name.includes("@")) throw invalid("Cannot Contain more than one @ character");
  for (const [pattern, message] of refused) {
    if (pattern.test(name)) throw invalid(message);
  }
  // Half a surrogate pair has no UTF-8 form: two such names would share a host.
  if (!name.isWellFormed()) throw invalid("must not include control characters");
  const undotted = name.replaceAll(".", "");
  if (undotted === "") throw invalid("must include one @ character and at least one character on the right");
  return `@${undotted}`;
}

function invalid(message: string): ProtocolError {
  return new ProtocolError("invalid_at_sign", `invalid @sign: ${message}`);
}

/**
 * Labels that mean something to resolvers, browsers or mail clients, whoever holds them: an atSign of that name gets
 * the other form of label. The list may grow only before a platform has such a tenant.
 */
const reservedLabels: ReadonlySet<string> = new Set([
  "autoconfig",
  "autodiscover",
  "isatap",
  "localhost",
  "mta-sts",
  "wpad",
  "www",
]);

/** How many characters of base32 stand for a name that is no label: 130 bits. */
const digestCharacters = 26;

/**
 * The first label of an atSign's host name: the name where it can be one, else `x-` and a digest of the atSign. Both
 * forms can never be alike, so that no two atSigns share a host.
 *
 * @returns a DNS label of at most 50 characters
 */
export function hostLabel(atSign: AtSign): string {
  const name = atSign.slice(1);
  return isPlainLabel(name)
    ? name
    : `x-${base32(createHash("sha256").update(name).digest()).slice(0, digestCharacters)}`;
}

/** `<label>.<zone>` */
export function hostOf(atSign: AtSign, zone: string): string {
  return `${hostLabel(atSign)}.${zone}`;
}

function isPlainLabel(name: string): boolean {
  if (!/^[a-z0-9](?:[a-z0-9-]{0,48}[a-z0-9])?$/.test(name)) return false;
  // RFC 5890, 2.3.1: every label with hyphens third and fourth is reserved (xn-- is one); certificate authorities refuse them.
  return !name.startsWith("x-") && !name.startsWith("--", 2) && !reservedLabels.has(name);
}

/** RFC 4648, section 6, in lower case and without padding. */
function base32(bytes: Uint8Array): string {
  const alphabet = "abcdefghijklmnopqrstuvwxyz234567";
  let text = "";
  let bits = 0;
  let value = 0;
  for (const byte of bytes) {
    value = ((value << 8) | byte) & 0xfff;
    for (bits += 8; bits >= 5; bits -= 5) text += alphabet.charAt((value >>> (bits - 5)) & 31);
  }
  return bits === 0 ? text : text + alphabet.charAt((value << (5 - bits)) & 31);
}
