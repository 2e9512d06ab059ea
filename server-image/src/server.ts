import type { AddressInfo, Socket } from "node:net";
import { createServer, type Server, type TLSSocket } from "node:tls";
import { formatError, ProtocolError } from "@atrium/protocol";
import type { Address } from "@atrium/runtime/config.ts";
import type { Connection, ShownCertificate } from "./connection.ts";
import type { Identity } from "./identity/identity.ts";
import { Reaper } from "./reaper.ts";
import { Session, type SessionParts } from "./session.ts";

interface Options extends SessionParts {
  readonly listen: Address;
  readonly identity: Pick<Identity, "current" | "onChange">;
  readonly maxConnections: number;
  readonly handshakeMs?: number;
  readonly drainMs?: number;
}

export interface AtServer extends AsyncDisposable {
  readonly address: Address;
  readonly connections: number;
  /** Closes the connections for which `test` holds. */
  endConnections(test: (connection: Connection) => boolean): void;
}

/**
 * So many places, but at most half of all, are for the owner: whoever takes one of the last must log in on it soon, or
 * loses it. (Nobody can be told from the owner before that.)
 */
const reservedPlaces = 20;
const loginMs = 10_000;

const limitReached = `${formatError(new ProtocolError("inbound_limit", ""), { owner: false, json: false })}\n`;

/**
 * Listens for TLS and gives each connection its session.
 *
 * @returns once it listens; disposing it lets running commands finish, closes all connections and returns
 * @throws {Error} when it cannot listen
 */
export async function serve({
  listen,
  identity,
  maxConnections,
  handshakeMs = 10_000,
  drainMs = 8_000,
  ...parts
}: Options): Promise<AtServer> {
  const sessions = new Set<Session>();
  const openPlaces = maxConnections - Math.min(reservedPlaces, Math.floor(maxConnections / 2));
  const reaper = new Reaper({
    sessions,
    capacity: maxConnections,
    monotonic: parts.monotonic,
    onIdle: () => parts.counts.idleClosed++,
  });
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
  });
  const unsubscribe = identity.onChange((pair) => server.setSecureContext(secureContext(pair)));
  const sockets = trackSockets(server);
  // Beyond this nobody is told why: a TLS handshake would cost more than the newcomer.
  server.maxConnections = 2 * maxConnections;

  server.on("tlsClientError", (error, socket) => {
    parts.counts.handshakesFailed++;
    parts.log.debug({ err: error }, "TLS handshake failed");
    socket.destroy();
  });
  server.on("secureConnection", (socket) => {
    if (sessions.size >= maxConnections) {
      parts.counts.refused++;
      refuse(socket, parts.limits.lingerMs);
      return;
    }
    parts.counts.accepted++;
    const reserved = others(sessions) >= openPlaces;
    const session = new Session(socket, {
      ...parts,
      onDue: (dueMs) => reaper.dueAt(dueMs),
      ...(reserved && { loginDueMs: parts.monotonic() + loginMs }),
      shownCertificate: () => shownCertificate(socket),
    });
    sessions.add(session);
    socket.once("close", () => sessions.delete(session));
    reaper.loadRose();
  });

  const address = await listening(server, listen);
  return {
    address,
    get connections() {
      return sessions.size;
    },
    endConnections(test) {
      for (const session of sessions) if (test(session.connection)) session.end();
    },
    async [Symbol.asyncDispose]() {
      unsubscribe();
      reaper[Symbol.dispose]();
      await drained(server, sessions, sockets, drainMs);
    },
  };
}

function secureContext({ serving, trust }: Identity["current"]): { cert: string; key: string; ca: string } {
  return { cert: serving.certificate, key: serving.key, ca: trust };
}

/** Those that have not shown that they are the owner. */
function others(sessions: ReadonlySet<Session>): number {
  let count = 0;
  for (const { connection } of sessions) if (connection.state !== "owner") count++;
  return count;
}

function shownCertificate(socket: TLSSocket): ShownCertificate | undefined {
  const certificate = socket.getPeerX509Certificate();
  return certificate && { certificate, trusted: socket.authorized };
}

function refuse(socket: TLSSocket, lingerMs: number): void {
  socket.on("error", () => socket.destroy());
  socket.end(limitReached);
  socket.resume();
  const timer = setTimeout(() => socket.destroy(), lingerMs).unref();
  socket.once("close", () => clearTimeout(timer));
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

async function drained(
  server: Server,
  sessions: ReadonlySet<Session>,
  sockets: ReadonlySet<Socket>,
  drainMs: number,
): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  const deadline = setTimeout(() => {
    for (const socket of sockets) socket.destroy();
  }, drainMs);
  for (const session of sessions) session.drain();
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
