import type { Duplex } from "node:stream";
import type { Limits } from "./limits.ts";

/** In parts, since a large text is not to be copied. */
export interface LongReply {
  readonly head: string;
  readonly body: string;
  readonly tail: string;
}

/**
 * Writes replies, each in one piece where it fits: clients take what one TLS record brings for one reply. A client that
 * takes nothing for too long is cut off.
 */
export class ReplyWriter {
  readonly #socket: Duplex;
  readonly #limits: Pick<Limits, "pieceBytes" | "unreadMs" | "largeReplyMs">;
  /** while a reply or another line is written piece by piece */
  #long: Promise<void> | undefined;
  readonly #wakers = new Set<() => void>();

  constructor(socket: Duplex, limits: Pick<Limits, "pieceBytes" | "unreadMs" | "largeReplyMs">) {
    this.#socket = socket;
    this.#limits = limits;
  }

  /**
   * Never stands in the middle of what is written piece by piece.
   *
   * @returns undefined, or a promise when the client must read before there can be more; it never rejects
   */
  write(text: string): Promise<void> | undefined {
    return this.#long === undefined ? this.#writeNow(text) : this.#long.then(() => this.write(text));
  }

  /** Writes a long reply as fast as it is read, so that it is in memory once. The promise never rejects. */
  writeInPieces(reply: LongReply): Promise<void> {
    return this.#writeLong(() => this.#writeReply(reply));
  }

  /** Writes one line that is made as fast as it is read, its newline included. The promise never rejects. */
  writeMade(pieces: Iterable<string>): Promise<void> {
    return this.#writeLong(() => this.#writeMade(pieces));
  }

  async #writeLong(write: () => Promise<void>): Promise<void> {
    while (this.#long !== undefined) await this.#long;
    this.#long = write();
    await this.#long;
    this.#long = undefined;
  }

  #writeNow(text: string): Promise<void> | undefined {
    return this.#socket.write(text) ? undefined : this.#drained();
  }

  async #writeMade(pieces: Iterable<string>): Promise<void> {
    using _deadline = after(this.#limits.largeReplyMs, () => this.#socket.destroy());
    const isOver = () => this.#socket.destroyed || this.#socket.writableEnded;
    let text = "";
    for (const piece of pieces) {
      text += piece;
      if (text.length < this.#limits.pieceBytes / 2) continue;
      // It may be ended by us, too, while the client reads.
      if (isOver()) return;
      await this.#writeNow(text);
      text = "";
    }
    if (!isOver()) await this.#writeNow(text);
  }

  async #writeReply({ head, body, tail }: LongReply): Promise<void> {
    const { pieceBytes, largeReplyMs } = this.#limits;
    using _deadline = after(largeReplyMs, () => this.#socket.destroy());
    for (let start = 0, first = head; !this.#socket.destroyed; first = "") {
      // What is left after this piece stays large enough to bring newline and prompt together.
      const rest = body.length - start;
      if (rest <= 2 * pieceBytes) {
        await this.#writeNow(`${first}${body.slice(start)}${tail}`);
        return;
      }
      const end = start + pieceBytes - (splitsPair(body, start + pieceBytes) ? 1 : 0);
      await this.#writeNow(first + body.slice(start, end));
      start = end;
    }
  }

  /** The connection is gone: nobody needs to wait any more. */
  close(): void {
    for (const wake of this.#wakers) wake();
  }

  #drained(): Promise<void> {
    if (this.#socket.destroyed) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#socket.destroy(), this.#limits.unreadMs);
      const wake = () => {
        clearTimeout(timer);
        this.#socket.off("drain", wake);
        this.#wakers.delete(wake);
        resolve();
      };
      this.#wakers.add(wake);
      this.#socket.on("drain", wake);
    });
  }
}

function after(delayMs: number, act: () => void): Disposable {
  const timer = setTimeout(act, delayMs).unref();
  return { [Symbol.dispose]: () => clearTimeout(timer) };
}

/** Whether the characters at `at - 1` and `at` are one. */
function splitsPair(text: string, at: number): boolean {
  const unit = text.charCodeAt(at);
  return unit >= 0xdc00 && unit <= 0xdfff;
}
