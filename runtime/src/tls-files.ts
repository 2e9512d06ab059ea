import { createHash, createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync, realpathSync } from "node:fs";
import { join } from "node:path";
import type { Log } from "./log.ts";

/** A certificate with its key, checked: fit for `tls.createSecureContext({ cert, key, ca })`. */
export interface TlsFiles {
  /** PEM, the leaf first */
  readonly certificate: string;
  /** PEM, not encrypted */
  readonly key: string;
  /** PEM bundle of the roots that peers must chain to; undefined when the directory has no `trust.pem` */
  readonly trust: string | undefined;
  /** end of the leaf's life, epoch milliseconds */
  readonly expiresAtMs: number;
}

export interface TlsFilesWatch extends AsyncDisposable {
  /** the last good content */
  readonly current: TlsFiles;
  /**
   * Calls `listener` after each change that was taken up.
   * @returns a function that ends this
   */
  onChange(listener: (files: TlsFiles) => void): () => void;
  /** Looks now instead of at the next period. Does not throw: bad content goes to the log, once per content. */
  check(): void;
}

interface Options {
  /** has `certificate.pem`, `key.pem` and optionally `trust.pem` */
  readonly directory: string;
  readonly log: Log;
  /** between two looks at the files */
  readonly periodMs?: number;
  /** epoch milliseconds */
  readonly now?: () => number;
}

const names = { certificate: "certificate.pem", key: "key.pem", trust: "trust.pem" } as const;

/**
 * Certificate and key from a directory, taken up again when their content changes.
 *
 * Polled, because change events are not reliable for what writes such directories (kubelet's symbolic links, bind
 * mounts, NFS); compared by content, because times of modification are not either. New content counts only when it is
 * whole and valid; until then the last good one stays.
 *
 * @throws {Error} when the directory has no valid content now; later faults go to the log
 */
export function watchTlsFiles({ directory, log, periodMs = 10_000, now = Date.now }: Options): TlsFilesWatch {
  const listeners = new Set<(files: TlsFiles) => void>();
  let content = readContent(directory);
  let seen = hash(content);
  let current = parseTlsFiles(content, now());
  let problem: string | undefined;

  const report = (error: unknown) => {
    const text = messageOf(error);
    if (text !== problem) log.error({ directory, problem: text }, "TLS files not taken up");
    problem = text;
  };
  const check = () => {
    try {
      content = readContent(directory);
      const found = hash(content);
      if (found === seen) {
        problem = undefined;
        return;
      }
      current = parseTlsFiles(content, now());
      seen = found;
      problem = undefined;
    } catch (error) {
      report(error);
      return;
    }
    log.info({ directory, expiresAt: new Date(current.expiresAtMs).toISOString() }, "TLS files taken up");
    notify(listeners, current, log);
  };

  const timer = setInterval(check, periodMs).unref();
  return {
    get current() {
      return current;
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    check,
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      listeners.clear();
    },
  };
}

/**
 * @param now epoch milliseconds
 * @throws {Error} in words for the one who wrote the files: what does not parse, does not match or has expired
 */
export function parseTlsFiles(
  { certificate, key, trust }: { certificate: string; key: string; trust?: string | undefined },
  now: number,
): TlsFiles {
  const [leaf] = parseCertificates(names.certificate, certificate);
  if (trust !== undefined) parseCertificates(names.trust, trust);
  const privateKey = named(names.key, () => createPrivateKey(key));
  if (!leaf.checkPrivateKey(privateKey)) throw new Error(`${names.key} is not the key of ${names.certificate}`);
  const [from, to] = [Date.parse(leaf.validFrom), Date.parse(leaf.validTo)];
  if (to <= now) throw new Error(`${names.certificate} expired at ${leaf.validTo}`);
  if (from > now) throw new Error(`${names.certificate} is not valid before ${leaf.validFrom}`);
  return { certificate, key, trust, expiresAtMs: to };
}

function parseCertificates(name: string, pem: string): [X509Certificate, ...X509Certificate[]] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  const [first, ...more] = blocks.map((block) => named(name, () => new X509Certificate(block)));
  if (first === undefined) throw new Error(`${name} has no certificate in PEM form`);
  return [first, ...more];
}

/** Errors of OpenSSL do not say which file they are about. */
function named<T>(name: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new Error(`${name} cannot be parsed: ${messageOf(error)}`, { cause: error });
  }
}

interface Content {
  certificate: string;
  key: string;
  trust: string | undefined;
}

/**
 * A directory that the kubelet writes is exchanged as a whole, by the symbolic link `..data`: it is followed once, so that
 * all files are of one generation.
 */
function readContent(mounted: string): Content {
  const directory = realpathOf(join(mounted, "..data")) ?? mounted;
  return {
    certificate: readFileSync(join(directory, names.certificate), "utf8"),
    key: readFileSync(join(directory, names.key), "utf8"),
    trust: readOptional(join(directory, names.trust)),
  };
}

function realpathOf(path: string): string | undefined {
  return unlessAbsent(() => realpathSync(path));
}

function readOptional(path: string): string | undefined {
  return unlessAbsent(() => readFileSync(path, "utf8"));
}

function unlessAbsent<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

function hash(content: Content): string {
  return createHash("sha256").update(JSON.stringify(content)).digest("base64");
}

/** A listener that throws must not keep the others from the new files, nor end the process out of a timer. */
function notify(listeners: Iterable<(files: TlsFiles) => void>, files: TlsFiles, log: Log): void {
  for (const listener of listeners) {
    try {
      listener(files);
    } catch (error) {
      log.error({ error: messageOf(error) }, "new TLS files refused by their user");
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
