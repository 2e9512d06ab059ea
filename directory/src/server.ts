import type { AddressInfo } from "node:net";
import { createServer as createTcpServer, type Socket } from "node:net";
import { createServer as createTlsServer, type TLSSocket } from "node:tls";
import type { Address } from "@atrium/runtime/config.ts";
import type { Log } from "@atrium/runtime/log.ts";
import type { TlsFilesWatch } from "@atrium/runtime/tls-files.ts";
import { clientAddress } from "./client-address.ts";
import { type ConnectionLimitSettings, ConnectionLimits } from "./connection-limits.ts";
import { Conversation } from "./conversation.ts";
import type { Lookups } from "./lookups.ts";
import { namedCertificate } from "./named-certificate.ts";
import type { Tally } from "./tally.ts";
import type { UnknownNames } from "./unknown-names.ts";

export interface ServerSettings {
  readonly listen: Address;
  readonly connections: ConnectionLimitSettings;
  /** from the first byte of TCP to the end of the TLS handshake */
  readonly handshakeTimeoutMs: number;
  /** without a byte in either direction; some clients keep one connection for ever and cannot open another */
  readonly idleTimeoutMs: number;
  /** how long open answers may take after the server was asked to end */
  readonly drainMs: number;
}

interface Parts {
  readonly settings: ServerSettings;
  readonly tlsFiles: TlsFilesWatch;
  /** for clients that ask for one of its names */
  readonly namedTlsFiles?: TlsFilesWatch | undefined;
  readonly lookups: Lookups;
  readonly unknownNames: UnknownNames;
  readonly tally: Tally;
  readonly log: Log;
}

/** Disposing drains it: answers that are being found are given, then everything is closed. */
export interface DirectoryServer extends AsyncDisposable {
  readonly address: Address;
}

const stopping = "Stop in progress. Can't accept new requests.";
const backlog = 1_024;

/**
 * The directory as clients see it: TLS, then a {@link Conversation} per connection.
 *
 * @throws {Error} when it cannot listen
 */
export async function serve(parts: Parts): Promise<DirectoryServer> {
  const server = new Server(parts);
  await server.listen();
  return server;
}

class Server implements DirectoryServer {
  readonly #parts: Parts;
  readonly #limits: ConnectionLimits;
  readonly #tcp;
  readonly #tls;
  readonly #sockets = new Set<Socket>();
  readonly #conversations = new Map<TLSSocket, Conversation>();
  readonly #forgetTlsFiles: () => void;
  #drained: (() => void) | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#limits = new ConnectionLimits(parts.settings.connections);
    const { tlsFiles, namedTlsFiles } = parts;
    const { current } = tlsFiles;
    this.#tls = createTlsServer({
      cert: current.certificate,
      key: current.key,
      handshakeTimeout: parts.settings.handshakeTimeoutMs,
      ...(namedTlsFiles && { SNICallback: namedCertificate(namedTlsFiles) }),
    });
    this.#forgetTlsFiles = tlsFiles.onChange(({ certificate, key }) =>
      this.#tls.setSecureContext({ cert: certificate, key }),
    );
    this.#tls.on("secureConnection", (socket) => this.#converse(socket));
    this.#tls.on("tlsClientError", (error, socket) => {
      parts.tally.failedHandshakes += 1;
      parts.log.debug({ reason: (error as NodeJS.ErrnoException).code }, "handshake failed");
      socket.destroy();
    });
    // Limits come before the handshake, which is what costs; the TLS server gets the sockets that may have one.
    // Half-open: a client that closes its side behind a question still gets the answer.
    this.#tcp = createTcpServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000, allowHalfOpen: true });
    this.#tcp.on("connection", (socket) => this.#accept(socket));
  }

  get address(): Address {
    const { address, port } = this.#tcp.address() as AddressInfo;
    return { host: address, port };
  }

  listen(): Promise<void> {
    const { host, port } = this.#parts.settings.listen;
    return new Promise((resolve, reject) => {
      this.#tcp.once("error", reject);
      this.#tcp.listen({ host, port, backlog }, () => {
        this.#tcp.off("error", reject);
        // Later errors are failures to accept one connection, when the process has no file descriptor left.
        this.#tcp.on("error", (error) => this.#parts.log.error({ error: error.message }, "cannot accept connections"));
        resolve();
      });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = new Promise<void>((resolve) => {
      this.#drained = resolve;
    });
    const deadline = setTimeout(() => this.#drained?.(), this.#parts.settings.drainMs);
    for (const conversation of this.#conversations.values()) conversation.finish();
    this.#checkDrained();
    await ended;
    clearTimeout(deadline);
    this.#forgetTlsFiles();
    await new Promise<void>((resolve) => {
      this.#tcp.close(() => resolve());
      for (const socket of this.#sockets) socket.destroy();
    });
  }

  #accept(socket: Socket): void {
    const { tally } = this.#parts;
    const address = clientAddress(socket.remoteAddress ?? "");
    const exceeded = this.#limits.open(address);
    if (exceeded !== undefined) {
      tally.refusedConnections[exceeded] += 1;
      socket.resetAndDestroy();
      return;
    }
    tally.openConnections += 1;
    this.#sockets.add(socket);
    socket.once("close", () => {
      this.#sockets.delete(socket);
      this.#limits.close(address);
      tally.openConnections -= 1;
    });
    this.#tls.emit("connection", socket);
  }

  #converse(socket: TLSSocket): void {
    const { settings, lookups, unknownNames, tally, log } = this.#parts;
    socket.on("error", (error: NodeJS.ErrnoException) => log.debug({ reason: error.code }, "connection broke"));
    socket.setTimeout(settings.idleTimeoutMs, () => {
      tally.endedConversations.idle += 1;
      socket.destroy();
    });
    if (this.#drained !== undefined) {
      socket.end(stopping, () => socket.destroy());
      return;
    }
    const address = clientAddress(socket.remoteAddress ?? "");
    this.#conversations.set(socket, new Conversation(socket, { lookups, unknownNames, tally, address }));
    socket.once("close", () => {
      this.#conversations.delete(socket);
      this.#checkDrained();
    });
  }

  #checkDrained(): void {
    if (this.#conversations.size === 0) this.#drained?.();
  }
}
