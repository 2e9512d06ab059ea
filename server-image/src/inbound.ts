import type { TLSSocket } from "node:tls";
import { formatError, ProtocolError } from "@atrium/protocol";
import type { Connection } from "./connection.ts";
import type { HttpParts } from "./http/endpoint.ts";
import { HttpConnection } from "./http/http-connection.ts";
import type { WebSocketStream } from "./http/web-socket-stream.ts";
import type { InboundSummary } from "./inbound-statistics.ts";
import { shownCertificate } from "./peer-certificate.ts";
import { Reaper } from "./reaper.ts";
import { Session, type SessionParts } from "./session.ts";
import type { Store } from "./store/store.ts";

export interface InboundParts extends SessionParts {
  /** what HTTP reads */
  readonly store: Pick<Store, "get" | "getLive">;
  /** epoch milliseconds: the time of records */
  readonly now: () => number;
  readonly maxConnections: number;
}

/** What a place was given for. */
interface Place {
  readonly onDue: (dueMs: number) => void;
  /** when its holder must have logged in; of the monotonic clock */
  readonly loginDueMs?: number;
}

/** Protocols by their names in ALPN, best first. A client that names none speaks the first, one that names others is refused. */
export const protocols = ["atProtocol/1.0", "http/1.1"] as const;

/**
 * So many places, but at most half of all, are for the owner: whoever takes one of the last must log in on it soon, or
 * loses it. (Nobody can be told from the owner before that.)
 */
const reservedPlaces = 20;
const loginMs = 10_000;

/** What a closed connection leaves of TLS, until garbage is collected. */
const closedBytes = 131_072;

const limitReached = formatError(new ProtocolError("inbound_limit", ""), { owner: false, json: false });
const refusals = {
  line: `${limitReached}\n`,
  http: "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
} as const;

/** All connections that there are places for, whatever they speak. */
export class Inbound {
  readonly #parts: InboundParts;
  readonly #connections = new Set<Session | HttpConnection>();
  readonly #openPlaces: number;
  readonly #reaper: Reaper;
  /** once a client asked for HTTP */
  #http: Promise<(connection: HttpConnection) => void> | undefined;

  constructor(parts: InboundParts) {
    const { maxConnections, monotonic, counts } = parts;
    this.#parts = parts;
    this.#openPlaces = maxConnections - Math.min(reservedPlaces, Math.floor(maxConnections / 2));
    this.#reaper = new Reaper({
      sessions: this.#connections,
      capacity: maxConnections,
      monotonic,
      onIdle: () => counts.idleClosed++,
    });
  }

  get size(): number {
    return this.#connections.size;
  }

  summary(): InboundSummary[] {
    return Array.from(this.#connections, ({ connection, createdMs, lastActiveMs }) => {
      const { state } = connection;
      return { state, peer: state === "peer" ? connection.peer : undefined, createdMs, lastActiveMs };
    });
  }

  /** @param socket whose handshake is done */
  accept(socket: TLSSocket): void {
    const { maxConnections, monotonic, counts, limits } = this.#parts;
    const speaksHttp = socket.alpnProtocol === "http/1.1";
    if (this.size >= maxConnections) {
      counts.refused++;
      refuse(socket, speaksHttp ? refusals.http : refusals.line, limits.lingerMs);
      return;
    }
    counts.accepted++;
    const reserved = this.#others() >= this.#openPlaces;
    const place: Place = {
      onDue: (dueMs) => this.#reaper.dueAt(dueMs),
      ...(reserved && { loginDueMs: monotonic() + loginMs }),
    };
    if (speaksHttp) void this.#speakHttp(socket, place);
    else {
      const shown = () => shownCertificate(socket);
      this.#hold(new Session(socket, { ...this.#parts, ...place, shownCertificate: shown }), socket);
    }
    this.#reaper.loadRose();
  }

  /** Closes the connections for which `test` holds. */
  end(test: (connection: Connection) => boolean): void {
    for (const each of this.#connections) if (each instanceof Session && test(each.connection)) each.end();
  }

  /** Lets what runs be answered, and closes all connections. */
  drain(): void {
    for (const each of this.#connections) each.drain();
  }

  [Symbol.dispose](): void {
    this.#reaper[Symbol.dispose]();
  }

  #hold(connection: Session | HttpConnection, socket: TLSSocket): void {
    this.#connections.add(connection);
    socket.once("close", () => {
      this.#connections.delete(connection);
      this.#parts.onLarge(closedBytes);
    });
  }

  /** Those that have not shown that they are the owner. */
  #others(): number {
    let count = 0;
    for (const { connection } of this.#connections) if (connection.state !== "owner") count++;
    return count;
  }

  /** Never rejects. */
  async #speakHttp(socket: TLSSocket, place: Place): Promise<void> {
    const { log, monotonic } = this.#parts;
    socket.on("error", (error) => log.debug({ err: error }, "HTTP connection failed"));
    const connection = new HttpConnection(socket, { ...place, monotonic });
    this.#hold(connection, socket);
    try {
      this.#http ??= this.#startHttp(place);
      const take = await this.#http;
      if (!socket.destroyed) take(connection);
    } catch (error) {
      log.error({ err: error }, "HTTP cannot be served");
      this.#http = undefined;
      socket.destroy();
    }
  }

  async #startHttp({ onDue }: Place): Promise<(connection: HttpConnection) => void> {
    const { httpEndpoint } = await import("./http/endpoint.ts");
    const { counts, outputBudgets } = this.#parts;
    const parts: HttpParts = {
      ...this.#parts,
      budget: outputBudgets.others,
      onRequest: () => counts.httpRequests++,
      onWebSocket: (connection, stream) => this.#speakLines(connection, stream, onDue),
    };
    return await httpEndpoint(parts);
  }

  /** Gives the place of an HTTP connection to the session that it has become. */
  #speakLines(connection: HttpConnection, stream: WebSocketStream, onDue: Place["onDue"]): void {
    const { socket, loginDueMs } = connection;
    this.#connections.delete(connection);
    const session = new Session(stream, {
      ...this.#parts,
      onDue,
      ...(loginDueMs !== undefined && { loginDueMs }),
      shownCertificate: () => shownCertificate(socket),
      heldBytes: () => stream.heldBytes,
    });
    stream.on("arriving", () => session.arriving());
    this.#hold(session, socket);
  }
}

function refuse(socket: TLSSocket, words: string, lingerMs: number): void {
  socket.on("error", () => socket.destroy());
  socket.end(words);
  socket.resume();
  const timer = setTimeout(() => socket.destroy(), lingerMs).unref();
  socket.once("close", () => clearTimeout(timer));
}
