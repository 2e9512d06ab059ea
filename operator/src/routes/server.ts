import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { TLSSocket } from "node:tls";
import type { Address } from "@atrium/runtime/config.ts";
import type { Log } from "@atrium/runtime/log.ts";
import type { Line, RouteFeed } from "./feed.ts";

/** Who may read the routes. */
const gatewayName = "gateway.atrium.internal";

const defaultTimings: Timings = { heartbeatMs: 5_000, stalledMs: 10_000 };
/** Written at a time, some 50 KB: a table of ten thousand routes neither blocks the process nor lies in its buffers. */
const linesPerWrite = 256;

interface Timings {
  /** between two lines of a stream in which nothing changes */
  readonly heartbeatMs: number;
  /** a reader that takes nothing for so long is cut: it comes back with its cursor */
  readonly stalledMs: number;
}

export interface TlsMaterial {
  readonly certificate: string;
  readonly key: string;
  /** PEM of the roots that readers' certificates chain to */
  readonly trust: string;
}

export interface RouteServer extends AsyncDisposable {
  readonly address: Address;
  /** For new connections; the present ones go on. */
  renew(tls: TlsMaterial): void;
}

/**
 * Serves `GET /v1/routes[?after=CURSOR]`: an endless stream of JSON lines, over mutual TLS.
 *
 * @throws {Error} when it cannot listen
 */
export async function serveRoutes({
  listen,
  tls,
  feed,
  log,
  timings,
}: {
  listen: Address;
  tls: TlsMaterial;
  feed: RouteFeed;
  log: Log;
  timings?: Partial<Timings>;
}): Promise<RouteServer> {
  const server = createServer(
    {
      ...secureContext(tls),
      requestCert: true,
      rejectUnauthorized: true,
      handshakeTimeout: 5_000,
      headersTimeout: 5_000,
    },
    (request, response) => answer(request, response, { feed, log, ...defaultTimings, ...timings }),
  );
  server.on("tlsClientError", (error) => log.debug({ error: error.message }, "routes: TLS failed"));
  server.listen(listen.port, listen.host);
  await once(server, "listening");
  const { address, port } = server.address() as AddressInfo;
  return {
    address: { host: address, port },
    renew: (renewed) => server.setSecureContext(secureContext(renewed)),
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

function secureContext({ certificate, key, trust }: TlsMaterial) {
  return { cert: certificate, key, ca: trust, minVersion: "TLSv1.2" as const };
}

interface Context extends Timings {
  readonly feed: RouteFeed;
  readonly log: Log;
}

function answer(request: IncomingMessage, response: ServerResponse, context: Context): void {
  // Every atServer has a certificate of the same root, hence the name.
  if (!isNamed(request.socket as TLSSocket, gatewayName)) {
    refuse(response, 403, "only gateways read the routes");
    return;
  }
  const [path, query] = (request.url ?? "").split("?", 2);
  if (request.method !== "GET" || path !== "/v1/routes") {
    refuse(response, 404, "there is no such resource");
    return;
  }
  response.writeHead(200, { "content-type": "application/x-ndjson", "cache-control": "no-store" });
  const after = new URLSearchParams(query).get("after") ?? undefined;
  stream(response, after, context).catch((error: unknown) => {
    if (!response.closed) context.log.warn({ reason: messageOf(error) }, "a gateway was cut from its routes");
    response.destroy();
  });
}

/**
 * Sends what the reader lacks, whenever there is something, as fast as it reads.
 *
 * @throws {Error} when the reader has gone or reads too slowly
 */
async function stream(response: ServerResponse, after: string | undefined, context: Context): Promise<void> {
  const { feed, heartbeatMs, stalledMs } = context;
  const closed = new AbortController();
  response.once("close", () => closed.abort());
  const stalled = () => AbortSignal.timeout(stalledMs);
  let cursor = after;
  while (!closed.signal.aborted) {
    const changed = changeOf(feed, heartbeatMs, closed.signal);
    const lines = feed.since(cursor);
    for (let at = 0; at < lines.length; at += linesPerWrite) {
      await write(response, lines.slice(at, at + linesPerWrite), AbortSignal.any([closed.signal, stalled()]));
    }
    const last = lines.at(-1);
    if (last !== undefined && "cursor" in last) cursor = last.cursor;
    await changed;
    // Changes of one turn of the event loop go out together.
    await nextTurn();
  }
}

/** @returns after the next change, a heartbeat without one, or when the reader has gone */
function changeOf(feed: RouteFeed, heartbeatMs: number, closed: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      leave();
      closed.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, heartbeatMs);
    const leave = feed.onChange(done);
    closed.addEventListener("abort", done);
    if (closed.aborted) done();
  });
}

/** @throws {Error} when nothing has been taken by the time the signal comes */
async function write(response: ServerResponse, lines: readonly Line[], signal: AbortSignal): Promise<void> {
  const taken = response.write(lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  // In turns even when all is taken at once: others wait, too.
  if (taken) await nextTurn();
  else await once(response, "drain", { signal });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function refuse(response: ServerResponse, status: number, detail: string): void {
  response.writeHead(status, { "content-type": "application/problem+json", connection: "close" });
  response.end(JSON.stringify({ type: "about:blank", status, detail }));
}

/** Exactly this dNSName among the alternative names; no wildcard, no common name. */
function isNamed(socket: TLSSocket, name: string): boolean {
  const { raw } = socket.getPeerCertificate();
  if (raw === undefined) return false;
  const names = new X509Certificate(raw).subjectAltName?.split(", ") ?? [];
  return names.includes(`DNS:${name}`);
}
