import { decodeLine, freeLine, LineSplitter, ProtocolError } from "@atrium/protocol";
import type { Limits } from "./limits.ts";
import type { LineBudget, LineLease } from "./line-budget.ts";

interface Options {
  readonly limits: Limits;
  /** for commands longer than `limits.maxSmallLineBytes` */
  readonly budget: LineBudget;
  readonly monotonic: () => number;
  /** @throws {ProtocolError} when what begins so can never be accepted */
  readonly admit: (beginning: string) => void;
  /** a large command got its turn */
  readonly onTurn: () => void;
  /** is told when the command that began to arrive must be whole */
  readonly onDue: (dueMs: number) => void;
  /** what the transport has of a message that is not whole, and so could not be pushed yet */
  readonly heldBytes?: (() => number) | undefined;
}

/** Enough to know the verb. */
const earlyBytes = 16;
const earlyPeekBytes = 256;

/** A large command asks for as much more at a time. */
const stepBytes = 262_144;

/** What the transport holds has its own framing in it: the exact length is judged when it is pushed. */
const framedShare = 1.125;

/**
 * Bytes in, commands out: how much of a command has arrived, whether it may go on, and by when it must be whole.
 *
 * What is held without a share of the budget is at most one small command.
 */
export class Intake {
  readonly #options: Options;
  readonly #splitter: LineSplitter;
  #admitted = false;
  #beganMs: number | undefined;
  #lease: LineLease | undefined;

  constructor(options: Options) {
    this.#options = options;
    this.#splitter = new LineSplitter({ maxLineBytes: options.limits.maxSmallLineBytes });
  }

  /** When the command that is arriving must be whole; undefined when none is, or when it waits for us. */
  get dueMs(): number | undefined {
    if (this.#beganMs === undefined) return undefined;
    const { largeLineMs, smallLineMs } = this.#options.limits;
    return this.#beganMs + (this.#lease === undefined ? smallLineMs : largeLineMs);
  }

  /** Whether nothing shall be read, because memory for the rest of the command is not there yet. */
  get waiting(): boolean {
    return this.#lease?.waiting === true;
  }

  /** From now on commands may be as large as the owner's may. */
  allowLarge(): void {
    this.#splitter.maxLineBytes = this.#options.limits.maxLineBytes;
  }

  /** To be called when `next` has no command any more. */
  push(chunk: Buffer): void {
    this.#splitter.feed(chunk);
  }

  /**
   * @returns the next command that is whole, without newline; undefined when there is none
   * @throws {ProtocolError} `buffer_limit`, after which nothing can be read any more
   */
  next(): Buffer | undefined {
    const { bufferedBytes, maxLineBytes } = this.#splitter;
    let line: Buffer | undefined;
    try {
      line = this.#splitter.next();
    } catch (error) {
      const { unread } = this.#splitter;
      this.#splitter.clear();
      throw error instanceof ProtocolError ? tooLong(maxLineBytes, bufferedBytes, unread) : error;
    }
    if (line !== undefined) {
      this.#beganMs = undefined;
      this.#admitted = false;
      this.#lease?.end(line.length);
    }
    return line;
  }

  /**
   * @param line the last one; its bytes are gone afterwards
   * @throws {ProtocolError} `invalid_syntax` when it is not UTF-8
   */
  text(line: Buffer): string {
    try {
      return decodeLine(line);
    } finally {
      freeLine(line);
    }
  }

  /**
   * Looks at the command that is arriving, if one is. To be called while no other one runs, since that may change what
   * the connection may do.
   *
   * @throws {ProtocolError} when it can never be accepted: its rest need not arrive
   */
  judge(): void {
    const { bufferedBytes, maxLineBytes } = this.#splitter;
    const arrivedBytes = bufferedBytes + (this.#options.heldBytes?.() ?? 0);
    if (arrivedBytes === 0) {
      this.#beganMs = undefined;
      return;
    }
    if (!this.waiting) this.#begin();
    if (!this.#admitted && bufferedBytes >= earlyBytes) this.#admit();
    if (arrivedBytes > maxLineBytes * framedShare) throw overflow(maxLineBytes, arrivedBytes);
    if (arrivedBytes <= this.#options.limits.maxSmallLineBytes) return;
    this.#lease ??= this.#options.budget.open(() => {
      this.#begin();
      this.#options.onTurn();
    });
    this.#lease.want(Math.min(arrivedBytes + stepBytes, this.#options.limits.maxLineBytes));
    if (this.waiting) this.#beganMs = undefined;
  }

  /**
   * Gives back the memory of the command that was answered.
   *
   * @returns how many bytes a large one had; 0 for any other
   */
  release(): number {
    const bytes = this.#lease?.bytes ?? 0;
    this.#lease?.release();
    this.#lease = undefined;
    return bytes;
  }

  /** Forgets what was pushed and is no command yet. */
  drop(): void {
    this.#splitter.clear();
  }

  /** Gives back what the command that is arriving has, too. @returns as `release` */
  close(): number {
    this.drop();
    return this.release();
  }

  #begin(): void {
    if (this.#beganMs !== undefined) return;
    this.#beganMs = this.#options.monotonic();
    this.#options.onDue(this.#beganMs + this.#options.limits.smallLineMs);
  }

  #admit(): void {
    const beginning = this.#splitter.peek(earlyPeekBytes).toString("latin1").trimStart();
    if (beginning.length < earlyBytes) return;
    this.#options.admit(beginning);
    this.#admitted = true;
  }
}

function tooLong(limit: number, bufferedBytes: number, chunk: Uint8Array): ProtocolError {
  const end = chunk.indexOf(0x0a);
  return overflow(limit, bufferedBytes + (end === -1 ? chunk.length : end + 1));
}

function overflow(limit: number, receivedBytes: number): ProtocolError {
  return new ProtocolError(
    "buffer_limit",
    "InboundBuffer overflow: server received request which exceeded the buffer size limit. Terminating the connection." +
      ` (limit ${limit}, got ${Math.max(receivedBytes, limit + 1)})`,
  );
}
