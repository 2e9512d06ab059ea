import { type ApiClient, ApiError, type KubernetesObject, pathOf } from "../controller/api.ts";
import { type AtSign, atSigns } from "../resources/at-sign.ts";
import { Problem } from "./problem.ts";

/** Whom a token was made for: not what it says, but what the API server says of it. */
export interface PodIdentity {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

/** What an atServer says it is. */
export interface Claim {
  readonly atSign: string;
  readonly epoch: number;
}

type Client = Pick<ApiClient, "request">;

/** Nothing but the identity service takes tokens for it. */
export const audience = "atrium-identity";

const tokenReviews = { group: "authentication.k8s.io", version: "v1", plural: "tokenreviews" } as const;
const pods = { group: "", version: "v1", plural: "pods" } as const;
const podKey = "authentication.kubernetes.io/pod";

interface TokenReview {
  readonly status?: {
    readonly authenticated?: boolean;
    readonly audiences?: readonly string[];
    readonly user?: { readonly username?: string; readonly extra?: Readonly<Record<string, readonly string[]>> };
  };
}

/**
 * Asks the API server whose token it is. The answer may be some seconds old.
 *
 * @throws {Problem} 401 when it is nobody's, not for us, or not a pod's
 */
export async function reviewToken(client: Client, token: string, signal: AbortSignal): Promise<PodIdentity> {
  const { status } = await client.request<TokenReview>({
    method: "POST",
    path: pathOf(tokenReviews),
    body: { apiVersion: "authentication.k8s.io/v1", kind: "TokenReview", spec: { token, audiences: [audience] } },
    signal,
  });
  // Without an audience in the answer, nobody has looked at it.
  if (status?.authenticated !== true || !status.audiences?.includes(audience)) {
    throw new Problem(401, "the token is not valid for the identity service");
  }
  const [, namespace] = /^system:serviceaccount:([^:]+):[^:]+$/.exec(status.user?.username ?? "") ?? [];
  const { [`${podKey}-name`]: names = [], [`${podKey}-uid`]: uids = [] } = status.user?.extra ?? {};
  const [[name, uid], single] = [[names[0], uids[0]], names.length === 1 && uids.length === 1];
  if (namespace === undefined || name === undefined || uid === undefined || !single) {
    throw new Problem(401, "the token is not bound to a pod");
  }
  return { namespace, name, uid };
}

/**
 * The AtSign that a pod serves. Both are read now, from the API server: stores may be behind, and so may its own answer to
 * {@link reviewToken}. The pod's owner says which AtSign to ask; whether the pod is the one, the AtSign alone says.
 *
 * @throws {Problem} 403 when it is not the current pod, or the epoch not the current one
 */
export async function servedBy(client: Client, pod: PodIdentity, claim: Claim, signal: AbortSignal): Promise<AtSign> {
  const { namespace } = pod;
  const found = await read<KubernetesObject>(client, pathOf(pods, pod), signal);
  if (found === undefined || found.metadata.uid !== pod.uid) throw new Problem(403, "the pod is gone");
  if (found.metadata.deletionTimestamp !== undefined) throw new Problem(403, "the pod is being deleted");
  const owner = found.metadata.ownerReferences?.find(
    ({ kind, controller }) => kind === "AtSign" && controller === true,
  );
  if (owner === undefined) throw new Problem(403, "the pod does not belong to an AtSign");
  const atSign = await read<AtSign>(client, pathOf(atSigns, { namespace, name: owner.name }), signal);
  if (atSign === undefined) throw new Problem(403, "the AtSign is gone");
  assertCurrent(atSign, pod, claim);
  return atSign;
}

/** @throws {Problem} 403 when the AtSign does not say that this pod is its one */
export function assertCurrent({ spec, status }: AtSign, { uid }: PodIdentity, { atSign, epoch }: Claim): void {
  if (spec.atSign !== atSign) throw new Problem(403, `the pod is not one of ${atSign}`);
  if (status?.epoch !== epoch) throw new Problem(403, "the epoch is not the current one");
  // It was made a moment ago, and is about to be named.
  if (status.pod === undefined) throw new Problem(503, "the AtSign has no pod yet", { retryAfterMs: 1_000 });
  if (status.pod.uid !== uid) throw new Problem(403, "the pod is not the current one");
}

/** @returns undefined when there is none */
async function read<T>(client: Client, path: string, signal: AbortSignal): Promise<T | undefined> {
  try {
    return await client.request<T>({ method: "GET", path, signal });
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  }
}
