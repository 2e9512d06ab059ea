import { once } from "node:events";
import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";

/**
 * A client as the real ones are: what arrives in one chunk is one answer. Chunks are kept until they are asked for.
 */
export class TestClient implements Disposable {
  readonly socket: TLSSocket;
  /** resolves when the connection is closed, with what broke it if something did */
  readonly closed: Promise<Error | undefined>;
  readonly #chunks: string[] = [];
  #wake: (() => void) | undefined;
  #over = false;

  private constructor(socket: TLSSocket) {
    this.socket = socket;
    let broken: Error | undefined;
    socket.on("error", (error) => {
      broken = error;
    });
    socket.setEncoding("utf8").on("data", (chunk: string) => {
      this.#chunks.push(chunk);
      this.#wake?.();
    });
    this.closed = new Promise((resolve) => {
      socket.once("close", () => {
        this.#over = true;
        this.#wake?.();
        resolve(broken);
      });
    });
  }

  /** @throws {Error} when there is no TLS connection; the greeting is not awaited */
  static async connect(options: ConnectionOptions & { port: number; ca: string }): Promise<TestClient> {
    const socket = connect({ host: "127.0.0.1", servername: "atrium.localhost", ...options });
    const client = new TestClient(socket);
    await once(socket, "secureConnect");
    return client;
  }

  send(text: string | Uint8Array): void {
    this.socket.write(text);
  }

  /** @returns the next chunk; undefined when the connection is closed without one */
  async read(): Promise<string | undefined> {
    while (this.#chunks.length === 0 && !this.#over) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#chunks.shift();
  }

  async ask(name: string): Promise<string | undefined> {
    this.send(`${name}\n`);
    return this.read();
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}
