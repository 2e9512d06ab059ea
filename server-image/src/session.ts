import type { Duplex } from "node:stream";
import { type AtSign, decodeLine, errors, formatError, LineSplitter, ProtocolError } from "@atrium/protocol";
import type { Log } from "@atrium/runtime/log.ts";
import type { ByteBudget, Lease } from "./byte-budget.ts";
import { Connection } from "./connection.ts";
import type { Counts } from "./counts.ts";
import type { Dispatcher } from "./dispatcher.ts";
import { asProtocolError } from "./faults.ts";
import type { Limits } from "./limits.ts";
import { ReplyWriter } from "./reply-writer.ts";

export interface SessionParts {
  readonly atSign: AtSign;
  readonly dispatcher: Dispatcher;
  readonly limits: Limits;
  /** for commands longer than `limits.maxSmallLineBytes` */
  readonly inputBudget: ByteBudget;
  /** for replies longer than `limits.pieceBytes`; one for owners, one for all others */
  readonly outputBudgets: Readonly<Record<"owner" | "anonymous", ByteBudget>>;
  readonly counts: Counts;
  readonly log: Log;
  readonly monotonic: () => number;
}

interface Options extends SessionParts {
  /** is told when this connection will be due for something that its idle time does not say */
  readonly onDue?: (dueMs: number) => void;
  /** when the client must have logged in; of the monotonic clock */
  readonly loginDueMs?: number;
}

/** Enough to know the verb. */
const earlyBytes = 16;
const earlyPeekBytes = 256;

/**
 * One connection: bytes in, commands one after the other, one reply each, bytes out.
 *
 * Nothing is read while a command runs, so what a client may have us hold is bounded by one command and one chunk.
 */
export class Session {
  readonly connection = new Connection();
  readonly #socket: Duplex;
  readonly #parts: Options;
  readonly #splitter: LineSplitter;
  readonly #writer: ReplyWriter;
  /** whole lines that wait for the command before them */
  #lines: Buffer[] = [];
  /** chunks that arrived while a command ran */
  #held: Buffer[] = [];
  #busy = false;
  #commanded = false;
  #admitted = false;
  #inputEnded = false;
  #ending = false;
  #lease: Lease | undefined;
  #lastActiveMs: number;
  #lineBeganMs: number | undefined;
  #linger: NodeJS.Timeout | undefined;

  constructor(socket: Duplex, parts: Options) {
    this.#socket = socket;
    this.#parts = parts;
    this.#splitter = new LineSplitter({ maxLineBytes: parts.limits.maxSmallLineBytes });
    this.#writer = new ReplyWriter(socket, parts.limits);
    this.#lastActiveMs = parts.monotonic();
    socket.on("data", (chunk: Buffer) => this.#arrived(chunk));
    socket.on("end", () => this.#ended());
    socket.on("error", (error) => parts.log.debug({ err: error }, "connection failed"));
    socket.once("close", () => this.#closed());
    socket.write("@");
  }

  /** When the last command was answered, or the connection began; on the monotonic clock. */
  get lastActiveMs(): number {
    return this.#lastActiveMs;
  }

  get busy(): boolean {
    return this.#busy;
  }

  /** When the command that is arriving must be whole; undefined when none is. */
  get lineDueMs(): number | undefined {
    if (this.#lineBeganMs === undefined) return undefined;
    const { largeLineMs, smallLineMs } = this.#parts.limits;
    return this.#lineBeganMs + (this.#lease === undefined ? smallLineMs : largeLineMs);
  }

  get loginDueMs(): number | undefined {
    return this.connection.state === "owner" ? undefined : this.#parts.loginDueMs;
  }

  /** The command that is arriving took too long. */
  expire(): void {
    void this.#fail(new ProtocolError("timeout", "the command did not end in time"), { closes: true });
  }

  /** Closes without a word, as a client that is idle expects. */
  end(): void {
    if (this.#ending) return;
    this.#ending = true;
    this.#release();
    this.#socket.end();
    this.#lingerOn();
  }

  /** Lets the command that runs be answered, then closes. */
  drain(): void {
    this.#inputEnded = true;
    this.#lines = [];
    this.#held = [];
    if (!this.#busy) this.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #arrived(chunk: Buffer): void {
    if (this.#ending || this.#inputEnded) return;
    if (this.#busy) {
      this.#held.push(chunk);
      this.#socket.pause();
      return;
    }
    this.#read(chunk);
  }

  #read(chunk: Buffer): void {
    const bufferedBytes = this.#splitter.bufferedBytes;
    try {
      this.#lines = this.#splitter.push(chunk);
    } catch (error) {
      void this.#fail(this.#tooLong(error, bufferedBytes, chunk));
      return;
    }
    if (this.#lines.length > 0) {
      this.#lineBeganMs = undefined;
      this.#admitted = false;
      this.#lease?.shrink(this.#lines[0]?.length ?? 0);
      this.#runLines();
    }
    this.#judgeBeginning();
  }

  /** Looks at the command that has begun to arrive, if one has. */
  #judgeBeginning(): void {
    const { bufferedBytes } = this.#splitter;
    if (bufferedBytes === 0 || this.#busy || this.#ending) return;
    this.#began();
    if (!this.#admitted && bufferedBytes >= earlyBytes) this.#admit();
    if (this.#ending || this.#lease !== undefined) return;
    if (bufferedBytes > this.#parts.limits.maxSmallLineBytes) this.#awaitTurn();
  }

  #began(): void {
    if (this.#lineBeganMs !== undefined) return;
    this.#lineBeganMs = this.#parts.monotonic();
    this.#parts.onDue?.(this.#lineBeganMs + this.#parts.limits.smallLineMs);
  }

  #admit(): void {
    const beginning = this.#splitter.peek(earlyPeekBytes).toString("latin1").trimStart();
    if (beginning.length < earlyBytes) return;
    try {
      this.#parts.dispatcher.admit(beginning, this.connection);
      this.#admitted = true;
    } catch (error) {
      void this.#fail(error, { closes: true });
    }
  }

  /** Goes on reading a large command once there is memory for all of it. */
  #awaitTurn(): void {
    const lease = this.#parts.inputBudget.take(this.#parts.limits.maxLineBytes, () => {
      this.#began();
      this.#resume();
    });
    this.#lease = lease;
    if (lease.granted) return;
    this.#lineBeganMs = undefined;
    this.#socket.pause();
  }

  #runLines(): void {
    for (let line = this.#lines.shift(); line !== undefined; line = this.#lines.shift()) {
      const running = this.#command(line);
      if (running === undefined) {
        if (this.#ending) return;
        continue;
      }
      this.#busy = true;
      void running.then(() => this.#proceed());
      return;
    }
  }

  /** After a command that did not answer at once. */
  #proceed(): void {
    this.#busy = false;
    if (this.#ending) return;
    this.#runLines();
    while (!this.#busy && !this.#ending) {
      const chunk = this.#held.shift();
      if (chunk === undefined) break;
      this.#read(chunk);
    }
    if (this.#busy || this.#ending) return;
    if (this.#inputEnded) {
      this.end();
      return;
    }
    this.#judgeBeginning();
    if (this.#lease?.granted !== false) this.#resume();
  }

  #resume(): void {
    if (this.#socket.isPaused() && !this.#ending) this.#socket.resume();
  }

  /** @returns undefined when the command is done, else a promise that never rejects */
  #command(bytes: Buffer): Promise<void> | undefined {
    try {
      const line = decodeLine(bytes);
      if (line === "") return this.#blank();
      this.#commanded = true;
      if (line === "@exit") {
        this.#ending = true;
        this.#socket.destroy();
        return undefined;
      }
      const reply = this.#parts.dispatcher.run(line, this.connection);
      if (reply instanceof Promise) {
        return reply.then(
          (payload) => this.#answer(payload),
          (error) => this.#fail(error),
        );
      }
      return this.#answer(reply);
    } catch (error) {
      return this.#fail(error);
    }
  }

  /** Some clients send a blank line first and wait for whatever comes; others end each command with two newlines. */
  #blank(): Promise<void> | undefined {
    if (this.#commanded) return undefined;
    throw new ProtocolError("invalid_syntax", "invalid command");
  }

  #answer(payload: string | null): Promise<void> | undefined {
    this.#parts.counts.succeeded++;
    if (this.#splitter.maxLineBytes !== this.#parts.limits.maxLineBytes && this.connection.state === "owner") {
      this.#splitter.maxLineBytes = this.#parts.limits.maxLineBytes;
    }
    return this.#write(`data:${payload}\n${this.connection.prompt(this.#parts.atSign)}`);
  }

  #write(reply: string): Promise<void> | undefined {
    this.#release();
    this.#lastActiveMs = this.#parts.monotonic();
    if (this.#ending) return undefined;
    if (reply.length <= this.#parts.limits.pieceBytes) return this.#writer.write(reply);
    const lease = this.#parts.outputBudgets[this.connection.state].tryTake(2 * reply.length);
    if (lease === undefined) {
      return this.#fail(
        new ProtocolError("paused", "too many large replies are being read; ask again shortly", { closes: false }),
      );
    }
    return this.#writer.writeInPieces(reply).finally(() => lease.release());
  }

  #fail(thrown: unknown, { closes = false } = {}): Promise<void> | undefined {
    const error = asProtocolError(thrown, this.#parts.log);
    this.#parts.counts.failed(errors[error.error].code);
    const { connection } = this;
    const owner = connection.state === "owner";
    const reply = `${formatError(error, { owner, json: connection.json })}\n${connection.prompt(this.#parts.atSign)}`;
    if (!error.closes && !closes) return this.#write(reply);
    if (this.#ending) return undefined;
    this.#ending = true;
    this.#release();
    this.#socket.end(reply);
    this.#lingerOn();
    return undefined;
  }

  #tooLong(error: unknown, bufferedBytes: number, chunk: Buffer): unknown {
    if (!(error instanceof ProtocolError)) return error;
    const end = chunk.indexOf(0x0a);
    const receivedBytes = bufferedBytes + (end === -1 ? chunk.length : end + 1);
    return new ProtocolError(
      error.error,
      "InboundBuffer overflow: server received request which exceeded the buffer size limit. Terminating the connection." +
        ` (limit ${this.#splitter.maxLineBytes}, got ${receivedBytes})`,
    );
  }

  /** Reads on and throws away, for a while: closing with unread bytes would reset the connection. */
  #lingerOn(): void {
    this.#lines = [];
    this.#held = [];
    this.#socket.resume();
    this.#linger ??= setTimeout(() => this.#socket.destroy(), this.#parts.limits.lingerMs).unref();
  }

  #release(): void {
    this.#lease?.release();
    this.#lease = undefined;
  }

  #ended(): void {
    this.#inputEnded = true;
    if (!this.#busy) this.end();
  }

  #closed(): void {
    this.#ending = true;
    clearTimeout(this.#linger);
    this.#writer.close();
    this.#release();
  }
}
