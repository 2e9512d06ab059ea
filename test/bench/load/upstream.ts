/**
 * What is behind the gateways under measurement: answers a client's first bytes as a TLS server answers a ClientHello,
 * then either sends every packet back or sends without end. Both gateways share it. No TLS of its own: a gateway copies
 * what follows the ClientHello without a look, and the machine's time shall go into the gateways.
 */
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { announce, terminated } from "@atrium/runtime/lifecycle.ts";

/** ServerHello to Finished with one P-256 certificate chain. */
const flight = Buffer.alloc(1_400, 0x16);
const block = Buffer.alloc(262_144, 0x17);

function echo(socket: Socket): void {
  socket.once("data", () => {
    socket.write(flight);
    socket.on("data", (chunk) => socket.write(chunk));
  });
}

function stream(socket: Socket): void {
  const send = (error?: Error | null) => {
    if (!error && !socket.destroyed) socket.write(block, send);
  };
  socket.once("data", () => send());
}

async function listen(serve: (socket: Socket) => void) {
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on("error", () => socket.destroy()); // a gateway may reset what it gives up
    serve(socket);
  });
  server.listen({ port: 0, host: "127.0.0.1", backlog: 4_096 });
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("a TCP server without a port");
  return { host: "127.0.0.1", port: address.port };
}

announce({ echo: await listen(echo), stream: await listen(stream) });
await terminated();
process.exit();
