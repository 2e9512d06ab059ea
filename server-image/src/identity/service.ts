import { generateKeyPairSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { backoffMs } from "@atrium/runtime/backoff.ts";
import type { Log } from "@atrium/runtime/log.ts";
import { type Answer, parseAnswer } from "./answer.ts";
import { certificateRequest } from "./certificate-request.ts";
import type { Certificates, Identity } from "./identity.ts";
import type { KnownTrust } from "./known-trust.ts";
import { post, type Reply } from "./post.ts";

export interface ServiceOptions {
  readonly url: URL;
  /** file with the token that proves which pod this is */
  readonly tokenFile: string;
  /** PEM of the roots in the settings */
  readonly platformCa: () => string;
  readonly known: KnownTrust;
  readonly atSign: string;
  readonly host: string;
  readonly epoch: number;
  readonly log: Log;
  /** ends everything that waits */
  readonly signal: AbortSignal;
  /** epoch milliseconds */
  readonly now?: () => number;
  readonly random?: () => number;
  readonly pauses?: Pauses;
}

interface Pauses {
  /** before there is an identity: somebody waits for this atServer */
  readonly first: { readonly minMs: number; readonly maxMs: number };
  readonly renewal: { readonly minMs: number; readonly maxMs: number };
  /** the longest time without a look at the clock, which may have been set meanwhile */
  readonly lookMs: number;
}

const defaultPauses: Pauses = {
  first: { minMs: 500, maxMs: 15_000 },
  renewal: { minMs: 2_000, maxMs: 300_000 },
  lookMs: 600_000,
};

/** What the identity service is called, whatever address it is dialled at. */
const serviceName = "operator.atrium.internal";
const connectMs = 2_000;
const deadlineMs = 10_000;

/** The service gave no identity. */
class RefusalError extends Error {
  override readonly name = "RefusalError";
  readonly status: number;
  readonly retryAfterMs: number;

  constructor({ status, headers, body }: Reply) {
    super(`${status}: ${detailOf(body)}`);
    this.status = status;
    this.retryAfterMs = Math.min(3_600, Number(headers.get("retry-after") ?? 0) || 0) * 1_000;
  }

  /** That we are not who we say we are: certificates that were given hold until they end, but there will be no others. */
  get isFinal(): boolean {
    return this.status === 401 || this.status === 403;
  }
}

/**
 * Identity from a service over HTTPS. Keys are made here, for each request anew, and are in memory alone.
 *
 * @returns once there is an identity
 * @throws {Error} the signal's, when it is aborted before
 */
export async function openServiceIdentity(options: ServiceOptions): Promise<Identity> {
  const { log, signal, random, pauses = defaultPauses } = options;
  for (let attempt = 0, problem = ""; ; attempt++) {
    try {
      return new ServiceIdentity(options, await ask(options, false));
    } catch (error) {
      signal.throwIfAborted();
      const text = messageOf(error);
      if (text !== problem) log.warn({ problem: text }, "waiting for an identity");
      problem = text;
      const backoff = backoffMs(attempt, { ...pauses.first, ...(random && { random }) });
      await delay(Math.max(backoff, retryAfterMsOf(error)), undefined, { signal });
    }
  }
}

class ServiceIdentity implements Identity {
  readonly forfeited: Promise<void>;
  readonly #options: ServiceOptions;
  readonly #listeners = new Set<(certificates: Certificates) => void>();
  readonly #ending = new AbortController();
  readonly #forfeit = Promise.withResolvers<void>();
  readonly #renewing: Promise<void>;
  #answer: Answer;
  #dueMs = 0;
  #activated = false;
  #failures = 0;
  #problem: string | undefined;
  #isRefused = false;
  /** ends the pause before the next request */
  #wake: () => void = () => undefined;

  constructor(options: ServiceOptions, answer: Answer) {
    this.#options = { ...options, signal: this.#ending.signal };
    this.forfeited = this.#forfeit.promise;
    this.#answer = answer;
    this.#take(answer);
    this.#renewing = this.#renew();
  }

  get current(): Certificates {
    return this.#answer.certificates;
  }

  onChange(listener: (certificates: Certificates) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  activationSecret(): string | undefined {
    return this.#activated ? undefined : this.#answer.activationSecret;
  }

  /** Tells the service at once, and again until it knows; nobody has to wait for that. */
  async activated(): Promise<void> {
    if (this.#activated) return;
    this.#activated = true;
    this.#due(this.#now());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    this.#wake();
    await this.#renewing;
    this.#listeners.clear();
  }

  async #renew(): Promise<void> {
    while (!this.#ending.signal.aborted) {
      await this.#pause();
      if (this.#ending.signal.aborted) return;
      if (this.#isRefused && this.#now() >= this.current.expiresAtMs) {
        this.#options.log.error({ problem: this.#problem }, "the certificate has ended, and there is no other");
        this.#forfeit.resolve();
        return;
      }
      if (this.#now() < this.#dueMs) continue;
      await this.#askAgain();
    }
  }

  async #askAgain(): Promise<void> {
    const told = this.#activated;
    // What becomes due meanwhile is not lost.
    this.#dueMs = Number.POSITIVE_INFINITY;
    try {
      const answer = await ask(this.#options, told);
      this.#failures = 0;
      this.#problem = undefined;
      this.#isRefused = false;
      this.#take(answer);
      // It was told without what it has to know.
      if (this.#activated && !told) this.#due(this.#now());
    } catch (error) {
      if (!this.#ending.signal.aborted) this.#failed(error);
    }
  }

  #failed(error: unknown): void {
    const { log, random, pauses = defaultPauses } = this.#options;
    const text = messageOf(error);
    this.#isRefused = error instanceof RefusalError && error.isFinal;
    if (text !== this.#problem) {
      const expiresAt = new Date(this.current.expiresAtMs).toISOString();
      log.error({ problem: text, expiresAt }, "identity not renewed");
    }
    this.#problem = text;
    const backoff = backoffMs(this.#failures++, { ...pauses.renewal, ...(random && { random }) });
    this.#due(this.#now() + Math.max(backoff, retryAfterMsOf(error)));
  }

  #take(answer: Answer): void {
    const { log, known, random = Math.random } = this.#options;
    this.#answer = answer;
    const { expiresAtMs, trust } = answer.certificates;
    known.remember(trust);
    const leftMs = expiresAtMs - this.#now();
    // Those who got theirs together do not come back together.
    this.#dueMs = this.#now() + leftMs * (2 / 3) * (0.9 + random() / 10);
    log.info({ expiresAt: new Date(expiresAtMs).toISOString() }, "identity taken up");
    for (const listener of this.#listeners) this.#tell(listener);
  }

  /** One that cannot take it up must not end the renewals. */
  #tell(listener: (certificates: Certificates) => void): void {
    try {
      listener(this.current);
    } catch (error) {
      this.#options.log.error({ err: error }, "a new identity was not taken up");
    }
  }

  #due(ms: number): void {
    this.#dueMs = Math.min(this.#dueMs, ms);
    this.#wake();
  }

  /** @returns when something may be due */
  async #pause(): Promise<void> {
    const { pauses = defaultPauses } = this.#options;
    const untilMs = this.#isRefused ? Math.min(this.#dueMs, this.current.expiresAtMs) : this.#dueMs;
    const ms = Math.min(pauses.lookMs, Math.max(0, untilMs - this.#now()));
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms).unref();
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
      if (this.#ending.signal.aborted) this.#wake();
    });
  }

  #now(): number {
    return (this.#options.now ?? Date.now)();
  }
}

/** @throws {Error} whatever is in the way of an identity, in words for the log */
async function ask(options: ServiceOptions, activated: boolean): Promise<Answer> {
  const { url, tokenFile, platformCa, known, atSign, host, epoch, signal, now = Date.now } = options;
  const keys = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const reply = await post({
    url: new URL("/v1/identity", url),
    name: serviceName,
    ca: [platformCa(), known.pem].filter((pem) => pem !== ""),
    token: readFileSync(tokenFile, "utf8").trim(),
    body: JSON.stringify({ atSign, epoch, csr: certificateRequest(host, keys), activated }),
    ...{ connectMs, deadlineMs, signal },
  });
  if (reply.status !== 200) throw new RefusalError(reply);
  const key = keys.privateKey.export({ format: "pem", type: "pkcs8" }).toString();
  return parseAnswer(reply.body, { key, host, now: now() });
}

/** Of a problem document, if it is one. */
function detailOf(body: string): string {
  try {
    const { detail } = JSON.parse(body) as { detail?: unknown };
    return typeof detail === "string" ? detail.slice(0, 300) : "no detail";
  } catch {
    return "no detail"; // some proxy's page
  }
}

function retryAfterMsOf(error: unknown): number {
  return error instanceof RefusalError ? error.retryAfterMs : 0;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
