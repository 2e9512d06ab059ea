import type { AddressInfo } from "node:net";
import { createServer, type Server, type TLSSocket } from "node:tls";
import { decodeLine, LineSplitter } from "@atrium/protocol";
import type { Pair } from "./certificates.ts";

/** Answers lines over TLS, as directories and atServers do: a greeting, then one reply with a prompt to each line. */
export class TlsService implements Disposable {
  readonly #server: Server;
  readonly #sockets = new Set<TLSSocket>();

  /**
   * @param certificate its own
   * @param answer what a line is answered with, without newline and prompt
   * @param options `end`: how a line of a reply ends; `host`: where it listens
   */
  static async listen(
    certificate: Pair,
    answer: (line: string) => string,
    { end = "\n", host = "127.0.0.1" }: { end?: string; host?: string } = {},
  ): Promise<TlsService> {
    const service = new TlsService(certificate, answer, end);
    await new Promise<void>((resolve, reject) => {
      service.#server.once("error", reject);
      service.#server.listen({ host, port: 0 }, resolve);
    });
    return service;
  }

  private constructor({ certificate, key }: Pair, answer: (line: string) => string, end: string) {
    this.#server = createServer({ cert: certificate, key }, (socket) => {
      const splitter = new LineSplitter();
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
      // Whoever asked has gone; that is its own matter.
      socket.on("error", () => undefined);
      socket.on("data", (chunk) => {
        for (const line of splitter.push(chunk)) socket.write(`${answer(decodeLine(line))}${end}@`);
      });
      socket.write("@");
    });
    // Likewise: some connections end in the handshake.
    this.#server.on("tlsClientError", () => undefined);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  [Symbol.dispose](): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}
