import { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import type { WebSocket } from "ws";

interface Options {
  /** what a message that has not arrived wholly may hold while the connection is being closed */
  readonly maxSmallLineBytes: number;
}

/** A client that has said nothing for so long is asked whether it is there, and for as long again for its answer. */
const keepAliveMs = 60_000;
/** Answers to pings that may wait for the client to read. */
const maxUnreadPongBytes = 4_096;
/** Longer than any prompt. */
const maxPromptLength = 256;

/**
 * The line protocol over WebSocket, as a stream: what the client sends is joined, whatever its messages are; each reply is
 * one message of text, a long one in fragments.
 *
 * A message is gathered before it comes out here, so whoever accounts for memory is told of it: `heldBytes`, with the event
 * `arriving` when there are more of them. To pause the stream is to read nothing from the client.
 */
export class WebSocketStream extends Duplex {
  readonly #webSocket: WebSocket;
  readonly #socket: TLSSocket;
  readonly #maxSmallLineBytes: number;
  readonly #keepAlive: NodeJS.Timeout;
  #heldBytes = 0;
  #heard = true;
  #over = false;

  constructor(webSocket: WebSocket, socket: TLSSocket, { maxSmallLineBytes }: Options) {
    super({ decodeStrings: false });
    this.#webSocket = webSocket;
    this.#socket = socket;
    this.#maxSmallLineBytes = maxSmallLineBytes;
    // Before the message that it ends is told of, and after.
    socket.prependListener("data", (chunk: Buffer) => {
      this.#heard = true;
      this.#heldBytes += chunk.length;
    });
    socket.on("data", () => this.#arriving());
    webSocket.on("message", (message: Buffer) => {
      this.#heldBytes = 0;
      if (!this.#over) this.push(message);
    });
    webSocket.on("ping", (data) => {
      this.#heldBytes = 0;
      if (webSocket.bufferedAmount < maxUnreadPongBytes) webSocket.pong(data);
    });
    webSocket.on("pong", () => {
      this.#heldBytes = 0;
    });
    // What the client did wrong is told to it by the library, which then closes.
    webSocket.on("error", () => this.#inputOver());
    webSocket.once("close", () => this.#inputOver());
    this.#keepAlive = setInterval(() => this.#askWhetherThere(), keepAliveMs).unref();
  }

  /** How much of a message that is not whole has arrived; one packet is sometimes not counted. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  override pause(): this {
    this.#webSocket.pause();
    return super.pause();
  }

  override resume(): this {
    this.#webSocket.resume();
    return super.resume();
  }

  override _read(): void {
    // The client is held back by `pause`.
  }

  override _write(text: string, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    // Only the parts of a long line but the last are long and without a newline.
    const fin = text.length <= maxPromptLength || text.includes("\n");
    this.#webSocket.send(text, { fin, binary: false }, callback);
  }

  override _final(callback: () => void): void {
    if (this.#webSocket.readyState === this.#webSocket.CLOSED) {
      callback();
      return;
    }
    this.#webSocket.once("close", () => callback());
    this.#webSocket.close(1000);
    this.#arriving();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    clearInterval(this.#keepAlive);
    this.#webSocket.terminate();
    callback(error);
  }

  #arriving(): void {
    if (!this.writableEnded) this.emit("arriving");
    else if (this.#heldBytes > this.#maxSmallLineBytes) {
      // Nobody accounts for it any more, and nobody will read it.
      this.#socket.removeAllListeners("data");
      this.#socket.resume();
    }
  }

  #askWhetherThere(): void {
    if (!this.#heard) this.destroy();
    this.#heard = false;
    this.#webSocket.ping();
  }

  #inputOver(): void {
    if (this.#over) return;
    this.#over = true;
    this.push(null);
  }
}
