import { createPrivateKey, X509Certificate } from "node:crypto";
import { type ApiClient, ApiError, pathOf } from "../controller/api.ts";
import { type Secret, secrets } from "./ca-secret.ts";
import { Problem } from "./problem.ts";

/** What clients are shown instead of the atServer's own certificate. */
export interface ServingPair {
  /** PEM chain */
  readonly certificate: string;
  /** PEM */
  readonly privateKey: string;
}

/** A Secret of the type kubernetes.io/tls in the release's namespace, brought by who runs the platform. */
const zoneSecretName = "atrium-zone-tls";

/**
 * The zone's public certificate with its key.
 *
 * @throws {Problem} 503 when it is not there, or not good for the host
 */
export async function zoneCertificate(
  client: Pick<ApiClient, "request">,
  { namespace, host, now }: { namespace: string; host: string; now: number },
  signal: AbortSignal,
): Promise<ServingPair> {
  const path = pathOf(secrets, { namespace, name: zoneSecretName });
  const secret = await client.request<Secret>({ method: "GET", path, signal }).catch((error) => {
    if (error instanceof ApiError && error.status === 404) throw unusable("is not there");
    throw error;
  });
  const [certificate, privateKey] = ["tls.crt", "tls.key"].map((key) =>
    Buffer.from(secret.data?.[key] ?? "", "base64").toString("utf8"),
  ) as [string, string];
  const fault = faultOf(certificate, privateKey, host, now);
  if (fault !== undefined) throw unusable(fault);
  return { certificate, privateKey };
}

function faultOf(certificate: string, privateKey: string, host: string, now: number): string | undefined {
  try {
    const leaf = new X509Certificate(certificate);
    if (!leaf.checkPrivateKey(createPrivateKey(privateKey))) return "has a key that is not its certificate's";
    if (leaf.checkHost(host, { subject: "never" }) === undefined) return "is not for the hosts of the zone";
    return Date.parse(leaf.validTo) > now ? undefined : "has expired";
  } catch {
    return "cannot be parsed"; // no detail of what may be a key
  }
}

function unusable(fault: string): Problem {
  return new Problem(503, `the Secret ${zoneSecretName} ${fault}`, { retryAfterMs: 30_000 });
}
