import type { ApiClient } from "../controller/api.ts";
import type { AtSign } from "../resources/at-sign.ts";
import { activationSecret, isActivated, recordActivation } from "./activation.ts";
import { leafLifeMs } from "./certificate-authority.ts";
import { CsrError, keyOfRequest } from "./csr.ts";
import type { PlatformCa } from "./platform-ca.ts";
import { type PodIdentity, servedBy } from "./pod-identity.ts";
import { Problem } from "./problem.ts";
import type { IdentityBody } from "./request-body.ts";
import { type ServingPair, zoneCertificate } from "./zone-certificate.ts";

/** What an atServer gets. */
export interface IdentityAnswer {
  /** PEM */
  readonly certificate: string;
  readonly serving?: ServingPair;
  /** PEM bundle */
  readonly trust: string;
  readonly activation?: { readonly secret: string };
  /** RFC 3339 */
  readonly expiresAt: string;
}

export interface Issued {
  readonly atSign: string;
  readonly answer: IdentityAnswer;
}

interface Options {
  readonly client: Pick<ApiClient, "request">;
  readonly ca: PlatformCa;
  readonly namespace: string;
  readonly usesWildcard: (atSign: AtSign) => boolean;
  readonly lifeMs?: number;
  readonly now?: () => number;
}

/** Answers pods whose token was accepted. */
export class Issuer {
  readonly #options: Options;

  constructor(options: Options) {
    this.#options = options;
  }

  /** @throws {Problem} */
  async issue(pod: PodIdentity, body: IdentityBody, signal: AbortSignal): Promise<Issued> {
    const { client, namespace, usesWildcard, now = Date.now } = this.#options;
    const found = await servedBy(client, pod, body, signal);
    const host = found.status?.host;
    if (host === undefined) throw new Problem(503, "the AtSign has no host yet", { retryAfterMs: 1_000 });
    // Before anything is written: a request that is refused has no effect.
    const certified = await this.#certify(body.csr, host);
    const atSign = body.activated
      ? await recordActivation(client, found, { pod, claim: body, now: now(), signal })
      : found;
    const activation = isActivated(atSign) ? undefined : { secret: await activationSecret(client, atSign, signal) };
    const serving = usesWildcard(atSign)
      ? await zoneCertificate(client, { namespace, host, now: now() }, signal)
      : undefined;
    return {
      atSign: body.atSign,
      answer: { ...certified, ...(serving && { serving }), ...(activation && { activation }) },
    };
  }

  async #certify(csr: string, host: string): Promise<Pick<IdentityAnswer, "certificate" | "trust" | "expiresAt">> {
    const { ca, lifeMs = leafLifeMs, now = Date.now } = this.#options;
    const key = await keyOfRequest(csr, host).catch((cause) => {
      throw cause instanceof CsrError ? new Problem(422, cause.message) : cause;
    });
    const { authority, trust } = ca;
    const at = now();
    const certificate = await authority.certify(key, { dnsNames: [host], client: true, lifeMs }, at);
    const expiresAtMs = Math.floor(Math.min(at + lifeMs, authority.expiresAtMs) / 1000) * 1000;
    return { certificate, trust, expiresAt: new Date(expiresAtMs).toISOString().replace(".000Z", "Z") };
  }
}
