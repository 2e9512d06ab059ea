import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Address } from "./config.ts";

/** True when all is well. Throwing, rejecting and taking longer than the deadline mean the same as false. */
export type Check = () => boolean | Promise<boolean>;

interface Options {
  readonly listen: Address;
  /** shall the process be restarted? By name, as it is told in the answer */
  readonly live: Readonly<Record<string, Check>>;
  /** shall it get work? */
  readonly ready: Readonly<Record<string, Check>>;
  /** the text of `/metrics`: `() => register.metrics()` of prom-client */
  readonly metrics: () => string | Promise<string>;
  /** for each check and for the metrics */
  readonly deadlineMs?: number;
}

export interface HealthServer extends AsyncDisposable {
  readonly address: Address;
}

const metricsType = "text/plain; version=0.0.4; charset=utf-8";
const textType = "text/plain; charset=utf-8";

/**
 * `/livez`, `/readyz` and `/metrics` on a port of their own. The first two answer 200 `ok`, or 503 with the names of
 * the checks that failed, one per line.
 *
 * @throws {Error} when it cannot listen
 */
export async function serveHealth({ listen, deadlineMs = 1_000, ...answers }: Options): Promise<HealthServer> {
  const routes: Record<string, () => Promise<Answer>> = {
    "/livez": () => checked(answers.live, deadlineMs),
    "/readyz": () => checked(answers.ready, deadlineMs),
    "/metrics": async () => ({
      status: 200,
      type: metricsType,
      body: await within(deadlineMs, async () => answers.metrics()),
    }),
  };
  // Bounded in connections, header bytes and every time: this port is reachable for whoever is in the network.
  const server = createServer(
    { maxHeaderSize: 8_192, headersTimeout: 5_000, requestTimeout: 5_000, connectionsCheckingInterval: 1_000 },
    (request, response) => void answer(routes, request, response),
  );
  server.maxConnections = 64;
  server.keepAliveTimeout = 5_000;
  server.timeout = 10_000;
  return { address: await listening(server, listen), [Symbol.asyncDispose]: () => closed(server) };
}

interface Answer {
  status: number;
  type: string;
  body: string;
}

async function answer(
  routes: Readonly<Record<string, () => Promise<Answer>>>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = (request.url ?? "").replace(/\?.*$/s, "");
  const route = Object.hasOwn(routes, path) ? routes[path] : undefined;
  const allowed = request.method === "GET" || request.method === "HEAD";
  const { status, type, body } = await (route === undefined
    ? { status: 404, type: textType, body: "not found\n" }
    : allowed
      ? route().catch(() => ({ status: 500, type: textType, body: "failed\n" }))
      : { status: 405, type: textType, body: "only GET\n" });
  // Bodies are not read: what comes after the head of such a request must not be taken for the next one.
  if (!allowed) response.shouldKeepAlive = false;
  response.writeHead(status, { "content-type": type, "content-length": Buffer.byteLength(body) }).end(body);
}

async function checked(checks: Readonly<Record<string, Check>>, deadlineMs: number): Promise<Answer> {
  const results = await Promise.all(
    Object.entries(checks).map(async ([name, check]) => ({ name, passed: await passes(check, deadlineMs) })),
  );
  const failing = results.filter(({ passed }) => !passed).map(({ name }) => `${name}\n`);
  const [status, body] = failing.length === 0 ? [200, "ok\n"] : [503, failing.join("")];
  return { status, type: textType, body };
}

/** The fault itself belongs to the log of the part that is checked; here it is only a name. */
function passes(check: Check, deadlineMs: number): Promise<boolean> {
  return within(deadlineMs, async () => check()).catch(() => false);
}

async function within<T>(deadlineMs: number, work: () => Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`not done in ${deadlineMs} ms`)), deadlineMs);
  });
  try {
    return await Promise.race([work(), late]);
  } finally {
    clearTimeout(timer);
  }
}

function listening(server: Server, { host, port }: Address): Promise<Address> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve({ host, port: (server.address() as AddressInfo).port });
    });
  });
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
