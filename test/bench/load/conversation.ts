import type { Socket } from "node:net";

/**
 * A connection that sends one request and waits for its reply, like every client of these protocols. Callbacks instead
 * of promises per request: the generator must not be what limits the server.
 */
export class Conversation {
  readonly #socket: Socket;
  #reply: ((text: Buffer) => void) | undefined;
  #fail: ((error: Error) => void) | undefined;
  #end: number;
  #received: Buffer | undefined;

  constructor(socket: Socket, end: string) {
    this.#socket = socket;
    this.#end = end.charCodeAt(0);
    socket.on("data", (chunk: Buffer) => this.#data(chunk));
    socket.on("error", (error) => this.#ended(error));
    socket.on("close", () => this.#ended(new Error("the server closed the connection")));
  }

  /** For the steps before the load. */
  ask(request: string | Buffer): Promise<string> {
    this.#socket.write(request);
    return this.next();
  }

  /** The next reply, also one that nobody asked for: a greeting. */
  next(): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#reply = (text) => resolve(text.toString("utf8"));
      this.#fail = reject;
    });
  }

  /**
   * Asks again and again until `end` (as of `performance.now()`).
   * @returns the number of replies
   * @throws {Error} with the reply that does not begin with `start`
   */
  repeat(request: () => Buffer, start: string, end: number): Promise<number> {
    const first = start.charCodeAt(0);
    let replies = 0;
    return new Promise((resolve, reject) => {
      this.#fail = reject;
      this.#reply = (text) => {
        if (text[0] !== first) return reject(new Error(`unexpected reply: ${text.toString("utf8", 0, 200)}`));
        replies += 1;
        if (performance.now() >= end) return resolve(replies);
        this.#socket.write(request());
      };
      this.#socket.write(request());
    });
  }

  #data(chunk: Buffer): void {
    const received = this.#received === undefined ? chunk : Buffer.concat([this.#received, chunk]);
    if (received[received.length - 1] !== this.#end) {
      this.#received = received;
      return;
    }
    this.#received = undefined;
    this.#reply?.(received);
  }

  #ended(error: Error): void {
    this.#fail?.(error);
  }
}
