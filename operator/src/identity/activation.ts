import { type ApiClient, ApiError, pathOf } from "../controller/api.ts";
import { Writer } from "../controller/writer.ts";
import { type AtSign, atSigns } from "../resources/at-sign.ts";
import { type Secret, secrets } from "./ca-secret.ts";
import { assertCurrent, type Claim, type PodIdentity } from "./pod-identity.ts";
import { Problem } from "./problem.ts";

type Client = Pick<ApiClient, "request">;

const attempts = 5;

export function isActivated({ status }: AtSign): boolean {
  return (
    status?.conditions?.some((condition) => condition.type === "Activated" && condition.status === "True") ?? false
  );
}

/**
 * The secret with which the owner activates an Atsign.
 *
 * @throws {Problem} 503 when it is not there yet
 */
export async function activationSecret(client: Client, atSign: AtSign, signal: AbortSignal): Promise<string> {
  const { namespace } = atSign.metadata;
  const name = atSign.spec.activation?.secretRef.name ?? atSign.status?.activationSecret;
  const secret = name === undefined ? undefined : await readSecret(client, { namespace, name }, signal);
  const text = Buffer.from(secret?.data?.secret ?? "", "base64")
    .toString("utf8")
    .trim();
  if (text === "") throw new Problem(503, "the activation secret is not there yet", { retryAfterMs: 5_000 });
  return text;
}

/**
 * The owner has activated: says so in the AtSign's status, for ever, and then removes the Secret that the operator made.
 * One that the owner brought is the owner's. May be repeated, and is what heals it when it was interrupted.
 *
 * @throws {Problem} 403 when the pod is not the current one any more
 */
export async function recordActivation(
  client: Client,
  seen: AtSign,
  { pod, claim, now, signal }: { pod: PodIdentity; claim: Claim; now: number; signal: AbortSignal },
): Promise<AtSign> {
  const activated = isActivated(seen) ? seen : await activate(client, seen, { pod, claim, now, signal });
  const { namespace } = seen.metadata;
  const name = activated.status?.activationSecret;
  if (name === undefined || name === seen.spec.activation?.secretRef.name) return activated;
  const secret = await readSecret(client, { namespace, name }, signal);
  if (secret !== undefined) await new Writer({ client, term: undefined }).delete(secrets, secret);
  return activated;
}

async function activate(
  client: Client,
  seen: AtSign,
  { pod, claim, now, signal }: { pod: PodIdentity; claim: Claim; now: number; signal: AbortSignal },
): Promise<AtSign> {
  const writer = new Writer({ client, term: undefined });
  const { namespace, name } = seen.metadata;
  let atSign = seen;
  for (let attempt = 1; ; attempt++) {
    try {
      return await writer.putStatus(atSigns, withActivated(atSign, now));
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 409) || attempt === attempts) throw error;
    }
    atSign = await client.request<AtSign>({ method: "GET", path: pathOf(atSigns, { namespace, name }), signal });
    assertCurrent(atSign, pod, claim);
  }
}

function withActivated(atSign: AtSign, now: number): AtSign {
  const condition = {
    type: "Activated",
    status: "True",
    reason: "Activated",
    message: "The owner has activated the Atsign.",
    lastTransitionTime: new Date(now).toISOString().replace(/\.\d+Z$/, "Z"),
    ...(atSign.metadata.generation !== undefined && { observedGeneration: atSign.metadata.generation }),
  } as const;
  const others = (atSign.status?.conditions ?? []).filter(({ type }) => type !== "Activated");
  return { ...atSign, status: { ...atSign.status, conditions: [...others, condition] } };
}

/** @returns undefined when there is none */
async function readSecret(
  client: Client,
  of: { namespace: string | undefined; name: string },
  signal: AbortSignal,
): Promise<Secret | undefined> {
  try {
    return await client.request<Secret>({ method: "GET", path: pathOf(secrets, of), signal });
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  }
}
