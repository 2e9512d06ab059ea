/** Load of small packets to and fro on connections that stay open through a gateway. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { type Generator, serve } from "./generator.ts";
import { clientHello } from "./hello.ts";

export interface RoundTripOptions {
  readonly port: number;
  readonly servername: string;
  readonly connections: number;
  readonly bytes: number;
}

async function open({ port, servername, connections, bytes }: RoundTripOptions): Promise<Generator> {
  const hello = await clientHello(servername);
  const packet = Buffer.alloc(bytes, 0x17);
  const sockets = await Promise.all(Array.from({ length: connections }, () => dial(port, hello)));
  return {
    description: `${bytes} bytes`,
    async run(milliseconds) {
      const end = performance.now() + milliseconds;
      const counts = await Promise.all(sockets.map((socket) => pingPong(socket, packet, end)));
      return counts.reduce((sum, count) => sum + count, 0);
    },
  };
}

async function dial(port: number, hello: Buffer): Promise<Socket> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  socket.write(hello);
  await once(socket, "data");
  return socket;
}

function pingPong(socket: Socket, packet: Buffer, end: number): Promise<number> {
  let trips = 0;
  let missing = packet.length;
  return new Promise((resolve, reject) => {
    const close = () => reject(new Error("the gateway closed the connection"));
    const data = (chunk: Buffer) => {
      missing -= chunk.length;
      if (missing > 0) return;
      trips += 1;
      missing = packet.length;
      if (performance.now() < end) return void socket.write(packet);
      socket.off("data", data).off("close", close);
      resolve(trips);
    };
    socket.on("data", data).on("close", close);
    socket.write(packet);
  });
}

serve(open);
