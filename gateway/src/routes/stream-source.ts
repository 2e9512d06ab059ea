import { X509Certificate } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { get } from "node:https";
import type { PeerCertificate } from "node:tls";
import { LineSplitter } from "@atrium/protocol";
import { backoffMs } from "@atrium/runtime/backoff.ts";
import type { Log } from "@atrium/runtime/log.ts";
import type { TlsFiles } from "@atrium/runtime/tls-files.ts";
import { Changes } from "./changes.ts";
import type { RoutesSource, RouteTable } from "./table.ts";

interface Options {
  /** `https://host:port/v1/routes` */
  readonly url: URL;
  /** who we are and whom we trust; asked anew for each connection */
  readonly tls: () => TlsFiles;
  readonly table: RouteTable;
  readonly log: Log;
  readonly timings?: Partial<Timings>;
}

interface Timings {
  /** for TCP, TLS and the head of the answer */
  readonly connectMs: number;
  /** between two lines; the operator sends one at least every 5 s */
  readonly silenceMs: number;
  readonly minBackoffMs: number;
  readonly maxBackoffMs: number;
}

const defaults: Timings = { connectMs: 5_000, silenceMs: 15_000, minBackoffMs: 100, maxBackoffMs: 10_000 };

/** The one name that an operator's certificate must have, wherever the operator is. */
const operatorName = "operator.atrium.internal";

/** A route takes some 200 bytes. */
const maxLineBytes = 65_536;

/**
 * Keeps the table like the operator's: follows its stream of changes, and comes back with back-off when it ends, at the
 * place where it was. Meanwhile the table stays as it was last.
 */
export function streamSource({ url, tls, table, log, timings }: Options): RoutesSource {
  const times = { ...defaults, ...timings };
  const stop = new AbortController();
  const changes = new Changes(table);
  let connected = false;
  let beganMs = performance.now();

  const follow = async () => {
    for (let attempt = 0; !stop.signal.aborted; attempt += 1) {
      try {
        changes.begin();
        beganMs = performance.now();
        await readStream({ url: resumeAt(url, changes.cursor), files: tls(), times, signal: stop.signal }, (line) => {
          const { refused, complete } = changes.take(line);
          for (const { host, epoch } of refused) log.warn({ host, epoch }, "older route refused");
          if (complete) log.info({ routes: table.size }, "routes complete");
          connected = true;
        });
        log.info({ url: url.href }, "routes stream ended");
      } catch (error) {
        if (!stop.signal.aborted) log.warn({ url: url.href, problem: messageOf(error) }, "routes stream broken");
      }
      connected = false;
      // Only one that lasted was a good one: who gives a whole table and breaks is not asked for it all the time.
      if (performance.now() - beganMs > times.maxBackoffMs) attempt = 0;
      await pause(backoffMs(attempt, { minMs: times.minBackoffMs, maxMs: times.maxBackoffMs }), stop.signal);
    }
  };
  const following = follow();
  return {
    get connected() {
      return connected;
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await following;
    },
  };
}

function resumeAt(url: URL, cursor: string | undefined): URL {
  const resumed = new URL(url);
  if (cursor !== undefined) resumed.searchParams.set("after", cursor);
  return resumed;
}

interface Request {
  readonly url: URL;
  readonly files: TlsFiles;
  readonly times: Timings;
  readonly signal: AbortSignal;
}

/**
 * @param onLine what it throws ends the stream
 * @returns when the operator ended the stream in order
 * @throws {Error} for every other end
 */
async function readStream({ url, files, times, signal }: Request, onLine: (line: string) => void): Promise<void> {
  const deadline = new Deadline();
  try {
    deadline.set(times.connectMs, "no answer");
    const response = await answerTo(url, files, AbortSignal.any([signal, deadline.signal]));
    if (response.statusCode !== 200) throw new Error(`answered with status ${response.statusCode}`);
    deadline.set(times.silenceMs, "silent for too long");
    const lines = new LineSplitter({ maxLineBytes });
    for await (const chunk of response) {
      for (const line of lines.push(chunk as Buffer)) {
        onLine(line.toString("utf8"));
        deadline.extend();
      }
    }
  } catch (error) {
    throw deadline.signal.aborted ? deadline.signal.reason : error;
  } finally {
    deadline.clear();
  }
}

/** Aborts with a reason when its time is over. */
class Deadline {
  readonly #controller = new AbortController();
  #timer: NodeJS.Timeout | undefined;

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  set(ms: number, reason: string): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#controller.abort(new Error(reason)), ms);
  }

  extend(): void {
    this.#timer?.refresh();
  }

  clear(): void {
    clearTimeout(this.#timer);
  }
}

function answerTo(url: URL, files: TlsFiles, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = get(url, {
      cert: files.certificate,
      key: files.key,
      // Without a bundle of our own nobody is trusted: the roots that Node brings must not count here.
      ca: files.trust ?? [],
      servername: operatorName,
      checkServerIdentity: (_host, certificate) => serverFault(certificate),
      headers: { accept: "application/x-ndjson" },
      agent: false,
      signal,
    });
    request.once("response", resolve);
    request.on("error", reject);
  });
}

/** Exactly the operator's name, and as a DNS name in the SAN: no wildcard, no common name. */
function serverFault({ raw }: PeerCertificate): Error | undefined {
  const found = new X509Certificate(raw).checkHost(operatorName, { subject: "never", wildcards: false });
  return found === undefined ? new Error(`the server's certificate is not for ${operatorName}`) : undefined;
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
  });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
