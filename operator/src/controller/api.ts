import { Agent as HttpAgent, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, type RequestOptions } from "node:https";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { backoffMs } from "@atrium/runtime/backoff.ts";
import { traced } from "@atrium/runtime/tracing.ts";
import { ApiError, NoAnswerError } from "./api-error.ts";
import { bounded, boundedInTime } from "./bounded.ts";
import type { Credentials } from "./credentials.ts";
import { exchange } from "./exchange.ts";
import { lines } from "./lines.ts";
import { Slots } from "./slots.ts";
import { type Term, TermOverError } from "./term.ts";

export { ApiError, NoAnswerError } from "./api-error.ts";
export type { Credentials } from "./credentials.ts";
export { type KubernetesObject, type List, pathOf, type Resource } from "./objects.ts";

type Query = Readonly<Record<string, string | number | boolean | undefined>>;

export interface RequestParts {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path: string;
  readonly query?: Query | undefined;
  readonly body?: unknown;
  /** of the body */
  readonly contentType?: string;
  readonly signal?: AbortSignal | undefined;
  /** it is sent, and answered, while this lasts, or not at all */
  readonly term?: Term | undefined;
  /** for everything: waiting for a slot, repetitions of what was refused with 429, the answer */
  readonly deadlineMs?: number;
  /**
   * What keeps the lease: it does not wait for a slot, and has a connection of its own, because one that was kept may be
   * dead without knowing it.
   */
  readonly urgent?: boolean;
}

export interface ApiClientOptions {
  /** requests at the same time; streams do not count */
  readonly maxConcurrent?: number;
  readonly userAgent?: string;
  readonly random?: () => number;
}

/** Nothing that is not streamed takes longer. */
const answerMs = 15_000;
/** A list of 500 large objects is far below; what is longer is no answer that anybody wants in memory. */
const maxAnswerBytes = 64 * 1024 * 1024;
/** etcd takes objects of 1.5 MB; in JSON they are not much longer. */
const maxEventBytes = 16 * 1024 * 1024;
/** The API server closes connections that were idle for 90 s. */
const idleConnectionMs = 30_000;

/**
 * Requests to one API server, in JSON. What was refused because there is too much to do (429) did nothing, and is tried
 * again when the API server says; nothing else is repeated: callers know what may be done twice.
 */
export class ApiClient {
  readonly #credentials: Credentials;
  readonly #userAgent: string;
  readonly #random: () => number;
  readonly #slots: Slots;
  readonly #agents = {
    "https:": new HttpsAgent({ keepAlive: true, timeout: idleConnectionMs }),
    "http:": new HttpAgent({ keepAlive: true, timeout: idleConnectionMs }),
  };

  constructor(credentials: Credentials, options: ApiClientOptions = {}) {
    const { maxConcurrent = 32, userAgent = "atrium-operator", random = Math.random } = options;
    this.#credentials = credentials;
    this.#userAgent = userAgent;
    this.#random = random;
    this.#slots = new Slots(maxConcurrent);
  }

  /**
   * @throws {ApiError} what the API server refused
   * @throws {NoAnswerError}
   * @throws {TermOverError} it was not sent
   */
  async request<T>(parts: RequestParts): Promise<T> {
    const { deadlineMs = answerMs, signal, term, urgent = false } = parts;
    using bound = boundedInTime(deadlineMs, `no answer within ${deadlineMs / 1000} s`, [signal, term?.over]);
    let sent = false;
    const onSent = () => {
      sent = true;
    };
    try {
      // Kept during the pauses too: while the API server is overloaded, fewer requests are tried.
      using _slot = urgent ? undefined : await this.#slots.take(bound.signal);
      for (let attempt = 0; ; attempt++) {
        try {
          const answer = () => this.#answer<T>({ ...parts, signal: bound.signal }, bound.remainingMs(), onSent);
          return await traced("operator.api", { "http.request.method": parts.method, "url.path": parts.path }, answer);
        } catch (error) {
          const pauseMs = this.#pauseMs(error, attempt);
          if (pauseMs === undefined || pauseMs >= bound.remainingMs()) throw error;
          sent = false;
          await delay(pauseMs, undefined, { signal: bound.signal });
        }
      }
    } catch (cause) {
      if (!sent && term?.remainingMs() === 0) throw termOver(parts, cause);
      throw cause instanceof ApiError ? cause : noAnswer(parts, bound.signal.reason ?? cause);
    }
  }

  /**
   * The objects that a stream brings, one per line, until the API server ends it.
   *
   * @param parts `onHead` is called once the API server has begun to answer
   * @param idleMs without a byte for so long, the connection counts as lost
   * @throws {ApiError} what the API server refused
   * @throws {NoAnswerError} when the connection is lost
   */
  async *stream<T>(
    { signal, onHead, ...parts }: Pick<RequestParts, "path" | "query" | "signal"> & { readonly onHead?: () => void },
    idleMs: number,
  ): AsyncGenerator<T, void, undefined> {
    using bound = bounded([signal]);
    const request = { ...parts, method: "GET", signal: bound.signal } as const;
    const timer = setTimeout(() => bound.abort(new Error("no answer in time")), answerMs);
    try {
      const response = await this.#send(request);
      clearTimeout(timer);
      onHead?.();
      response.setTimeout(idleMs, () => response.destroy(new Error(`nothing came for ${idleMs / 1000} s`)));
      for await (const line of lines(response, maxEventBytes)) yield JSON.parse(line) as T;
    } catch (cause) {
      throw cause instanceof ApiError ? cause : noAnswer(request, bound.signal.reason ?? cause);
    } finally {
      clearTimeout(timer);
    }
  }

  /** @returns undefined for what is not tried again */
  #pauseMs(error: unknown, attempt: number): number | undefined {
    if (!(error instanceof ApiError && error.status === 429)) return undefined;
    const random = this.#random;
    // Never sooner than asked, and not all at the same time.
    return (error.retryAfterMs ?? 0) + backoffMs(attempt, { minMs: 500, maxMs: 4_000, random });
  }

  async #answer<T>(parts: RequestParts, remainingMs: number, onSent: () => void): Promise<T> {
    // The API server drops what it could not do by then: it does not lie in its queues for longer than anybody waits.
    const timeoutMs = Math.ceil(Math.min(remainingMs, parts.term?.remainingMs() ?? Number.POSITIVE_INFINITY));
    const query = { ...parts.query, timeout: `${Math.max(1, timeoutMs)}ms` };
    const response = await this.#send({ ...parts, query }, onSent);
    return (await json(response)) as T;
  }

  /** @returns once the head of the answer is there, and it is a good one */
  async #send(parts: RequestParts, onSent?: () => void): Promise<IncomingMessage> {
    const { method, path, query = {}, body, contentType = "application/json", signal, term, urgent } = parts;
    const server = this.#credentials.getCurrentCluster()?.server;
    if (server === undefined) throw new Error("no cluster is chosen in the kubeconfig");
    const url = new URL(`${server.replace(/\/$/, "")}${path}`);
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.set(name, String(value));
    }
    const payload = body === undefined ? undefined : JSON.stringify(body);
    const options: RequestOptions = {
      method,
      headers: {
        accept: "application/json",
        "user-agent": this.#userAgent,
        ...(payload !== undefined && { "content-type": contentType, "content-length": Buffer.byteLength(payload) }),
      },
      ...(signal !== undefined && { signal }),
    };
    await this.#credentials.applyToHTTPSOptions(options);
    const kept = url.protocol === "https:" ? this.#agents["https:"] : this.#agents["http:"];
    options.agent = urgent === true ? false : kept;
    const response = await exchange(url, options, payload, () => {
      if (term?.remainingMs() === 0) throw termOver(parts);
      onSent?.();
    });
    if (response.statusCode !== undefined && response.statusCode < 300) return response;
    throw await refusal(response, parts);
  }
}

async function json(response: IncomingMessage): Promise<unknown> {
  let length = 0;
  response.on("data", (chunk: Buffer) => {
    length += chunk.length;
    if (length > maxAnswerBytes) response.destroy(new Error("the answer is too long"));
  });
  return JSON.parse(await text(response));
}

async function refusal(response: IncomingMessage, { method, path }: RequestParts): Promise<ApiError> {
  const { statusCode = 0, headers } = response;
  const status = await statusOf(response);
  const { reason = `${statusCode}`, message = `HTTP ${statusCode}`, details } = status;
  const seconds = Number(headers["retry-after"] ?? details?.retryAfterSeconds);
  const words = `${method} ${path}: ${String(message)}`;
  return new ApiError(statusCode, String(reason), words, Number.isFinite(seconds) ? seconds * 1000 : undefined);
}

interface Status {
  readonly reason?: unknown;
  readonly message?: unknown;
  readonly details?: { readonly retryAfterSeconds?: unknown };
}

/** Nothing, when it is not Kubernetes' own form: proxies, and the API server before it is up, answer in plain text. */
async function statusOf(response: IncomingMessage): Promise<Status> {
  try {
    const status = await json(response);
    return typeof status === "object" && status !== null ? status : {};
  } catch {
    return {};
  }
}

function termOver({ method, path }: Pick<RequestParts, "method" | "path">, cause?: unknown): TermOverError {
  return new TermOverError(`${method} ${path} was not sent: the lease is over`, { cause });
}

function noAnswer({ method, path }: Pick<RequestParts, "method" | "path">, cause: unknown): NoAnswerError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new NoAnswerError(`${method} ${path}: ${why}`, { cause });
}
