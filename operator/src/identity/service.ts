import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { Address } from "@atrium/runtime/config.ts";
import type { Log } from "@atrium/runtime/log.ts";
import { traced } from "@atrium/runtime/tracing.ts";
import { type ApiClient, ApiError, NoAnswerError } from "../controller/api.ts";
import type { AtSign } from "../resources/at-sign.ts";
import { type Issued, Issuer } from "./issuer.ts";
import type { OperatorTls } from "./operator-tls.ts";
import type { PlatformCa } from "./platform-ca.ts";
import { type PodIdentity, reviewToken } from "./pod-identity.ts";
import { Problem } from "./problem.ts";
import { type Rate, RateLimit } from "./rate-limit.ts";
import { type IdentityBody, readBody } from "./request-body.ts";

/** What one replica serves. */
export interface IdentityLimits {
  /** requests from one address: behind some networks that is a whole node */
  readonly perAddress: Rate;
  /** of these, the ones that were refused: an address that proves nothing is not asked about for long */
  readonly refusedPerAddress: Rate;
  /** of one pod: a certificate lives for a day */
  readonly perPod: Rate;
  /** of one tenant */
  readonly perNamespace: Rate;
  /** of all whose token was accepted */
  readonly overall: Rate;
  /** requests that are worked on at a time */
  readonly concurrent: number;
  readonly connectionsPerAddress: number;
}

const defaultLimits: IdentityLimits = {
  perAddress: { burst: 300, perSecond: 10 },
  refusedPerAddress: { burst: 50, perSecond: 1 },
  perPod: { burst: 8, perSecond: 0.2 },
  perNamespace: { burst: 500, perSecond: 20 },
  overall: { burst: 1_000, perSecond: 60 },
  concurrent: 24,
  connectionsPerAddress: 256,
};

export interface IdentityServiceOptions {
  readonly listen: Address;
  readonly tls: OperatorTls;
  /** of its own: what it asks must not wait behind others */
  readonly client: Pick<ApiClient, "request">;
  readonly ca: PlatformCa;
  /** of the release: has the zone's certificate, where there is one */
  readonly namespace: string;
  /** whether the AtSign's class, one that it may use, is served with the zone's certificate */
  readonly usesWildcard: (atSign: AtSign) => boolean;
  readonly log: Log;
  readonly limits?: Partial<IdentityLimits>;
  readonly deadlines?: { readonly requestMs: number; readonly workMs: number };
  /** life of the certificates */
  readonly lifeMs?: number;
  /** epoch milliseconds */
  readonly now?: () => number;
  readonly monotonic?: () => number;
}

export interface IdentityService extends AsyncDisposable {
  readonly address: Address;
  /** answers so far by HTTP status */
  readonly answers: ReadonlyMap<number, number>;
}

const path = "/v1/identity";
const maxConnections = 1_024;

/**
 * `POST /v1/identity`: who proves to be the current pod of an AtSign gets its certificate, the roots that it may trust and,
 * while it is not activated, the activation secret.
 *
 * @throws {Error} when it cannot listen
 */
export async function serveIdentity(options: IdentityServiceOptions): Promise<IdentityService> {
  const { listen, tls, log, deadlines = { requestMs: 5_000, workMs: 8_000 } } = options;
  const desk = new Desk(options, deadlines.workMs);
  const server = createServer(
    {
      ...contextOf(tls),
      handshakeTimeout: deadlines.requestMs,
      headersTimeout: deadlines.requestMs,
      requestTimeout: deadlines.requestMs,
      connectionsCheckingInterval: Math.min(1_000, deadlines.requestMs),
      maxHeaderSize: 16_384,
    },
    (request, response) => void desk.serve(request, response),
  );
  server.maxConnections = maxConnections;
  limitConnections(server, options.limits?.connectionsPerAddress ?? defaultLimits.connectionsPerAddress);
  server.keepAliveTimeout = 5_000;
  server.timeout = deadlines.requestMs + deadlines.workMs;
  server.on("tlsClientError", (error) => log.debug({ error: error.message }, "identity: TLS failed"));
  const unsubscribe = tls.onChange(() => server.setSecureContext(contextOf(tls)));
  server.listen(listen.port, listen.host);
  await once(server, "listening");
  const { address, port } = server.address() as AddressInfo;
  return {
    address: { host: address, port },
    answers: desk.answers,
    async [Symbol.asyncDispose]() {
      unsubscribe();
      const closed = once(server, "close");
      server.close();
      server.closeIdleConnections();
      const late = setTimeout(() => server.closeAllConnections(), deadlines.workMs);
      await closed;
      clearTimeout(late);
    },
  };
}

/** One pod that holds many connections open must not keep the others out. */
function limitConnections(server: Server, perAddress: number): void {
  const open = new Map<string, number>();
  server.on("connection", (socket: Socket) => {
    const { remoteAddress: address = "" } = socket;
    const count = (open.get(address) ?? 0) + 1;
    open.set(address, count);
    socket.once("close", () => {
      const left = (open.get(address) ?? 1) - 1;
      if (left === 0) open.delete(address);
      else open.set(address, left);
    });
    if (count > perAddress) socket.destroy();
  });
}

function contextOf({ current: { certificate, key } }: OperatorTls) {
  return { cert: certificate, key, minVersion: "TLSv1.2" as const };
}

type Limit = "perAddress" | "refusedPerAddress" | "perPod" | "perNamespace" | "overall";

/** What is known of a request, for the log. */
interface About {
  readonly address: string;
  pod?: PodIdentity;
  /** it was not even looked at: there may be very many of these */
  isFlood?: boolean;
}

/** Takes requests, in bounds. */
class Desk {
  readonly answers = new Map<number, number>();
  readonly #issuer: Issuer;
  readonly #client: IdentityServiceOptions["client"];
  readonly #log: Log;
  readonly #workMs: number;
  readonly #concurrent: number;
  readonly #limits: Readonly<Record<Limit, RateLimit>>;
  #working = 0;

  constructor(options: IdentityServiceOptions, workMs: number) {
    const limits = { ...defaultLimits, ...options.limits };
    const limit = (rate: Rate) => new RateLimit(rate, options.monotonic && { monotonic: options.monotonic });
    this.#issuer = new Issuer(options);
    this.#client = options.client;
    this.#log = options.log;
    this.#workMs = workMs;
    this.#concurrent = limits.concurrent;
    this.#limits = {
      perAddress: limit(limits.perAddress),
      refusedPerAddress: limit(limits.refusedPerAddress),
      perPod: limit(limits.perPod),
      perNamespace: limit(limits.perNamespace),
      overall: limit(limits.overall),
    };
  }

  /** Answers every request, whatever happens. */
  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const about: About = { address: request.socket.remoteAddress ?? "" };
    try {
      const { atSign, answer } = await traced("operator.identity", {}, () => this.#answer(request, about));
      this.#log.info({ ...about, atSign, expiresAt: answer.expiresAt }, "identity issued");
      this.#send(response, 200, "application/json", JSON.stringify(answer));
    } catch (error) {
      const problem = problemOf(error);
      this.#tell(problem, about);
      if (problem.retryAfterMs !== undefined) {
        response.setHeader("retry-after", Math.max(1, Math.ceil(problem.retryAfterMs / 1000)));
      }
      if (problem.status === 401) response.setHeader("www-authenticate", "Bearer");
      // What is left of a body that was not read must not be taken for the next request.
      if (!request.complete) response.shouldKeepAlive = false;
      this.#send(response, problem.status, "application/problem+json", problem.document());
    }
  }

  #tell(problem: Problem, { isFlood = false, ...about }: About): void {
    const fields = { ...about, status: problem.status, detail: problem.message };
    if (problem.status >= 500) this.#log.error({ ...fields, err: problem.cause }, "identity not served");
    else if (isFlood) this.#log.debug(fields, "identity refused");
    else {
      this.#limits.refusedPerAddress.count(about.address);
      this.#log.warn(fields, "identity refused");
    }
  }

  async #answer(request: IncomingMessage, about: About): Promise<Issued> {
    const { address } = about;
    const waitMs = Math.max(this.#limits.refusedPerAddress.waitMs(address), this.#limits.perAddress.take(address));
    if (waitMs > 0) {
      about.isFlood = true;
      throw tooMany(waitMs);
    }
    if (request.url !== path) throw new Problem(404, `there is only ${path}`);
    if (request.method !== "POST") throw new Problem(405, "only POST");
    const [, token] = /^Bearer ([\w.~+/-]+=*)$/i.exec(request.headers.authorization ?? "") ?? [];
    if (token === undefined) throw new Problem(401, "there is no bearer token");
    const body = await readBody(request);
    // From here on it takes as long as we take, not its sender.
    if (this.#working >= this.#concurrent) throw new Problem(503, "too much to do", { retryAfterMs: 1_000 });
    this.#working++;
    try {
      return await this.#work(token, body, about);
    } finally {
      this.#working--;
    }
  }

  async #work(token: string, body: IdentityBody, about: About): Promise<Issued> {
    const signal = AbortSignal.timeout(this.#workMs);
    const pod = await reviewToken(this.#client, token, signal);
    about.pod = pod;
    this.#count("perPod", pod.uid);
    this.#count("perNamespace", pod.namespace);
    this.#count("overall", "");
    return await this.#issuer.issue(pod, body, signal);
  }

  /** @throws {Problem} 429 */
  #count(limit: Limit, key: string): void {
    const waitMs = this.#limits[limit].take(key);
    if (waitMs > 0) throw tooMany(waitMs);
  }

  #send(response: ServerResponse, status: number, type: string, body: string): void {
    this.answers.set(status, (this.answers.get(status) ?? 0) + 1);
    response.writeHead(status, {
      "content-type": type,
      "content-length": Buffer.byteLength(body),
      "cache-control": "no-store",
    });
    response.end(body);
  }
}

function tooMany(retryAfterMs: number): Problem {
  return new Problem(429, "too many requests", { retryAfterMs });
}

/** What goes wrong between us and the API server is no fault of the caller's, and passes. */
function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof NoAnswerError || error instanceof ApiError) {
    const retryAfterMs = Math.max(2_000, error instanceof ApiError ? (error.retryAfterMs ?? 0) : 0);
    return new Problem(503, "the API server could not be asked", { cause: error, retryAfterMs });
  }
  return new Problem(500, "it could not be done", { cause: error });
}
