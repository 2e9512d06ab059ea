import { once } from "node:events";
import type { Duplex } from "node:stream";
import { LineSplitter, stripPrompt } from "@atrium/protocol";
import { ClientError } from "./errors.ts";

export interface ChannelOptions {
  /** for messages: "the directory", "the atServer of @alice" */
  readonly what: string;
  /** how long the other side may take for its greeting, and for a reply; bytes that move earn more time */
  readonly timeoutMs: number;
  readonly maxReplyBytes: number;
}

/** Gets the lines that answer nothing, without prompt, and why there will be no more. */
export interface Listener {
  line(text: string): void;
  failed(error: ClientError): void;
}

/** What a connection must carry at least while it earns itself more time than `timeoutMs`. */
const minBytesPerMs = 16;
const writeBytes = 256 * 1024;
/** Between replies only a prompt can come, and a prompt is an atSign. */
const maxPromptBytes = 1024;
const at = 0x40;
const notificationPrefix = "notification:";

/**
 * A dialogue of lines with a directory or an atServer: one line out, one line back, one at a time, whatever the
 * pieces in which the bytes come.
 *
 * A prompt (`@`, `@alice@`) stands behind each reply without an end of its own. It is left where it is and taken off the
 * front of the next line, so that a reply is complete with its newline.
 */
export class Channel implements AsyncDisposable {
  readonly #stream: Duplex;
  readonly #options: ChannelOptions;
  readonly #splitter: LineSplitter;
  #turns: Promise<void> = Promise.resolve();
  #waiting: { resolve(line: string): void; reject(error: ClientError): void } | undefined;
  #greeted = false;
  #moved = 0;
  #failure: ClientError | undefined;
  #listener: Listener | undefined;

  private constructor(stream: Duplex, options: ChannelOptions) {
    this.#stream = stream;
    this.#options = options;
    this.#splitter = new LineSplitter({ maxLineBytes: options.maxReplyBytes });
    stream.on("data", (chunk: Buffer) => this.#received(chunk));
    stream.on("error", (cause) =>
      this.#fail(new ClientError("unreachable", `the connection to ${options.what} broke`, { cause })),
    );
    stream.on("end", () => this.#fail(this.#closed()));
    stream.on("close", () => this.#fail(this.#closed()));
  }

  /**
   * Waits for the greeting of the other side on a connection that is already there; owns the stream from then on.
   *
   * @throws {ClientError} `unreachable`, `timeout`, or `corrupt` when the other side does not speak this protocol
   * @returns the channel, or the line by which the other side refused the connection
   */
  static async open(stream: Duplex, options: ChannelOptions): Promise<Channel | string> {
    const channel = new Channel(stream, options);
    const refusal = await channel.#next();
    if (refusal === "") return channel;
    await channel[Symbol.asyncDispose]();
    return refusal;
  }

  /** False once the connection is lost or closed; every exchange fails then. */
  get usable(): boolean {
    return this.#failure === undefined;
  }

  /**
   * Sends one line and waits for the one that answers it. Exchanges that are asked for at the same time take their turns.
   *
   * @param line without its newline
   * @returns the answer, without prompt and line end
   * @throws {ClientError} `unreachable`, `timeout` or `corrupt`; the channel is not usable afterwards
   */
  exchange(line: string): Promise<string> {
    const { promise, resolve } = Promise.withResolvers<string>();
    this.#turns = this.#turns.then(() => this.#take(line, resolve));
    return promise;
  }

  /**
   * Sends one line that is not answered; from then on lines that begin with `notification:` are the listener's.
   *
   * @throws {ClientError} when the channel is not usable any more
   */
  async listen(line: string, listener: Listener): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    this.#listener = listener;
    await this.#write(Buffer.from(`${line}\n`));
  }

  /** Whether the other side may send: a listener that has enough stops it for a while. */
  set flowing(flowing: boolean) {
    if (flowing) this.#stream.resume();
    else this.#stream.pause();
  }

  /** Says good-bye and closes; never fails and never takes long. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#failure ??= new ClientError("unreachable", `the connection to ${this.#options.what} is closed`);
    if (this.#stream.destroyed) return;
    const gone = once(this.#stream, "close");
    const late = setTimeout(() => this.#stream.destroy(), 1000);
    this.#stream.end("@exit\n", () => this.#stream.destroy());
    await gone;
    clearTimeout(late);
  }

  /** One turn. A refusal may come before all is sent; the next line has to wait until it is. */
  async #take(line: string, resolve: (reply: Promise<string>) => void): Promise<void> {
    const reply = this.#next();
    resolve(reply);
    await Promise.allSettled([reply, this.#write(Buffer.from(`${line}\n`))]);
  }

  /** Waits for the next line (`""` stands for the greeting), under the deadline. */
  #next(): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const { timeoutMs } = this.#options;
    const started = performance.now();
    const moved = this.#moved;
    const check = () => {
      const leftMs = timeoutMs + (this.#moved - moved) / minBytesPerMs - (performance.now() - started);
      if (leftMs <= 0) this.#fail(this.#late());
      else timer = setTimeout(check, leftMs);
    };
    let timer = setTimeout(check, timeoutMs);
    this.#waiting = { resolve, reject };
    // Both at once: a broken stream may have failed before anybody waited.
    if (this.#failure !== undefined) reject(this.#failure);
    return promise.finally(() => clearTimeout(timer));
  }

  async #write(bytes: Buffer): Promise<void> {
    for (let from = 0; from < bytes.length && this.usable; from += writeBytes) {
      const part = bytes.subarray(from, from + writeBytes);
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(() => this.#fail(this.#late()), this.#options.timeoutMs);
      // The stream reports its faults by itself.
      this.#stream.write(part, () => resolve());
      await promise;
      clearTimeout(timer);
      this.#moved += part.length;
    }
  }

  #received(chunk: Buffer): void {
    if (this.#failure !== undefined) return;
    this.#moved += chunk.length;
    const greeting = !this.#greeted && chunk[0] === at;
    this.#greeted = true;
    if (greeting) this.#settle("");
    try {
      for (const line of this.#splitter.push(greeting ? chunk.subarray(1) : chunk)) this.#settle(text(line));
    } catch (cause) {
      this.#fail(this.#corrupt("sent a reply that is too long or not UTF-8", cause));
    }
    if (this.#listener !== undefined) return;
    if (this.#waiting === undefined && this.#splitter.bufferedBytes > maxPromptBytes) {
      this.#fail(this.#corrupt("sent something that nobody asked for"));
    }
  }

  #settle(line: string): void {
    if (this.#listener !== undefined && line.startsWith(notificationPrefix)) {
      this.#listener.line(line.slice(notificationPrefix.length));
      return;
    }
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting === undefined) this.#fail(this.#corrupt("sent a line that nobody asked for"));
    else waiting.resolve(line);
  }

  #fail(error: ClientError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#waiting?.reject(error);
    this.#waiting = undefined;
    this.#listener?.failed(error);
    this.#stream.destroy();
  }

  #closed(): ClientError {
    const when = this.#waiting === undefined ? "" : this.#greeted ? " without an answer" : " at once";
    return new ClientError("unreachable", `${this.#options.what} closed the connection${when}`);
  }

  #late(): ClientError {
    const missing = this.#greeted ? "answer" : "greet";
    return new ClientError(
      "timeout",
      `${this.#options.what} did not ${missing} within ${this.#options.timeoutMs / 1000} s`,
      {
        advice: "Try again, or allow more time with --timeout SECONDS.",
      },
    );
  }

  #corrupt(fault: string, cause?: unknown): ClientError {
    return new ClientError("corrupt", `${this.#options.what} ${fault}`, { cause });
  }
}

function text(line: Buffer): string {
  return stripPrompt(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(line).replace(/\r$/, ""));
}
