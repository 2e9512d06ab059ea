import type { Socket } from "node:net";
import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";
import { one, two } from "@atrium/runtime/tls-files.vectors.ts";
import type { Certificates } from "../identity/identity.ts";
import { type AtServer, serve } from "../server.ts";
import { testServer } from "./atserver.ts";

interface Options extends NonNullable<Parameters<typeof testServer>[0]> {
  readonly maxConnections?: number;
  readonly handshakeMs?: number;
  readonly drainMs?: number;
}

function certificates(pair: { certificate: string; key: string }): Certificates {
  return { serving: pair, client: pair, trust: two.certificate, expiresAtMs: 0 };
}

/** An atServer of tests behind a real port. */
export async function listen({ maxConnections = 200, handshakeMs = 5_000, drainMs = 5_000, ...options }: Options = {}) {
  const { parts, clock, store } = testServer(options);
  const listeners = new Set<(changed: Certificates) => void>();
  const identity = {
    current: certificates(one),
    onChange(listener: (changed: Certificates) => void) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  const server = await serve({
    ...parts,
    store,
    now: () => clock.nowMs,
    listen: { host: "127.0.0.1", port: 0 },
    identity,
    maxConnections,
    handshakeMs,
    drainMs,
  });
  return {
    server,
    clock,
    store,
    parts,
    counts: parts.counts,
    change: (pair: typeof one) => {
      for (const listener of listeners) listener(certificates(pair));
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

export function dial({ address }: AtServer, options: ConnectionOptions = {}): TLSSocket {
  const socket = connect({
    host: address.host,
    port: address.port,
    servername: "one.test",
    ca: [one.certificate, two.certificate],
    checkServerIdentity: () => undefined,
    ...options,
  });
  socket.on("error", () => undefined);
  return socket;
}

/** @returns the next packet; nothing when the connection ends before */
export function read(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    const arrived = (data: Buffer) => {
      socket.off("close", closed);
      resolve(data.toString());
    };
    const closed = () => resolve("");
    socket.once("data", arrived);
    socket.once("close", closed);
  });
}

export async function readAll(socket: Socket): Promise<string> {
  let all = "";
  socket.on("data", (data) => {
    all += data;
  });
  await new Promise((resolve) => socket.once("close", resolve));
  return all;
}
