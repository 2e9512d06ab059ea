import type { Duplex } from "node:stream";
import { decodeLine, LineSplitter, ProtocolError, stripPrompt } from "@atrium/protocol";

interface Question {
  readonly resolve: (line: string | undefined) => void;
  /** the prompt that answers it without a line */
  readonly prompt?: string;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

/** Between replies there is a prompt and nothing else, and a prompt is an atSign. */
const maxPromptBytes = 1_024;

/**
 * The asking side of a connection to an atServer or a directory: one question at a time. Replies are read as a stream
 * of lines, whatever TLS records they come in; the greeting is the prompt before the first of them.
 */
export class Dialogue {
  readonly #socket: Duplex;
  readonly #peer: string;
  readonly #splitter = new LineSplitter();
  #question: Question | undefined;
  #ended = false;

  /** @param peer for error texts */
  constructor(socket: Duplex, peer: string) {
    this.#socket = socket;
    this.#peer = peer;
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
   * @throws {ProtocolError} `timeout`, after which the connection is of no use; `socket` when it ended without a reply
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
      this.#socket.write(`${command}\n`);
    });
  }

  close(): void {
    this.#fail(new ProtocolError("socket", `${this.#peer} closed the connection`));
  }

  #arrived(chunk: Buffer): void {
    if (this.#ended) return;
    try {
      for (const line of this.#splitter.push(chunk)) this.#answered(stripPrompt(decodeLine(line)));
      if (this.#promptCame()) this.#answered(undefined);
      else if (this.#question === undefined && this.#splitter.bufferedBytes > maxPromptBytes) this.close();
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** The prompt of the reply before may still stand in front of it. */
  #promptCame(): boolean {
    const { prompt } = this.#question ?? {};
    if (prompt === undefined || this.#splitter.bufferedBytes > maxPromptBytes) return false;
    const text = this.#splitter.peek(maxPromptBytes).toString();
    return text === prompt || text === `@${prompt}`;
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
    this.#ended = true;
    const question = this.#question;
    this.#question = undefined;
    if (question !== undefined) {
      clearTimeout(question.timer);
      question.reject(error);
    }
    this.#socket.destroy();
  }
}
