/** Load of whole connections through a gateway: open, the packets of a TLS 1.3 handshake and a greeting, close. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { closedLoop, type Generator, serve } from "./generator.ts";
import { clientHello } from "./hello.ts";

export interface ConnectionOptions {
  readonly port: number;
  readonly servername: string;
  readonly concurrency: number;
}

/** A client's Finished record. */
const finished = Buffer.alloc(80, 0x14);

async function open({ port, servername, concurrency }: ConnectionOptions): Promise<Generator> {
  const hello = await clientHello(servername);
  return {
    description: `${hello.length} byte ClientHello`,
    run: (milliseconds) => closedLoop(concurrency, milliseconds, () => connection(port, hello)),
  };
}

async function connection(port: number, hello: Buffer): Promise<void> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  socket.write(hello);
  await received(socket, 1_400);
  socket.write(finished);
  await received(socket, finished.length);
  const closed = once(socket, "close");
  socket.end();
  await closed;
}

function received(socket: Socket, bytes: number): Promise<void> {
  let missing = bytes;
  return new Promise((resolve, reject) => {
    const data = (chunk: Buffer) => {
      missing -= chunk.length;
      if (missing > 0) return;
      stop();
      resolve();
    };
    const fail = (error?: Error) => {
      stop();
      reject(error ?? new Error("the gateway closed the connection"));
    };
    const close = () => fail();
    const stop = () => socket.off("data", data).off("error", fail).off("close", close);
    socket.on("data", data).on("error", fail).on("close", close);
  });
}

serve(open);
