import { X509Certificate } from "node:crypto";
import { parseTlsFiles } from "@atrium/runtime/tls-files.ts";
import { certifies } from "../outbound/dial.ts";
import type { Certificates } from "./identity.ts";

/** What an identity service gave. */
export interface Answer {
  readonly certificates: Certificates;
  /** while the atSign is not activated */
  readonly activationSecret: string | undefined;
}

/**
 * @param text JSON
 * @param key PEM of the key that a certificate was asked for
 * @param now epoch milliseconds
 * @throws {Error} when something of it is missing or does not fit: nothing of it is taken up then
 */
export function parseAnswer(text: string, { key, host, now }: { key: string; host: string; now: number }): Answer {
  const answer = fieldsOf(JSON.parse(text));
  const certificate = textOf(answer, "certificate");
  const trust = textOf(answer, "trust");
  const own = checked({ certificate, key, trust }, host, now);
  const client = { certificate: own.certificate, key: own.key };
  const activation = answer.activation === undefined ? undefined : textOf(fieldsOf(answer.activation), "secret");
  if (answer.serving === undefined) {
    const certificates = { serving: client, client, trust, expiresAtMs: own.expiresAtMs };
    return { certificates, activationSecret: activation };
  }
  const given = fieldsOf(answer.serving);
  const zone = { certificate: textOf(given, "certificate"), key: textOf(given, "privateKey") };
  const shown = checked(zone, host, now, { wildcards: true });
  const serving = { certificate: shown.certificate, key: shown.key };
  const expiresAtMs = Math.min(own.expiresAtMs, shown.expiresAtMs);
  return { certificates: { serving, client, trust, expiresAtMs }, activationSecret: activation };
}

function checked(
  pair: Parameters<typeof parseTlsFiles>[0],
  host: string,
  now: number,
  { wildcards = false }: { wildcards?: boolean } = {},
) {
  const files = parseTlsFiles(pair, now);
  const leaf = new X509Certificate(files.certificate);
  const named = wildcards ? leaf.checkHost(host, { subject: "never" }) !== undefined : certifies(leaf, host);
  if (!named) throw new Error(`the certificate is not for ${host}`);
  return files;
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null) throw new Error("the answer is not in the agreed form");
  return value as Record<string, unknown>;
}

function textOf(fields: Readonly<Record<string, unknown>>, name: string): string {
  const text = fields[name];
  if (typeof text !== "string" || text === "") throw new Error(`the answer has no ${name}`);
  return text;
}
