import { nameOf } from "../names.ts";
import type { NameRecord } from "../registry.ts";
import { Problem } from "./problem.ts";

/** So long may a claim and the name of a cell be. */
const maxTokenCharacters = 200;
const token = /^[\x21-\x7e]+$/;
const dnsName = /^(?=.{1,253}$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
/** RFC 3696, 2: no top-level domain is all digits; such a text is an address, for which TLS clients send no name. */
const endsInDigits = /(?:^|\.)\d+$/;

type Members = Readonly<Record<string, unknown>>;

/** @throws {Problem} 400 when the text is nobody's name */
export function parseName(text: string): string {
  const name = nameOf(text);
  if (name === undefined || name.length > 255) throw new Problem(400, "the name is no atSign");
  return name;
}

/** @throws {Problem} 400 in words for the one who wrote the client */
export function parsePut(name: string, body: unknown): { record: NameRecord; held: boolean } {
  const members = parseMembers(body, ["host", "port", "claim", "generation", "held"]);
  const { held = false } = members;
  if (typeof held !== "boolean") throw new Problem(400, "held is neither true nor false");
  return { record: parseRecord(name, members), held };
}

function parseRecord(name: string, members: Members): NameRecord {
  const claim = parseToken("claim", members.claim);
  const generation = parseGeneration(members.generation);
  if (members.host === null) {
    if (members.port !== undefined && members.port !== null) throw new Problem(400, "a parked record has no port");
    return { name, claim, generation, address: undefined };
  }
  return { name, claim, generation, address: { host: parseHost(members.host), port: parsePort(members.port) } };
}

/** @throws {Problem} 400 */
export function parseRelease(
  name: string,
  query: URLSearchParams,
): { name: string; claim: string; generation: number } {
  const text = query.get("generation") ?? "";
  const generation = /^\d{1,16}$/.test(text) ? Number(text) : undefined;
  return { name, claim: parseToken("claim", query.get("claim")), generation: parseGeneration(generation) };
}

/** @throws {Problem} 400 */
export function parseList(query: URLSearchParams): { claimPrefix: string; cursor: string } {
  const cursor = query.get("cursor") ?? "0";
  if (!/^\d{1,20}$/.test(cursor)) throw new Problem(400, "the cursor is not one of a page before");
  return { claimPrefix: parseToken("claimPrefix", query.get("claimPrefix")), cursor };
}

/** @throws {Problem} 400 */
export function parseHandover(name: string, body: unknown): { name: string; claim: string; to: string } {
  const members = parseMembers(body, ["claim", "to"]);
  return { name, claim: parseToken("claim", members.claim), to: parseToken("to", members.to) };
}

/** @throws {Problem} 400 */
export function parseMark(body: unknown): string {
  return parseToken("registry", parseMembers(body, ["registry"]).registry);
}

/** Unknown members are faults: a client that misspells one must not believe that it was heeded. */
function parseMembers(body: unknown, known: readonly string[]): Members {
  if (typeof body !== "object" || body === null || Array.isArray(body)) throw new Problem(400, "the body is no object");
  const unknown = Object.keys(body).filter((member) => !known.includes(member));
  if (unknown.length > 0) throw new Problem(400, `the body may have only ${known.join(", ")}`);
  return body as Members;
}

function parseToken(member: string, value: unknown): string {
  if (typeof value === "string" && value.length <= maxTokenCharacters && token.test(value)) return value;
  throw new Problem(400, `${member} must be a text of 1 to ${maxTokenCharacters} visible ASCII characters`);
}

function parseGeneration(value: unknown): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  throw new Problem(400, "generation must be a whole number from 0 to 2^53 - 1");
}

function parsePort(value: unknown): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= 65_535) return value;
  throw new Problem(400, "port must be a whole number from 1 to 65535");
}

function parseHost(value: unknown): string {
  const host = typeof value === "string" ? value.toLowerCase() : "";
  if (dnsName.test(host) && !endsInDigits.test(host)) return host;
  throw new Problem(400, "host must be a DNS name, or null to park the record");
}
