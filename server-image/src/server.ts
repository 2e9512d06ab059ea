import type { AddressInfo, Socket } from "node:net";
import { createServer, type Server } from "node:tls";
import type { Address } from "@atrium/runtime/config.ts";
import type { Connection } from "./connection.ts";
import type { Identity } from "./identity/identity.ts";
import { Inbound, type InboundParts, protocols } from "./inbound.ts";
import type { InboundSummary } from "./inbound-statistics.ts";

interface Options extends InboundParts {
  readonly listen: Address;
  readonly identity: Pick<Identity, "current" | "onChange">;
  readonly handshakeMs?: number;
  readonly drainMs?: number;
}

export interface AtServer extends AsyncDisposable {
  readonly address: Address;
  readonly connections: number;
  /** of all connections */
  summary(): InboundSummary[];
  /** Closes the connections for which `test` holds. */
  endConnections(test: (connection: Connection) => boolean): void;
}

/**
 * Listens for TLS, and hands out the connections whose handshake is done.
 *
 * @returns once it listens; disposing it lets running commands finish, closes all connections and returns
 * @throws {Error} when it cannot listen
 */
export async function serve({
  listen,
  identity,
  handshakeMs = 10_000,
  drainMs = 8_000,
  ...parts
}: Options): Promise<AtServer> {
  const inbound = new Inbound(parts);
  const server = createServer({
    ...secureContext(identity.current),
    minVersion: "TLSv1.2",
    // Other atServers show a certificate, clients have none: it is asked for, and judged where it matters.
    requestCert: true,
    rejectUnauthorized: false,
    handshakeTimeout: handshakeMs,
    // A client may close its side behind its last command and still gets the replies.
    allowHalfOpen: true,
    noDelay: true,
    ALPNProtocols: [...protocols],
  });
  const unsubscribe = identity.onChange((pair) => server.setSecureContext(secureContext(pair)));
  const sockets = trackSockets(server);
  // Beyond this nobody is told why: a TLS handshake would cost more than the newcomer.
  server.maxConnections = 2 * parts.maxConnections;

  server.on("tlsClientError", (error, socket) => {
    parts.counts.handshakesFailed++;
    parts.log.debug({ err: error }, "TLS handshake failed");
    socket.destroy();
  });
  server.on("secureConnection", (socket) => inbound.accept(socket));

  const address = await listening(server, listen);
  return {
    address,
    get connections() {
      return inbound.size;
    },
    summary() {
      return inbound.summary();
    },
    endConnections(test) {
      inbound.end(test);
    },
    async [Symbol.asyncDispose]() {
      unsubscribe();
      inbound[Symbol.dispose]();
      await drained(server, inbound, sockets, drainMs);
    },
  };
}

function secureContext({ serving, trust }: Identity["current"]): { cert: string; key: string; ca: string } {
  return { cert: serving.certificate, key: serving.key, ca: trust };
}

/** All TCP connections, those in their handshake too. */
function trackSockets(server: Server): ReadonlySet<Socket> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  return sockets;
}

async function drained(server: Server, inbound: Inbound, sockets: ReadonlySet<Socket>, drainMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  const deadline = setTimeout(() => {
    for (const socket of sockets) socket.destroy();
  }, drainMs);
  inbound.drain();
  await closed;
  clearTimeout(deadline);
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
