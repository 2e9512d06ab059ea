import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";

export interface Endpoint {
  readonly host: string;
  readonly port: number;
  /** the name that the certificate must have, which is also the SNI */
  readonly servername: string;
  readonly ca: string | undefined;
  /** what is unusual about the handshake */
  readonly tls?: ConnectionOptions;
  /** false: a server of this protocol lets the client speak first */
  readonly greets?: boolean;
}

/** What came: the TLS records since the last look, and whether more can come. */
export interface Received {
  readonly records: readonly string[];
  readonly text: string;
  readonly closed: boolean;
}

/** A connection that keeps what came apart by TLS records, since clients take a record for a reply. */
export class Wire implements Disposable {
  readonly #socket: TLSSocket;
  #records: string[] = [];
  #closed = false;
  #failure: Error | undefined;
  #changed = Promise.withResolvers<void>();

  /** @throws {Error} when there is no connection within the time */
  static async open(endpoint: Endpoint, timeoutMs: number): Promise<Wire> {
    const wire = Wire.dial(endpoint);
    if (endpoint.greets === false) return wire;
    const { servername } = endpoint;
    await wire.until(({ text }) => text !== "", timeoutMs);
    const { text, closed } = wire.take();
    if (text === "@" && !closed) return wire;
    wire[Symbol.dispose]();
    throw new Error(`no greeting from ${servername}: ${wire.#failure?.message ?? JSON.stringify(text)}`);
  }

  /** Does not wait for anything. */
  static dial({ host, port, servername, ca, tls }: Endpoint): Wire {
    return new Wire(connect({ host, port, servername, ...(ca !== undefined && { ca }), ...tls }));
  }

  private constructor(socket: TLSSocket) {
    this.#socket = socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => {
      this.#records.push(chunk.toString());
      this.#tell();
    });
    socket.on("error", (error) => {
      this.#failure = error;
    });
    const over = () => {
      this.#closed = true;
      this.#tell();
    };
    socket.once("end", over).once("close", over);
  }

  send(bytes: string | Uint8Array): void {
    this.#socket.write(bytes);
  }

  /** What has come and was not taken. */
  get received(): Received {
    return { records: this.#records, text: this.#records.join(""), closed: this.#closed };
  }

  /** What has come, which is then no longer here. */
  take(): Received {
    const taken = this.received;
    this.#records = [];
    return taken;
  }

  /** Puts the rest of what was taken in front of what will come. */
  putBack(rest: string): void {
    this.#records.unshift(rest);
  }

  /**
   * Waits until what has come is enough, or the connection is closed, or the time is over.
   *
   * @returns whether it was enough
   */
  async until(enough: (received: Received) => boolean, timeoutMs: number): Promise<boolean> {
    const late = Promise.withResolvers<"late">();
    const timer = setTimeout(() => late.resolve("late"), timeoutMs);
    try {
      for (;;) {
        if (enough(this.received)) return true;
        if (this.#closed || (await Promise.race([this.#changed.promise, late.promise])) === "late") return false;
      }
    } finally {
      clearTimeout(timer);
    }
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  #tell(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}
