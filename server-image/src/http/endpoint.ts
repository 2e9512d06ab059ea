import type { Server } from "node:http";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import type { HttpConnection } from "./http-connection.ts";
import { asksForWebSocket, Responder, type ResponderParts } from "./responder.ts";
import { WebSocketStream } from "./web-socket-stream.ts";

export interface HttpParts extends ResponderParts {
  /** a request was answered, or led to WebSocket */
  readonly onRequest: () => void;
  /** the connection speaks the line protocol from now on */
  readonly onWebSocket: (connection: HttpConnection, stream: WebSocketStream) => void;
}

/** Told to clients as how long a connection may wait for its next request. */
const keepAliveMs = 10_000;
/** Beyond the longest command, which is then refused in the words of the protocol. */
const spareMessageBytes = 65_536;

/**
 * Speaks HTTP on connections that somebody else accepted. What it needs for that is loaded when it is called: most
 * atServers never need it.
 *
 * @returns what takes a connection
 */
export async function httpEndpoint(parts: HttpParts): Promise<(connection: HttpConnection) => void> {
  const [{ createServer }, { WebSocketServer }] = await Promise.all([import("node:http"), import("ws")]);
  const { limits, onRequest, onWebSocket } = parts;
  const connections = new WeakMap<Duplex, HttpConnection>();
  const responder = new Responder(parts);
  const webSockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: limits.maxLineBytes + spareMessageBytes,
    // Both are the stream's matter, which knows whether the client reads, and the session's.
    autoPong: false,
    skipUTF8Validation: true,
  });

  const http: Server = createServer({
    keepAliveTimeout: keepAliveMs,
    shouldUpgradeCallback: asksForWebSocket,
  });
  for (const event of ["request", "checkContinue"] as const) {
    http.on(event, (request, response) => {
      onRequest();
      connections.get(request.socket)?.take(() => responder.answer(request, response));
    });
  }
  http.on("upgrade", (request, socket: TLSSocket, head) => {
    onRequest();
    const connection = connections.get(socket);
    if (connection === undefined || connection.busy || connection.ending) {
      socket.destroy();
      return;
    }
    webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      onWebSocket(connection, new WebSocketStream(webSocket, socket, limits));
    });
  });
  return (connection) => {
    connections.set(connection.socket, connection);
    http.emit("connection", connection.socket);
  };
}
