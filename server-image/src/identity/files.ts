import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import type { Log } from "@atrium/runtime/log.ts";
import { parseTlsFiles } from "@atrium/runtime/tls-files.ts";
import type { Certificates, Identity } from "./identity.ts";

interface Options {
  /** has certificate.pem, key.pem and trust.pem, perhaps serving.pem with serving-key.pem, and activation */
  readonly directory: string;
  /** the name that the certificates must have */
  readonly host: string;
  readonly log: Log;
  /** between two looks at the files */
  readonly periodMs?: number;
  /** epoch milliseconds */
  readonly now?: () => number;
}

const names = {
  certificate: "certificate.pem",
  key: "key.pem",
  trust: "trust.pem",
  serving: "serving.pem",
  servingKey: "serving-key.pem",
} as const;

type Contents = Readonly<Record<keyof typeof names, string | undefined>>;

const dayMs = 86_400_000;

/**
 * Identity from a directory of files, taken up again when their content changes.
 *
 * Polled and compared by content: change events and times of modification are reliable on few of the file systems that
 * such a directory may be on. New content counts when it is whole and valid; until then the last good one stays.
 *
 * @param signal ends the wait for a first good content
 */
export async function openFileIdentity(options: Options & { signal?: AbortSignal }): Promise<Identity> {
  const { directory, log, signal } = options;
  for (let problem = ""; ; ) {
    try {
      return new FileIdentity(options);
    } catch (error) {
      // Whoever writes the files may not be done.
      const text = messageOf(error);
      if (text !== problem) log.warn({ directory, problem: text }, "waiting for an identity");
      problem = text;
    }
    await wait(500, undefined, { signal });
  }
}

class FileIdentity implements Identity {
  /** Never: whoever writes the files starts and ends the process, too. */
  readonly forfeited = new Promise<void>(() => undefined);
  readonly #options: Options;
  readonly #listeners = new Set<(certificates: Certificates) => void>();
  readonly #timer: NodeJS.Timeout;
  #contents: Contents;
  #current: Certificates;
  #problem: string | undefined;

  /** @throws {Error} when there is no good content now */
  constructor(options: Options) {
    this.#options = options;
    this.#contents = this.#read();
    this.#current = this.#parse(this.#contents);
    this.#timer = setInterval(() => this.#check(), options.periodMs ?? 10_000).unref();
    this.#tell();
  }

  get current(): Certificates {
    return this.#current;
  }

  onChange(listener: (certificates: Certificates) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  activationSecret(): string | undefined {
    return readOptional(this.#activationFile)?.trim() || undefined;
  }

  async activated(): Promise<void> {
    await rm(this.#activationFile, { force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    this.#listeners.clear();
  }

  get #activationFile(): string {
    return join(this.#options.directory, "activation");
  }

  #check(): void {
    try {
      const contents = this.#read();
      const changed = Object.entries(contents).some(([name, text]) => text !== this.#contents[name as keyof Contents]);
      if (changed) {
        this.#current = this.#parse(contents);
        this.#contents = contents;
        this.#tell();
        for (const listener of this.#listeners) listener(this.#current);
      }
      this.#problem = undefined;
    } catch (error) {
      const problem = messageOf(error);
      if (problem !== this.#problem) this.#options.log.error({ problem }, "identity not taken up");
      this.#problem = problem;
    }
  }

  #read(): Contents {
    const { directory } = this.#options;
    return Object.fromEntries(
      Object.entries(names).map(([name, file]) => [name, readOptional(join(directory, file))]),
    ) as Contents;
  }

  #parse({ certificate, key, trust, serving, servingKey }: Contents): Certificates {
    const { host, now = Date.now } = this.#options;
    const client = parseTlsFiles(
      {
        certificate: there(certificate, names.certificate),
        key: there(key, names.key),
        trust: there(trust, names.trust),
      },
      now(),
    );
    assertNamed(client.certificate, host, names.certificate);
    const own = { certificate: client.certificate, key: client.key };
    const trusted = there(trust, names.trust);
    if (serving === undefined && servingKey === undefined) {
      return { serving: own, client: own, trust: trusted, expiresAtMs: client.expiresAtMs };
    }
    const shown = parseTlsFiles(
      { certificate: there(serving, names.serving), key: there(servingKey, names.servingKey) },
      now(),
    );
    assertNamed(shown.certificate, host, names.serving);
    return {
      serving: { certificate: shown.certificate, key: shown.key },
      client: own,
      trust: trusted,
      expiresAtMs: Math.min(client.expiresAtMs, shown.expiresAtMs),
    };
  }

  #tell(): void {
    const { log, now = Date.now } = this.#options;
    const { expiresAtMs } = this.#current;
    const days = Math.floor(((expiresAtMs - now()) / dayMs) * 10) / 10;
    log.info({ expiresAt: new Date(expiresAtMs).toISOString(), days }, "identity taken up");
  }
}

function there(text: string | undefined, name: string): string {
  if (text === undefined) throw new Error(`${name} is missing`);
  return text;
}

function assertNamed(pem: string, host: string, name: string): void {
  if (new X509Certificate(pem).checkHost(host, { subject: "never" }) === undefined) {
    throw new Error(`${name} is not for ${host}`);
  }
}

function readOptional(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
