import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Address } from "@atrium/runtime/config.ts";
import type { Log } from "@atrium/runtime/log.ts";
import type { Line, RouteFeed } from "./feed.ts";

/** Who may read the routes. */
const gatewayName = "gateway.atrium.internal";

const defaultHeartbeatMs = 5_000;
/** A reader that leaves so much unread is cut: it comes back with its cursor. */
const maxBufferedBytes = 1 << 20;

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
  heartbeatMs = defaultHeartbeatMs,
}: {
  listen: Address;
  tls: TlsMaterial;
  feed: RouteFeed;
  log: Log;
  /** between two lines of a stream in which nothing changes */
  heartbeatMs?: number;
}): Promise<RouteServer> {
  const server = createServer(
    {
      ...secureContext(tls),
      requestCert: true,
      rejectUnauthorized: true,
      handshakeTimeout: 5_000,
      headersTimeout: 5_000,
    },
    (request, response) => answer(request, response, { feed, log, heartbeatMs }),
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

interface Context {
  readonly feed: RouteFeed;
  readonly log: Log;
  readonly heartbeatMs: number;
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
  stream(response, new URLSearchParams(query).get("after") ?? undefined, context);
}

function stream(response: ServerResponse, after: string | undefined, { feed, log, heartbeatMs }: Context): void {
  let cursor = after;
  let behind = true;
  const send = (lines: readonly Line[]) => {
    response.write(lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
    const last = lines.at(-1);
    if (last !== undefined && "cursor" in last) cursor = last.cursor;
  };
  const catchUp = () => {
    if (!behind) return;
    behind = false;
    send(feed.since(cursor));
    if (response.writableLength <= maxBufferedBytes) return;
    log.warn({ bufferedBytes: response.writableLength }, "a gateway reads its routes too slowly");
    response.destroy();
  };
  const unsubscribe = feed.onChange(() => {
    // Changes of one turn of the event loop go out together.
    if (!behind) setImmediate(catchUp);
    behind = true;
  });
  const heartbeat = setInterval(() => {
    behind = true;
    catchUp();
  }, heartbeatMs);
  response.on("close", () => {
    clearInterval(heartbeat);
    unsubscribe();
    // Nothing more is written, whatever is still queued.
    behind = false;
  });
  catchUp();
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
