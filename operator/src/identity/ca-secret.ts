import { createHash, X509Certificate } from "node:crypto";
import type { KubernetesObject, Resource } from "../controller/api.ts";
import { type CertificateAuthority, openAuthority, type Pair } from "./certificate-authority.ts";

export const secrets: Resource = { group: "", version: "v1", plural: "secrets" };

/** The Secret that has the platform's CA. */
export const caSecretName = "atrium-platform-ca";

/** Since when the change of the CA is where it is, RFC 3339, and a mark of the roots that it is about. */
export const sinceAnnotation = "atrium.dev/ca-change-since";

export interface Secret extends KubernetesObject {
  /** base64 */
  readonly data?: Readonly<Record<string, string>>;
  readonly type?: string;
}

/** The content of the CA's Secret. */
export interface CaContent {
  /** that issues now */
  readonly current: CertificateAuthority;
  /** that is trusted already, and will issue */
  readonly next: CertificateAuthority | undefined;
  /** PEM of the root that issued before, and is trusted yet */
  readonly previous: string | undefined;
  readonly platformId: string | undefined;
  /** since when the change is where it is, epoch milliseconds */
  readonly sinceMs: number | undefined;
  /** whether the operator made the root, and may make the next one without being asked */
  readonly ownMade: boolean;
}

const managedBy = "app.kubernetes.io/managed-by";
const operatorName = "atrium-operator";

/** @throws {Error} in words for the one who wrote the Secret */
export async function readCaSecret(secret: Secret): Promise<CaContent> {
  const text = (key: string) => {
    const encoded = secret.data?.[key];
    return encoded === undefined || encoded === "" ? undefined : Buffer.from(encoded, "base64").toString("utf8");
  };
  const current = await authorityOf("ca", text);
  if (current === undefined) throw new Error("ca.crt and ca.key are missing");
  const previous = text("previous.crt");
  if (previous !== undefined) assertRoot("previous.crt", previous);
  // Of a change that was taken back, or is about another root now, nothing is known.
  const [since = "", mark] = secret.metadata.annotations?.[sinceAnnotation]?.split(" ") ?? [];
  const sinceMs = mark === markOf(secret) ? Date.parse(since) : Number.NaN;
  return {
    current,
    next: await authorityOf("next", text),
    previous,
    platformId: text("platform-id")?.trim(),
    sinceMs: Number.isNaN(sinceMs) ? undefined : sinceMs,
    ownMade: secret.metadata.labels?.[managedBy] === operatorName,
  };
}

/** The Secret of a root that the operator made. */
export function newCaSecret(namespace: string, root: Pair, platformId: string): Secret {
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { namespace, name: caSecretName, labels: { [managedBy]: operatorName } },
    type: "Opaque",
    data: {
      "ca.crt": base64(root.certificate),
      "ca.key": base64(root.key),
      "platform-id": base64(platformId),
    },
  };
}

/** What is written into the Secret: base64 by its keys; undefined removes one. */
export type CaEntries = Readonly<Record<string, string | undefined>>;

/** The Secret with other entries, in a change that is where it is since then. */
export function withEntries(secret: Secret, entries: CaEntries, sinceMs: number | undefined): Secret {
  const { [sinceAnnotation]: _, ...annotations } = secret.metadata.annotations ?? {};
  const merged = Object.entries({ ...secret.data, ...entries });
  const data = Object.fromEntries(merged.filter((entry): entry is [string, string] => entry[1] !== undefined));
  const since = sinceMs === undefined ? undefined : `${new Date(sinceMs).toISOString()} ${markOf({ data })}`;
  const marked = { ...annotations, ...(since !== undefined && { [sinceAnnotation]: since }) };
  return { ...secret, metadata: { ...secret.metadata, annotations: marked }, data };
}

function markOf({ data = {} }: Pick<Secret, "data">): string {
  const roots = ["ca.crt", "next.crt", "previous.crt"].map((key) => data[key] ?? "");
  return createHash("sha256").update(roots.join("\n")).digest("hex").slice(0, 16);
}

export function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}

/** @returns undefined when there is neither certificate nor key */
async function authorityOf(
  name: "ca" | "next",
  text: (key: string) => string | undefined,
): Promise<CertificateAuthority | undefined> {
  const [certificate, key] = [text(`${name}.crt`), text(`${name}.key`)];
  if (certificate === undefined && key === undefined) return undefined;
  if (certificate === undefined) throw new Error(`${name}.crt is missing`);
  if (key === undefined) throw new Error(`${name}.key is missing`);
  assertRoot(`${name}.crt`, certificate);
  try {
    return await openAuthority({ certificate, key });
  } catch (cause) {
    throw new Error(`${name}.key cannot be used: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}

/** A root alone: what stands between it and its leaves would have to be shown with each of them. */
function assertRoot(entry: string, pem: string): void {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----/g) ?? [];
  if (blocks.length !== 1) throw new Error(`${entry} must have exactly one certificate in PEM form`);
  let root: X509Certificate;
  try {
    root = new X509Certificate(pem);
  } catch (cause) {
    throw new Error(`${entry} cannot be parsed`, { cause });
  }
  if (!root.ca || !root.checkIssued(root)) throw new Error(`${entry} is not a root: a self-signed CA certificate`);
}
