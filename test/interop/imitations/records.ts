import { once } from "node:events";
import { connect, type TLSSocket } from "node:tls";

interface Endpoint {
  /** as the directory says it; the name that the certificate must have */
  readonly host: string;
  readonly port: number;
  /** PEM */
  readonly ca: string;
}

/** What a client of the C SDK waits for anything: the handshake, the greeting, a reply. */
const patienceMs = 3_000;

/**
 * A TLS connection as simple clients see it: what one TLS record brings is one reply. (Node emits one chunk per record of
 * up to 16 KiB.)
 */
export class Records implements Disposable {
  readonly #socket: TLSSocket;
  readonly #records: Buffer[] = [];
  #arrived: (() => void) | undefined;

  private constructor(socket: TLSSocket) {
    this.#socket = socket;
    socket.on("data", (record: Buffer) => {
      this.#records.push(record);
      this.#arrived?.();
    });
    // A broken connection shows as a reply that does not come.
    socket.on("error", () => undefined);
  }

  static async open({ host, port, ca }: Endpoint): Promise<Records> {
    // Names under localhost are this machine, whatever its resolver knows.
    const socket = connect({ host: "127.0.0.1", port, servername: host, ca });
    await once(socket, "secureConnect", { signal: AbortSignal.timeout(patienceMs) });
    return new Records(socket);
  }

  write(text: string): void {
    this.#socket.write(text);
  }

  /**
   * @param maxBytes the size of the client's buffer: what is beyond it, it never sees
   * @throws {Error} when nothing comes in time
   */
  async next(maxBytes = Number.POSITIVE_INFINITY): Promise<string> {
    if (this.#records.length === 0) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      this.#arrived = resolve;
      const timer = setTimeout(() => reject(new Error(`nothing came in ${patienceMs} ms`)), patienceMs);
      await promise.finally(() => clearTimeout(timer));
      this.#arrived = undefined;
    }
    return (this.#records.shift() ?? Buffer.of()).subarray(0, maxBytes).toString();
  }

  /** What came that nobody has read. */
  get unread(): string {
    return Buffer.concat(this.#records).toString();
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}
