import type { Duplex } from "node:stream";
import { type Ending, LineReader } from "./lines.ts";
import type { Answer, Lookups } from "./lookups.ts";
import type { Tally } from "./tally.ts";
import type { UnknownNames } from "./unknown-names.ts";

interface Parts {
  readonly lookups: Lookups;
  readonly unknownNames: UnknownNames;
  readonly tally: Tally;
  /** of the client, as limits count it */
  readonly address: string;
}

const greeting = "@";
const unknown = "null\r\n@";

/**
 * One connection: `@`, then one answer per line, each in one write, in the order of the lines.
 *
 * Clients take a chunk for an answer, so an answer may not be cut, and the greeting must not stick to it. While an
 * answer is being found or the client does not read, nothing more is read: what a client has asked for in advance
 * waits in its own buffers.
 */
export class Conversation {
  readonly #socket: Duplex;
  readonly #parts: Parts;
  readonly #reader = new LineReader();
  #lines: readonly string[] = [];
  #next = 0;
  #ending: Ending | undefined;
  #busy = false;
  #finishing = false;
  #delay: NodeJS.Timeout | undefined;

  constructor(socket: Duplex, parts: Parts) {
    this.#socket = socket;
    this.#parts = parts;
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
    socket.on("drain", () => this.#proceed());
    socket.once("end", () => this.finish());
    socket.once("close", () => clearTimeout(this.#delay));
    socket.write(greeting, "latin1");
  }

  /** Answers what has arrived, then closes. */
  finish(): void {
    this.#finishing = true;
    this.#proceed();
  }

  #read(chunk: Buffer): void {
    if (this.#ending !== undefined || this.#finishing) return;
    const { lines, ending } = this.#reader.push(chunk);
    // Data that was already on its way into this process may come after pause().
    this.#lines = this.#next === this.#lines.length ? lines : [...this.#lines.slice(this.#next), ...lines];
    this.#next = 0;
    this.#ending = ending;
    this.#proceed();
  }

  /** Goes on with the next line, unless the last is still being answered or the client does not read. */
  #proceed(): void {
    const socket = this.#socket;
    while (!this.#busy && !socket.writableNeedDrain && !socket.destroyed) {
      const line = this.#lines[this.#next];
      if (line === undefined) {
        if (this.#ending !== undefined) this.#close(this.#ending);
        else if (this.#finishing) this.#end();
        else if (socket.isPaused()) socket.resume();
        return;
      }
      this.#next += 1;
      this.#answer(line);
    }
    if (!socket.isPaused()) socket.pause();
  }

  #answer(line: string): void {
    // Some clients send an empty line only to see whether somebody is there; it asks for no name.
    if (line === "") this.#socket.write(unknown, "latin1");
    else {
      const answer = this.#parts.lookups.recall(line);
      if (answer === undefined) this.#ask(line);
      else this.#give(answer);
    }
  }

  #ask(line: string): void {
    const { lookups, unknownNames, address } = this.#parts;
    this.#busy = true;
    void lookups.ask(line, { mayAskUpstream: !unknownNames.exhausted(address) }).then((answer) => {
      this.#busy = false;
      if (this.#socket.destroyed) return;
      this.#give(answer);
      this.#proceed();
    });
  }

  #give(answer: Answer): void {
    if (answer === "none") this.#close("no-answer");
    else if (answer === "unknown") this.#giveUnknown();
    else this.#socket.write(`${answer.host}:${answer.port}\r\n@`, "latin1");
  }

  #giveUnknown(): void {
    const delayMs = this.#parts.unknownNames.take(this.#parts.address);
    if (delayMs === undefined) this.#close("too-many-unknown");
    else if (delayMs === 0) this.#socket.write(unknown, "latin1");
    else {
      this.#busy = true;
      this.#delay = setTimeout(() => {
        this.#busy = false;
        this.#socket.write(unknown, "latin1");
        this.#proceed();
      }, delayMs);
    }
  }

  /** At once, but what was answered before goes out. */
  #close(reason: Ending | "no-answer" | "too-many-unknown"): void {
    this.#parts.tally.endedConversations[reason] += 1;
    this.#lines = [];
    this.#next = 0;
    this.#ending = undefined;
    this.#finishing = true;
    this.#end();
  }

  /** Destroyed once all is written: a client that does not close its side must not keep the connection. */
  #end(): void {
    const socket = this.#socket;
    if (!socket.writableEnded) socket.end(() => socket.destroy());
  }
}
