import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { backoffMs } from "@atrium/runtime/backoff.ts";
import type { Log } from "@atrium/runtime/log.ts";
import { type ApiClient, ApiError, NoAnswerError, pathOf } from "../controller/api.ts";
import {
  base64,
  type CaContent,
  caSecretName,
  newCaSecret,
  readCaSecret,
  type Secret,
  secrets,
  withEntries,
} from "./ca-secret.ts";
import { type CertificateAuthority, createRoot } from "./certificate-authority.ts";

/** The platform's CA as its Secret has it now. */
export interface PlatformCa extends Disposable {
  /** names the platform in the claims of the directory */
  readonly platformId: string;
  /** DNS names that it must be able to speak for; each covers what is below it */
  readonly names: readonly string[];
  /** PEM bundle of the roots that are trusted: the one that issues, and while the CA changes the next or the previous one */
  readonly trust: string;
  /** the root that issues */
  readonly authority: CertificateAuthority;
  /** the Secret and what it says, as they were read last */
  readonly seen: { readonly secret: Secret; readonly content: CaContent };
  /** After the root that issues, or the trust, has changed. @returns a function that ends this */
  onChange(listener: () => void): () => void;
  /** Looks at the Secret now. Does not throw: what is wrong goes to the log, and the last good content stays. */
  refresh(): Promise<void>;
}

interface Options {
  readonly client: Pick<ApiClient, "request">;
  /** of the release */
  readonly namespace: string;
  /** DNS names that it must be able to speak for; each covers what is below it */
  readonly names: readonly string[];
  /** that of a former installation; without it the one in the Secret, which is made with it */
  readonly platformId?: string | undefined;
  readonly log: Log;
  /** ends the wait for the API server */
  readonly signal?: AbortSignal;
  /** epoch milliseconds */
  readonly now?: () => number;
  /** between two looks at the Secret */
  readonly pollMs?: number;
}

/**
 * Opens the platform's CA, and makes it when there is none. Each replica has it, and looks at it again and again.
 *
 * Polled: it changes once in years, no change of it is urgent, and a look is a small request.
 *
 * @throws {Error} when the Secret is there and cannot be used, or may not be read
 */
export async function openPlatformCa(options: Options): Promise<PlatformCa> {
  const secret = await patiently(() => ensureSecret(options), options);
  const content = await readable(secret);
  const { platformId: stored } = content;
  const { platformId, log } = options;
  if (stored === undefined) throw new Error(`${caSecretName}: platform-id is missing`);
  if (platformId !== undefined && platformId !== stored) {
    log.warn({ platformId, stored }, "the platform id that is set differs from the stored one");
  }
  return new PolledCa(options, { secret, content }, platformId ?? stored);
}

class PolledCa implements PlatformCa {
  readonly platformId: string;
  readonly names: readonly string[];
  readonly #options: Options;
  readonly #listeners = new Set<() => void>();
  readonly #timer: NodeJS.Timeout;
  #seen: PlatformCa["seen"];
  #looking: Promise<void> | undefined;
  #problem: string | undefined;

  constructor(options: Options, seen: PlatformCa["seen"], platformId: string) {
    this.platformId = platformId;
    this.names = options.names;
    this.#options = options;
    this.#seen = seen;
    this.#timer = setInterval(() => void this.#look(), options.pollMs ?? 30_000).unref();
  }

  get trust(): string {
    return trustOf(this.#seen.content);
  }

  get authority(): CertificateAuthority {
    return this.#seen.content.current;
  }

  get seen(): PlatformCa["seen"] {
    return this.#seen;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async refresh(): Promise<void> {
    // What is under way may have read before the caller's own write.
    await this.#looking;
    await this.#look();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#listeners.clear();
  }

  #look(): Promise<void> {
    this.#looking ??= this.#take()
      .then(
        () => this.#tell(undefined),
        (error) => this.#tell(error instanceof Error ? error.message : String(error)),
      )
      .finally(() => {
        this.#looking = undefined;
      });
    return this.#looking;
  }

  async #take(): Promise<void> {
    const before = this.#seen;
    const secret = await readOrRestore(this.#options, before.secret);
    const { uid, resourceVersion } = before.secret.metadata;
    if (secret.metadata.uid === uid && secret.metadata.resourceVersion === resourceVersion) return;
    const content = await readable(secret);
    this.#seen = { secret, content };
    const sameIssuer = before.content.current.certificate === content.current.certificate;
    if (sameIssuer && trustOf(before.content) === trustOf(content)) return;
    this.#options.log.info({ roots: rootsOf(content).length }, "the platform's CA was taken up anew");
    for (const listener of this.#listeners) listener();
  }

  /** Each problem once. */
  #tell(problem: string | undefined): void {
    if (problem !== undefined && problem !== this.#problem) {
      this.#options.log.error({ problem }, "the platform's CA was not taken up");
    }
    this.#problem = problem;
  }
}

export function caPath(namespace: string): string {
  return pathOf(secrets, { namespace, name: caSecretName });
}

/** @returns the Secret with a platform id, made where it was not there */
async function ensureSecret(options: Options): Promise<Secret> {
  const { client, namespace, names, platformId = randomUUID(), now = Date.now } = options;
  const read = () => client.request<Secret>({ method: "GET", path: caPath(namespace) });
  try {
    const secret = await read();
    if (secret.data?.["platform-id"] !== undefined) return secret;
    const { sinceMs } = await readable(secret);
    const body = withEntries(secret, { "platform-id": base64(platformId) }, sinceMs);
    return await client.request<Secret>({ method: "PUT", path: caPath(namespace), body });
  } catch (error) {
    // Another replica was faster with its id.
    if (isStatus(error, 409)) return await read();
    if (!isStatus(error, 404)) throw error;
  }
  const body = newCaSecret(namespace, await createRoot(names, now()), platformId);
  try {
    return await client.request<Secret>({ method: "POST", path: pathOf(secrets, { namespace }), body });
  } catch (error) {
    if (isStatus(error, 409)) return await read();
    throw error;
  }
}

/** Somebody who removed it did not mean it: the next replica would make another platform. */
async function readOrRestore({ client, namespace, log }: Options, last: Secret): Promise<Secret> {
  try {
    return await client.request<Secret>({ method: "GET", path: caPath(namespace) });
  } catch (error) {
    if (!isStatus(error, 404)) throw error;
  }
  const { name, labels = {}, annotations = {} } = last.metadata;
  const { apiVersion = "v1", kind = "Secret", type = "Opaque", data = {} } = last;
  const body = { apiVersion, kind, type, data, metadata: { namespace, name, labels, annotations } };
  const restored = await client.request<Secret>({ method: "POST", path: pathOf(secrets, { namespace }), body });
  log.warn({ secret: name }, "the platform's CA was removed, and is there again");
  return restored;
}

/** Again and again while the API server is away. */
async function patiently<T>(work: () => Promise<T>, { log, signal }: Options): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      const passing = error instanceof NoAnswerError || (error instanceof ApiError && error.status >= 429);
      if (!passing) throw error;
      log.warn({ error: error.message }, "waiting for the platform's CA");
      await delay(backoffMs(attempt, { minMs: 500, maxMs: 10_000 }), undefined, { signal });
    }
  }
}

async function readable(secret: Secret): Promise<CaContent> {
  try {
    return await readCaSecret(secret);
  } catch (cause) {
    throw new Error(`${caSecretName}: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}

function rootsOf({ current, next, previous }: CaContent): string[] {
  const roots = [current.certificate, next?.certificate, previous];
  return [...new Set(roots.flatMap((root) => (root === undefined ? [] : [`${root.trim()}\n`])))];
}

function trustOf(content: CaContent): string {
  return rootsOf(content).join("");
}

function isStatus(error: unknown, status: number): boolean {
  return error instanceof ApiError && error.status === status;
}
