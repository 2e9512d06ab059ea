import { readFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Address } from "@atrium/runtime/config.ts";
import type { Log } from "@atrium/runtime/log.ts";
import type { TlsFilesWatch } from "@atrium/runtime/tls-files.ts";
import { type Registry, RegistryAway } from "../registry.ts";
import { Problem } from "./problem.ts";
import { handle } from "./routes.ts";

interface Parts {
  readonly listen: Address;
  /** the directory's own, which also names it in here */
  readonly tlsFiles: TlsFilesWatch;
  /** file with the PEM of the roots that clients chain to; read again now and then */
  readonly caFile: string;
  readonly registry: Registry;
  readonly caPeriodMs?: number;
  readonly log: Log;
}

export interface AdminServer extends AsyncDisposable {
  readonly address: Address;
}

/** The one who may write. */
const operator = "operator.atrium.internal";
const retryAfterSeconds = 1;

/**
 * The provisioning API: HTTPS, for a client whose certificate chains to our CA and names the operator.
 *
 * @throws {Error} when it cannot listen
 */
export async function serveAdmin({
  listen,
  tlsFiles,
  caFile,
  caPeriodMs = 10_000,
  registry,
  log,
}: Parts): Promise<AdminServer> {
  let ca = readFileSync(caFile, "utf8");
  const secrets = () => ({ cert: tlsFiles.current.certificate, key: tlsFiles.current.key, ca });
  const server = createServer(
    {
      ...secrets(),
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: "TLSv1.2",
      handshakeTimeout: 10_000,
      maxHeaderSize: 16_384,
      headersTimeout: 5_000,
      requestTimeout: 10_000,
      connectionsCheckingInterval: 1_000,
    },
    (request, response) => void respond(request, response, { registry, log }),
  );
  server.maxConnections = 128;
  server.on("tlsClientError", (error: NodeJS.ErrnoException, socket) => {
    log.warn({ reason: error.code, from: socket.remoteAddress }, "admin handshake failed");
    socket.destroy();
  });
  const forgetTlsFiles = tlsFiles.onChange(() => server.setSecureContext(secrets()));
  const caTimer = setInterval(() => {
    try {
      const found = readFileSync(caFile, "utf8");
      if (found === ca) return;
      server.setSecureContext({ ...secrets(), ca: found });
      ca = found;
      log.info({ caFile }, "admin CA taken up");
    } catch (error) {
      log.error({ caFile, error: error instanceof Error ? error.message : String(error) }, "admin CA not taken up");
    }
  }, caPeriodMs).unref();

  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(listen.port, listen.host, () => {
      server.off("error", reject);
      resolve();
    });
  });
  const { address, port } = server.address() as AddressInfo;
  return {
    address: { host: address, port },
    async [Symbol.asyncDispose]() {
      clearInterval(caTimer);
      forgetTlsFiles();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeIdleConnections();
        // Requests under way have their deadlines in the registry; what is not done by then is not awaited.
        setTimeout(() => server.closeAllConnections(), drainMs).unref();
      });
    },
  };
}

const drainMs = 3_000;

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  { registry, log }: { registry: Registry; log: Log },
): Promise<void> {
  try {
    authorise(request.socket as TLSSocket);
    send(response, 200, await handle(request, registry));
  } catch (error) {
    const problem = asProblem(error);
    const fields = { method: request.method, path: request.url, status: problem.status, reason: problem.reason };
    if (problem.status === 500) log.error({ ...fields, error }, "admin request failed");
    else log.info({ ...fields, detail: problem.message, cause: causeOf(problem) }, "admin request refused");
    // A body that was not read must not be taken for the next request.
    if (!request.complete) response.shouldKeepAlive = false;
    for (const [header, value] of Object.entries(problem.headers)) response.setHeader(header, value);
    send(response, problem.status, problem);
  }
}

/** The chain was checked in the handshake. The name is compared by OpenSSL, as a dNSName and without wildcards. */
function authorise(socket: TLSSocket): void {
  const certificate = socket.getPeerX509Certificate();
  const named = certificate?.checkHost(operator, { subject: "never", wildcards: false, partialWildcards: false });
  if (named === undefined) throw new Problem(403, "the client's certificate is not the operator's");
}

function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof RegistryAway) {
    const headers = { "retry-after": String(retryAfterSeconds) };
    return new Problem(503, "the registry is away", { reason: "registry-away", headers, cause: error });
  }
  return new Problem(500, "failed", { cause: error });
}

function causeOf(problem: Problem): string | undefined {
  return problem.cause instanceof Error ? problem.cause.message : undefined;
}

function send(response: ServerResponse, status: number, document: object): void {
  const body = JSON.stringify(document);
  const type = status < 300 ? "application/json" : "application/problem+json";
  response.writeHead(status, { "content-type": type, "content-length": Buffer.byteLength(body) }).end(body);
}
