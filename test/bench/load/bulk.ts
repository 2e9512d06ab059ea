/** Load of bytes from the upstream, as fast as they come. Counts bytes. */
import { once } from "node:events";
import { connect } from "node:net";
import { type Generator, serve } from "./generator.ts";
import { clientHello } from "./hello.ts";

export interface BulkOptions {
  readonly port: number;
  readonly servername: string;
  readonly connections: number;
}

async function open({ port, servername, connections }: BulkOptions): Promise<Generator> {
  const hello = await clientHello(servername);
  return {
    description: `${connections} connections`,
    async run(milliseconds) {
      const counts = await Promise.all(Array.from({ length: connections }, () => download(port, hello, milliseconds)));
      return counts.reduce((sum, count) => sum + count, 0);
    },
  };
}

async function download(port: number, hello: Buffer, milliseconds: number): Promise<number> {
  let bytes = 0;
  const buffer = Buffer.alloc(262_144);
  // One buffer for all reads: this process shall not be what limits the gateway.
  const onread = {
    buffer,
    callback: (size: number) => {
      bytes += size;
      return true;
    },
  };
  const socket = connect({ port, host: "127.0.0.1", onread });
  socket.write(hello);
  const closed = once(socket, "close");
  const timer = setTimeout(() => socket.destroy(), milliseconds);
  const [, early] = await Promise.race([closed, once(socket, "error").then(([error]) => Promise.reject(error))]);
  clearTimeout(timer);
  if (early) throw new Error("the gateway closed the connection");
  return bytes;
}

serve(open);
