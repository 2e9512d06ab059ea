import { type IncomingMessage, request as requestHttp } from "node:http";
import { type RequestOptions, request as requestHttps } from "node:https";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";

/** How to reach an API server and as whom; what `KubeConfig` of @kubernetes/client-node gives. */
export interface Credentials {
  getCurrentCluster(): { readonly server: string } | null;
  /** adds authentication, certificates and an agent that keeps connections */
  applyToHTTPSOptions(options: RequestOptions): Promise<void>;
}

/** What all objects of Kubernetes have. */
export interface KubernetesObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: ObjectMeta;
}

export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly generation?: number;
  readonly deletionTimestamp?: string;
  readonly creationTimestamp?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly finalizers?: readonly string[];
  readonly ownerReferences?: readonly {
    readonly apiVersion: string;
    readonly kind: string;
    readonly name: string;
    readonly uid: string;
    readonly controller?: boolean;
  }[];
}

export interface List<T> {
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string };
  readonly items: readonly T[];
}

/** A resource of the API as paths name it. */
export interface Resource {
  /** empty for the core group */
  readonly group: string;
  readonly version: string;
  /** `atsigns` */
  readonly plural: string;
}

type Query = Readonly<Record<string, string | number | boolean | undefined>>;

export interface RequestParts {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path: string;
  readonly query?: Query | undefined;
  readonly body?: unknown;
  /** of the body */
  readonly contentType?: string;
  readonly signal?: AbortSignal | undefined;
}

/** What the API server refused, in its words; `reason` is one of Kubernetes' StatusReasons (`Conflict`, `Gone`, …). */
export class ApiError extends Error {
  override readonly name = "ApiError";
  /** of HTTP */
  readonly status: number;
  readonly reason: string;
  /** how long the API server asks to wait, milliseconds */
  readonly retryAfterMs: number | undefined;

  constructor(status: number, reason: string, message: string, retryAfterMs?: number) {
    super(message);
    this.status = status;
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
  }
}

/** No answer came: it is not known whether the request had its effect. */
export class NoAnswerError extends Error {
  override readonly name = "NoAnswerError";
}

/** Nothing that is not streamed takes longer. */
const answerMs = 15_000;
/** A list of 500 large objects is far below; what is longer is no answer that anybody wants in memory. */
const maxAnswerBytes = 64 * 1024 * 1024;

/** Requests to one API server, in JSON. Retries nothing: callers know what may be done twice. */
export class ApiClient {
  readonly #credentials: Credentials;

  constructor(credentials: Credentials) {
    this.#credentials = credentials;
  }

  /**
   * @throws {ApiError} what the API server refused
   * @throws {NoAnswerError}
   */
  async request<T>(parts: RequestParts): Promise<T> {
    const deadline = AbortSignal.timeout(answerMs);
    const signal = parts.signal === undefined ? deadline : AbortSignal.any([deadline, parts.signal]);
    const response = await this.#send({ ...parts, signal });
    try {
      return (await json(response)) as T;
    } catch (cause) {
      throw cause instanceof ApiError ? cause : noAnswer(parts, cause);
    }
  }

  /**
   * The objects that a stream brings, one per line, until the API server ends it.
   *
   * @param idleMs without a byte for so long, the connection counts as lost
   * @throws {ApiError} what the API server refused
   * @throws {NoAnswerError} when the connection is lost
   */
  async *stream<T>(parts: Omit<RequestParts, "method" | "body">, idleMs: number): AsyncGenerator<T> {
    const response = await this.#send({ ...parts, method: "GET" }, answerMs);
    response.setTimeout(idleMs, () => response.destroy(new Error(`nothing came for ${idleMs / 1000} s`)));
    try {
      for await (const line of createInterface({ input: response, crlfDelay: Number.POSITIVE_INFINITY })) {
        if (line !== "") yield JSON.parse(line) as T;
      }
      // readline does not tell of an input that failed.
      if (response.errored !== null) throw response.errored;
      if (!response.complete) throw new Error("the connection was cut");
    } catch (cause) {
      throw noAnswer({ ...parts, method: "GET" }, cause);
    } finally {
      response.destroy();
    }
  }

  /** @returns once the head of the answer is there, and it is a good one */
  async #send(parts: RequestParts, headMs?: number): Promise<IncomingMessage> {
    const { method, path, query = {}, body, contentType = "application/json", signal } = parts;
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
        ...(payload !== undefined && { "content-type": contentType, "content-length": Buffer.byteLength(payload) }),
      },
      ...(signal !== undefined && { signal }),
    };
    await this.#credentials.applyToHTTPSOptions(options);
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const send = url.protocol === "https:" ? requestHttps : requestHttp;
      const asking = send(url, options);
      const timer =
        headMs === undefined ? undefined : setTimeout(() => asking.destroy(new Error("no answer in time")), headMs);
      asking.once("response", (answer) => {
        clearTimeout(timer);
        resolve(answer);
      });
      asking.once("error", (cause) => {
        clearTimeout(timer);
        reject(noAnswer(parts, cause));
      });
      asking.end(payload);
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

async function refusal(response: IncomingMessage, parts: RequestParts): Promise<ApiError | NoAnswerError> {
  const { statusCode = 0, headers } = response;
  let status: { reason?: unknown; message?: unknown; details?: { retryAfterSeconds?: unknown } };
  try {
    status = (await json(response)) as typeof status;
  } catch {
    // Proxies, and the API server before it is up, answer in plain text.
    status = {};
  }
  const { reason = `${statusCode}`, message = `HTTP ${statusCode}`, details } = status;
  const seconds = Number(headers["retry-after"] ?? details?.retryAfterSeconds);
  const text = `${parts.method} ${parts.path}: ${String(message)}`;
  return new ApiError(statusCode, String(reason), text, Number.isFinite(seconds) ? seconds * 1000 : undefined);
}

function noAnswer({ method, path }: Pick<RequestParts, "method" | "path">, cause: unknown): NoAnswerError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new NoAnswerError(`${method} ${path}: ${why}`, { cause });
}

/** Path of a resource's objects: in all namespaces without one, one object with a name. */
export function pathOf(
  { group, version, plural }: Resource,
  { namespace, name, subresource }: { namespace?: string | undefined; name?: string; subresource?: string } = {},
): string {
  const root = group === "" ? `/api/${version}` : `/apis/${group}/${version}`;
  const scope = namespace === undefined ? "" : `/namespaces/${encodeURIComponent(namespace)}`;
  const object = name === undefined ? "" : `/${encodeURIComponent(name)}`;
  return `${root}${scope}/${plural}${object}${subresource === undefined ? "" : `/${subresource}`}`;
}
