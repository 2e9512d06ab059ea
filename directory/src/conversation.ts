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
 * One connection: `@`, then one answer per line, in the order of the lines.
 *
 * Clients take a chunk for an answer. So each is one write, which waits until the one before has gone out: what is
 * written meanwhile would leave in the same TLS record. While a line waits, nothing more is read; what a client asks
 * for in advance stays in its own buffers.
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
    socket.once("end", () => this.finish());
    socket.once("close", () => clearTimeout(this.#delay));
    this.#write(greeting);
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

  /** Goes on with the next line, unless the one before is still being answered. */
  #proceed(): void {
    const socket = this.#socket;
    while (!this.#busy && socket.writableLength === 0 && !socket.destroyed) {
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
    const idle = this.#next === this.#lines.length && this.#ending === undefined && !this.#busy;
    if (!idle && !socket.isPaused()) socket.pause();
  }

  #write(text: string): void {
    this.#socket.write(text, "latin1", this.#written);
  }

  readonly #written = (): void => {
    if (this.#next < this.#lines.length || this.#ending !== undefined || this.#finishing) this.#proceed();
    else if (this.#socket.isPaused()) this.#socket.resume();
  };

  #answer(line: string): void {
    // Some clients send an empty line only to see whether somebody is there; it asks for no name.
    if (line === "") this.#write(unknown);
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
    else this.#write(`${answer.host}:${answer.port}\r\n@`);
  }

  #giveUnknown(): void {
    const delayMs = this.#parts.unknownNames.take(this.#parts.address);
    if (delayMs === undefined) this.#close("too-many-unknown");
    else if (delayMs === 0) this.#write(unknown);
    else {
      this.#busy = true;
      this.#delay = setTimeout(() => {
        this.#busy = false;
        this.#write(unknown);
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
