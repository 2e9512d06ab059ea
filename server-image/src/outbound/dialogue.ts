import type { Duplex } from "node:stream";
import { decodeLine, freeLine, LineSplitter, maxLineBytes, ProtocolError, stripPrompt } from "@atrium/protocol";
import type { LineBudget, LineLease } from "../line-budget.ts";

interface Question {
  readonly resolve: (line: string | undefined) => void;
  /** the prompt that answers it without a line */
  readonly prompt?: string;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

/** The memory that large replies share with all else that is large. */
export interface LargeReplies {
  readonly budget: LineBudget;
  /** is told when the memory of a large reply is no longer needed */
  readonly onLarge: (bytes: number) => void;
}

interface Options {
  /** newline included; a longer one ends the connection */
  readonly maxReplyBytes?: number;
  /** without it, a reply may take as much as `maxReplyBytes` */
  readonly large?: LargeReplies | undefined;
}

/** Between replies there is a prompt and nothing else, and a prompt is an atSign. */
const maxPromptBytes = 1_024;
/** A reply takes no share of what is for large ones up to here, and then more step by step. */
const smallBytes = 65_536;
const stepBytes = 262_144;

/**
 * The asking side of a connection to an atServer or a directory: one question at a time. Replies are read as a stream
 * of lines, whatever TLS records they come in; the greeting is the prompt before the first of them.
 */
export class Dialogue {
  readonly #socket: Duplex;
  readonly #peer: string;
  readonly #splitter: LineSplitter;
  readonly #large: LargeReplies | undefined;
  #lease: LineLease | undefined;
  #question: Question | undefined;
  #ended = false;

  /** @param peer for error texts */
  constructor(socket: Duplex, peer: string, { maxReplyBytes = maxLineBytes, large }: Options = {}) {
    this.#socket = socket;
    this.#peer = peer;
    this.#splitter = new LineSplitter({ maxLineBytes: maxReplyBytes });
    this.#large = large;
    socket.on("data", (chunk: Buffer) => this.#arrived(chunk));
    socket.on("error", () => this.close());
    socket.once("end", () => this.close());
    socket.once("close", () => this.close());
  }

  /** false once the connection has ended or got out of step. */
  get usable(): boolean {
    return !this.#ended;
  }

  onClose(listener: () => void): void {
    this.#socket.once("close", listener);
  }

  /**
   * @param command without newline
   * @returns the reply's line without prompt
   * @throws {ProtocolError} `timeout`, `buffer_limit`, after which the connection is of no use; `socket` when it ended
   *   without a reply
   */
  async ask(command: string, deadlineMs: number): Promise<string> {
    return (await this.#ask(command, deadlineMs)) ?? "";
  }

  /**
   * As `ask`, for what is answered by another prompt alone.
   *
   * @returns undefined when that came, else the line that came in its place
   */
  askForPrompt(command: string, prompt: string, deadlineMs: number): Promise<string | undefined> {
    return this.#ask(command, deadlineMs, prompt);
  }

  #ask(command: string, deadlineMs: number, prompt?: string): Promise<string | undefined> {
    if (this.#ended || this.#question !== undefined) {
      return Promise.reject(new ProtocolError("socket", `the connection to ${this.#peer} is not free`));
    }
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#fail(new ProtocolError("timeout", `${this.#peer} did not answer in ${deadlineMs} ms`));
      }, deadlineMs);
      this.#question = { resolve, reject, timer, ...(prompt !== undefined && { prompt }) };
      void this.#send(command);
    });
  }

  /** A long command is written as fast as it is taken, so that it is in memory once. Never rejects. */
  async #send(command: string): Promise<void> {
    let start = 0;
    while (command.length - start > smallBytes && !this.#ended) {
      const half = /[\ud800-\udbff]/.test(command.charAt(start + smallBytes - 1));
      const end = start + smallBytes - (half ? 1 : 0);
      if (!this.#socket.write(command.slice(start, end))) await this.#drained();
      start = end;
    }
    if (!this.#ended) this.#socket.write(`${command.slice(start)}\n`);
  }

  #drained(): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        this.#socket.off("drain", done);
        this.#socket.off("close", done);
        resolve();
      };
      this.#socket.on("drain", done);
      this.#socket.on("close", done);
    });
  }

  close(): void {
    this.#fail(new ProtocolError("socket", `${this.#peer} closed the connection`));
  }

  #arrived(chunk: Buffer): void {
    if (this.#ended) return;
    try {
      for (const line of this.#splitter.push(chunk)) this.#answered(this.#text(line));
    } catch (error) {
      this.#fail(this.#faultOf(error));
      return;
    }
    if (this.#promptCame()) this.#answered(undefined);
    else if (this.#question === undefined && this.#splitter.bufferedBytes > maxPromptBytes) this.close();
    else this.#makeRoom();
  }

  /** @param line its bytes are gone afterwards */
  #text(line: Buffer): string {
    this.#lease?.end(line.length);
    try {
      return stripPrompt(decodeLine(line));
    } finally {
      freeLine(line);
      this.#giveBack();
    }
  }

  /** The protocol's words for these faults are meant for who sends commands, and would end our client's connection. */
  #faultOf(error: unknown): ProtocolError {
    const tooLong = error instanceof ProtocolError && error.error === "buffer_limit";
    return tooLong
      ? new ProtocolError("buffer_limit", `${this.#peer} answered more than can be read`, { closes: false })
      : new ProtocolError("socket", `${this.#peer} answered what is no text`);
  }

  /** The prompt of the reply before may still stand in front of it. */
  #promptCame(): boolean {
    const { prompt } = this.#question ?? {};
    if (prompt === undefined || this.#splitter.bufferedBytes > maxPromptBytes) return false;
    const text = this.#splitter.peek(maxPromptBytes).toString();
    return text === prompt || text === `@${prompt}`;
  }

  /** Reads on only when there is memory for it; the deadline goes on, too. */
  #makeRoom(): void {
    const { bufferedBytes, maxLineBytes } = this.#splitter;
    if (this.#ended || this.#large === undefined || bufferedBytes <= smallBytes) return;
    this.#lease ??= this.#large.budget.open(() => this.#socket.resume());
    this.#lease.want(Math.min(bufferedBytes + stepBytes, maxLineBytes));
    if (this.#lease.waiting) this.#socket.pause();
  }

  #giveBack(): void {
    const lease = this.#lease;
    if (lease === undefined) return;
    this.#lease = undefined;
    const { bytes } = lease;
    // Who asked is still busy with it.
    setImmediate(() => {
      lease.release();
      this.#large?.onLarge(bytes);
    });
  }

  #answered(line: string | undefined): void {
    const question = this.#question;
    this.#question = undefined;
    if (question === undefined) {
      // Nobody asked: from here on it is not known which reply is whose.
      this.close();
      return;
    }
    clearTimeout(question.timer);
    question.resolve(line);
  }

  #fail(error: Error): void {
    if (this.#ended) return;
    this.#ended = true;
    const question = this.#question;
    this.#question = undefined;
    if (question !== undefined) {
      clearTimeout(question.timer);
      question.reject(error);
    }
    this.#splitter.clear();
    this.#giveBack();
    this.#socket.destroy();
  }
}
