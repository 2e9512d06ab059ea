/** Connections through a gateway that are opened and then left alone. A run only waits. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { type Generator, serve } from "./generator.ts";
import { clientHello } from "./hello.ts";

export interface IdleOptions {
  readonly port: number;
  readonly servername: string;
  readonly connections: number;
}

async function open({ port, servername, connections }: IdleOptions): Promise<Generator> {
  const hello = await clientHello(servername);
  const sockets: Socket[] = [];
  while (sockets.length < connections) {
    const batch = Math.min(50, connections - sockets.length);
    sockets.push(...(await Promise.all(Array.from({ length: batch }, () => dial(port, hello)))));
  }
  return {
    description: `${connections} connections`,
    async run(milliseconds) {
      await delay(milliseconds);
      const lost = sockets.filter((socket) => socket.destroyed || socket.readableEnded).length;
      if (lost > 0) throw new Error(`${lost} of ${connections} idle connections were closed`);
      return connections;
    },
  };
}

async function dial(port: number, hello: Buffer): Promise<Socket> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  socket.write(hello);
  await once(socket, "data");
  return socket;
}

serve(open);
