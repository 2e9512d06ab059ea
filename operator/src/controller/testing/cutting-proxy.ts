import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** Passes bytes on to a port of loopback, and cuts all connections when it is told to. */
export class CuttingProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #refuses = false;
  #swallows: () => boolean = () => false;
  #cuts = 0;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async listen(to: number): Promise<CuttingProxy> {
    const server = createServer();
    const proxy = new CuttingProxy(server);
    server.on("connection", (client) => proxy.#carry(client, to));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** connections that were cut */
  get cuts(): number {
    return this.#cuts;
  }

  /** Connections are cut, and new ones refused, until it is set to false. */
  set refuses(refuses: boolean) {
    this.#refuses = refuses;
    if (refuses) this.cut();
  }

  /** Connections that are to stay open and carry nothing; asked for each new one. */
  set swallows(swallows: () => boolean) {
    this.#swallows = swallows;
  }

  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    await once(this.#server.close(), "close");
  }

  #carry(client: Socket, to: number): void {
    if (this.#refuses) {
      client.resetAndDestroy();
      return;
    }
    this.#sockets.add(client);
    client.once("close", () => {
      this.#cuts++;
      this.#sockets.delete(client);
    });
    if (this.#swallows()) {
      client.on("error", () => client.destroy()).resume();
      return;
    }
    const server = connect(to, "127.0.0.1");
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      one.pipe(other);
      // Whoever is cut off, the other is too.
      one.on("error", () => other.destroy());
      one.once("close", () => other.destroy());
    }
  }
}
