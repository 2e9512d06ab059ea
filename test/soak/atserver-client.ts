import { connect, type TLSSocket } from "node:tls";
import { cramDigest, LineSplitter, signPkam, stripPrompt } from "@atrium/protocol";
import type { Pair } from "../kit/certificates.ts";

interface Options {
  readonly host: string;
  readonly port: number;
  /** the name that its certificate must have */
  readonly servername: string;
  readonly ca: string;
  /** to show, as other atServers do */
  readonly certificate?: Pair | undefined;
}

/** How long nothing may come while something is waited for. */
const silenceMs = 30_000;

/** A connection to an atServer, bare: lines out, lines in, in order. Commands may be sent before others are answered. */
export class AtServerClient implements Disposable {
  readonly socket: TLSSocket;
  /** resolves when the connection is closed, whoever closed it */
  readonly closed: Promise<void>;
  readonly #splitter = new LineSplitter();
  readonly #lines: string[] = [];
  readonly #waiting: PromiseWithResolvers<string>[] = [];
  #failure = new Error("the atServer closed the connection");
  #over = false;
  /** the last command */
  #asked = "";

  /** @returns once the handshake is done; rejects when it fails */
  static async open({ host, port, servername, ca, certificate }: Options): Promise<AtServerClient> {
    const shown = certificate && { cert: certificate.certificate, key: certificate.key };
    const socket = connect({ host, port, servername, ca, ...shown });
    const client = new AtServerClient(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once("secureConnect", resolve);
      void client.closed.then(() => reject(client.#failure));
    });
    return client;
  }

  private constructor(socket: TLSSocket) {
    this.socket = socket;
    this.closed = new Promise((resolve) => {
      socket.once("close", () => {
        this.#over = true;
        for (const waiting of this.#waiting.splice(0)) waiting.reject(this.#failure);
        resolve();
      });
    });
    socket.on("error", (error) => {
      this.#failure = error;
    });
    socket.on("data", (chunk: Buffer) => {
      for (const line of this.#splitter.push(chunk)) this.#arrived(stripPrompt(line.toString()));
    });
    socket.setNoDelay(true);
    socket.setTimeout(silenceMs, () => {
      if (this.#waiting.length === 0) return;
      socket.destroy(new Error(`nothing came for ${silenceMs} ms after ${this.#asked.slice(0, 100)}`));
    });
  }

  /** @returns the next line, without prompt and newline; rejects when the connection ends before */
  line(): Promise<string> {
    const next = this.#lines.shift();
    if (next !== undefined) return Promise.resolve(next);
    if (this.#over) return Promise.reject(this.#failure);
    const waiting = Promise.withResolvers<string>();
    this.#waiting.push(waiting);
    return waiting.promise;
  }

  /** @returns the reply to a command */
  ask(command: string): Promise<string> {
    this.#asked = command;
    this.socket.write(`${command}\n`);
    return this.line();
  }

  /** @returns a challenge to log in with */
  async challenge(atSign: string): Promise<string> {
    return dataOf(await this.ask(`from:${atSign}`));
  }

  /** @throws {Error} when it is refused */
  async loginByCram(atSign: string, secret: string): Promise<void> {
    dataOf(await this.ask(`cram:${cramDigest(secret, await this.challenge(atSign))}`));
  }

  /** @param privateKey base64 of the PKCS#8 DER form @throws {Error} when it is refused */
  async loginByPkam(atSign: string, privateKey: string): Promise<void> {
    dataOf(await this.ask(`pkam:${signPkam(privateKey, await this.challenge(atSign))}`));
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }

  #arrived(line: string): void {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#lines.push(line);
    else waiting.resolve(line);
  }
}

/**
 * @returns what follows `data:`
 * @throws {Error} when the reply is an error
 */
export function dataOf(reply: string): string {
  if (!reply.startsWith("data:")) throw new Error(`the atServer said ${reply.slice(0, 300)}`);
  return reply.slice("data:".length);
}
