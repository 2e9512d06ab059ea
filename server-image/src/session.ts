import type { Duplex } from "node:stream";
import { type AtSign, errors, formatError, ProtocolError } from "@atrium/protocol";
import type { Log } from "@atrium/runtime/log.ts";
import type { ByteBudget, Lease } from "./byte-budget.ts";
import { Connection, type ShownCertificate } from "./connection.ts";
import type { Counts } from "./counts.ts";
import type { Dispatcher } from "./dispatcher.ts";
import { asProtocolError } from "./faults.ts";
import { Intake } from "./intake.ts";
import type { Limits } from "./limits.ts";
import type { LineBudget } from "./line-budget.ts";
import { ReplyWriter } from "./reply-writer.ts";
import type { OnceReply, Reply, SpecialReply } from "./verbs/verb.ts";

export interface SessionParts {
  readonly atSign: AtSign;
  readonly dispatcher: Dispatcher;
  readonly limits: Limits;
  /** for large commands */
  readonly inputBudget: LineBudget;
  /** for large replies: one for the owner, so that nobody else can take it away */
  readonly outputBudgets: { readonly owner: ByteBudget; readonly others: ByteBudget };
  /** is told when the memory of a command or reply that is not small is no longer needed */
  readonly onLarge: (bytes: number) => void;
  /** is told of each command that was answered */
  readonly onAnswered: () => void;
  /** is told now and then while a command takes long */
  readonly onWorking: () => void;
  readonly counts: Counts;
  readonly log: Log;
  readonly monotonic: () => number;
}

interface Options extends SessionParts {
  /** is told when this connection will be due for something that its idle time does not say */
  readonly onDue?: (dueMs: number) => void;
  /** when the client must have logged in; of the monotonic clock */
  readonly loginDueMs?: number;
  readonly shownCertificate?: () => ShownCertificate | undefined;
  /** what the transport has of a message that is not whole; {@link Session.arriving} is called when there is more */
  readonly heldBytes?: () => number;
}

const drainLingerMs = 1_000;
/** What is longer lives longer than small things do, and is to be told of. */
const smallLength = 4_096;

/**
 * One connection: commands one after the other, one reply each.
 *
 * Nothing is read while a command runs, so what a client may have us hold is bounded by one command and one chunk.
 */
export class Session {
  readonly connection: Connection;
  readonly #socket: Duplex;
  readonly #parts: Options;
  readonly #intake: Intake;
  readonly #writer: ReplyWriter;
  /** chunks that arrived while a command ran */
  #held: Buffer[] = [];
  #busy = false;
  #commanded = false;
  #largeAllowed = false;
  #inputEnded = false;
  #ending = false;
  readonly createdMs: number;
  #lastActiveMs: number;
  #linger: NodeJS.Timeout | undefined;
  #lingerMs: number;

  constructor(socket: Duplex, parts: Options) {
    const { limits, monotonic, dispatcher, log } = parts;
    this.#socket = socket;
    this.#parts = parts;
    this.createdMs = monotonic();
    this.#lastActiveMs = this.createdMs;
    this.#lingerMs = limits.lingerMs;
    this.#writer = new ReplyWriter(socket, limits);
    const session = this;
    this.connection = new Connection({
      channel: {
        push: (line) => this.#push(line),
        pushPieces: (pieces) => this.#pushPieces(pieces),
        working: () => parts.onWorking(),
        get open() {
          return !session.#ending;
        },
        onClose: (callback) => {
          socket.once("close", callback);
          return () => void socket.off("close", callback);
        },
      },
      ...(parts.shownCertificate !== undefined && { shownCertificate: parts.shownCertificate }),
    });
    this.#intake = new Intake({
      limits,
      budget: parts.inputBudget,
      monotonic,
      admit: (beginning) => dispatcher.admit(beginning, this.connection),
      onTurn: () => this.#resume(),
      onDue: (dueMs) => parts.onDue?.(dueMs),
      heldBytes: parts.heldBytes,
    });
    socket.on("data", (chunk: Buffer) => this.#arrived(chunk));
    socket.on("end", () => this.#ended());
    socket.on("error", (error) => log.debug({ err: error }, "connection failed"));
    socket.once("close", () => this.#closed());
    socket.write("@");
  }

  /** When the last command was answered, or the connection began; on the monotonic clock. */
  get lastActiveMs(): number {
    return this.#lastActiveMs;
  }

  /** Whether a command runs. */
  get busy(): boolean {
    return this.#busy;
  }

  /** Whether the last word is written. */
  get ending(): boolean {
    return this.#ending;
  }

  /** When the command that is arriving must be whole; undefined when none is. */
  get lineDueMs(): number | undefined {
    return this.#intake.dueMs;
  }

  get loginDueMs(): number | undefined {
    return this.connection.state === "owner" ? undefined : this.#parts.loginDueMs;
  }

  /** The command that is arriving took too long. */
  expire(): void {
    void this.#fail(new ProtocolError("timeout", "the command did not end in time", { closes: true }));
  }

  /** Closes without a word, as a client that is idle expects. */
  end(): void {
    if (this.#ending) return;
    this.#ending = true;
    this.#released(this.#intake.close());
    this.#socket.end();
    this.#lingerOn();
  }

  /** Lets the command that runs be answered, then closes; does not wait long for the client to do so, too. */
  drain(): void {
    this.#inputEnded = true;
    this.#lingerMs = Math.min(this.#lingerMs, drainLingerMs);
    this.#intake.drop();
    this.#held = [];
    if (!this.#busy) this.end();
  }

  /** There is more of a message that its transport cannot give out yet. */
  arriving(): void {
    if (this.#busy) this.#socket.pause();
    else this.#judge();
  }

  #arrived(chunk: Buffer): void {
    if (this.#ending || this.#inputEnded) return;
    if (!this.#busy) {
      this.#read(chunk);
      return;
    }
    this.#held.push(chunk);
    this.#socket.pause();
  }

  #read(chunk: Buffer): void {
    this.#intake.push(chunk);
    this.#runLines();
    if (!this.#busy) this.#judge();
  }

  /** Looks at the command that has begun to arrive. */
  #judge(): void {
    if (this.#ending) return;
    try {
      this.#intake.judge();
      if (this.#intake.waiting) this.#socket.pause();
    } catch (error) {
      void this.#fail(error, { closes: true });
    }
  }

  #runLines(): void {
    while (!this.#busy && !this.#ending) {
      const line = this.#next();
      if (line === undefined) return;
      this.#command(line);
    }
  }

  #next(): Buffer | undefined {
    try {
      return this.#intake.next();
    } catch (error) {
      void this.#fail(error);
      return undefined;
    }
  }

  /** After a command that did not answer at once. */
  #proceed(): void {
    this.#busy = false;
    if (!this.#ending) this.#runLines();
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
    this.#judge();
    this.#resume();
  }

  #resume(): void {
    if (!this.#ending && !this.#intake.waiting && this.#socket.isPaused()) this.#socket.resume();
  }

  #command(bytes: Buffer): void {
    let reply: Reply | Promise<Reply>;
    let line: string;
    try {
      line = this.#intake.text(bytes);
      if (line === "") {
        this.#blank();
        return;
      }
      this.#commanded = true;
      if (line === "@exit") {
        this.#exit();
        return;
      }
      reply = this.#parts.dispatcher.run(line, this.connection);
    } catch (error) {
      this.#settle(this.#fail(error));
      return;
    }
    if (reply === null || typeof reply === "string" || !("then" in reply)) {
      this.#settle(this.#answer(reply, line));
      return;
    }
    this.#busy = true;
    reply.then(
      (payload) => this.#settle(this.#answer(payload, line)),
      (error) => this.#settle(this.#fail(error)),
    );
  }

  /** @param writing a promise, which never rejects, when the client must read before there can be more */
  #settle(writing: Promise<void> | undefined): void {
    if (writing !== undefined) {
      this.#busy = true;
      void writing.then(() => this.#proceed());
    } else if (this.#busy) this.#proceed();
  }

  /** Some clients send a blank line first and wait for whatever comes; others end each command with two newlines. */
  #blank(): void {
    if (!this.#commanded) throw new ProtocolError("invalid_syntax", "invalid command");
  }

  #exit(): void {
    this.#ending = true;
    this.#socket.destroy();
  }

  #answer(reply: Reply, line: string): Promise<void> | undefined {
    this.#parts.counts.succeeded++;
    if (!this.#largeAllowed && this.connection.state !== "anonymous") {
      this.#largeAllowed = true;
      this.#intake.allowLarge();
    }
    this.#answered();
    if (reply !== null && typeof reply === "object") return this.#answerSpecially(reply);
    if (this.#ending) return undefined;
    const bytes = reply === null || reply.length <= smallLength ? 0 : Buffer.byteLength(reply);
    if (reply === null || bytes <= this.#parts.limits.pieceBytes) {
      if (bytes > 0) this.#parts.onLarge(bytes);
      return this.#writer.write(`data:${reply}${this.#tail}`);
    }
    const lease = this.#outputBudget.tryTake(bytes);
    if (lease !== undefined) return this.#writeLarge(reply, lease);
    this.#parts.onLarge(bytes);
    return this.#answerLater(bytes, line);
  }

  #answerSpecially(reply: SpecialReply): Promise<void> | undefined {
    if (reply.kind === "once") return this.#answerOnce(reply);
    if (reply.kind === "nothing" || this.#ending) return undefined;
    return this.#writer.write(this.connection.prompt(this.#parts.atSign));
  }

  /** Never rejects. */
  async #answerOnce({ text, release }: OnceReply): Promise<void> {
    if (!this.#ending) await this.#writer.writeInPieces({ head: "data:", body: text, tail: this.#tail });
    release();
    if (text.length > smallLength) this.#parts.onLarge(text.length);
    this.#lastActiveMs = this.#parts.monotonic();
  }

  /** For lines that are no replies. */
  #push(line: string): Promise<void> | undefined {
    if (this.#ending) return undefined;
    this.#lastActiveMs = this.#parts.monotonic();
    if (line.length > smallLength) this.#parts.onLarge(line.length);
    return this.#writer.write(`${line}\n`);
  }

  /** For a long line that is no reply. Never rejects. */
  async #pushPieces(pieces: Iterable<string>): Promise<void> {
    if (this.#ending) return;
    await this.#writer.writeMade(pieces);
    this.#lastActiveMs = this.#parts.monotonic();
  }

  get #outputBudget(): ByteBudget {
    const { owner, others } = this.#parts.outputBudgets;
    return this.connection.state === "owner" ? owner : others;
  }

  get #tail(): string {
    return `\n${this.connection.prompt(this.#parts.atSign)}`;
  }

  /** Never rejects. */
  async #writeLarge(payload: string, lease: Lease): Promise<void> {
    try {
      await this.#writer.writeInPieces({ head: "data:", body: payload, tail: this.#tail });
    } finally {
      this.#written(lease);
    }
    this.#lastActiveMs = this.#parts.monotonic();
  }

  /**
   * Answers a command for whose large reply there is no memory yet. Only reads have such: the reply is not kept
   * meanwhile (nor is it a parameter here, which would keep it) but read again. Never rejects.
   */
  async #answerLater(bytes: number, line: string): Promise<void> {
    const budget = this.#outputBudget;
    const possible = bytes <= budget.capBytes;
    const lease = possible ? await budget.turn(bytes, this.#parts.limits.turnMs) : undefined;
    try {
      if (!possible) throw new ProtocolError("buffer_limit", "the reply is too large", { closes: false });
      if (lease === undefined) throw tooManyLargeReplies();
      const reply = this.#ending ? null : await this.#parts.dispatcher.run(line, this.connection);
      if (this.#ending) return;
      const body = String(reply);
      // It may have changed since.
      if (Buffer.byteLength(body) > bytes) throw tooManyLargeReplies();
      await this.#writer.writeInPieces({ head: "data:", body, tail: this.#tail });
    } catch (error) {
      await this.#fail(error);
    } finally {
      if (lease !== undefined) this.#written(lease);
    }
  }

  #written(lease: Lease): void {
    this.#parts.onLarge(lease.bytes);
    lease.release();
  }

  /** The memory of the command can be used by the next one. */
  #answered(): void {
    this.#released(this.#intake.release());
    this.#parts.onAnswered();
    this.#lastActiveMs = this.#parts.monotonic();
  }

  #released(largeBytes: number): void {
    if (largeBytes > 0) this.#parts.onLarge(largeBytes);
  }

  /** @returns a promise, which never rejects, when the client must read before there can be more */
  #fail(thrown: unknown, { closes = false } = {}): Promise<void> | undefined {
    const error = asProtocolError(thrown, this.#parts.log);
    this.#parts.counts.failed(errors[error.error].code);
    this.#answered();
    if (this.#ending) return undefined;
    const { state, json } = this.connection;
    const line = formatError(error, { owner: state === "owner", json });
    const reply = `${line}\n${this.#errorPrompt(error)}`;
    if (!error.closes && !closes) return this.#writer.write(reply);
    this.#ending = true;
    this.#socket.end(reply);
    this.#lingerOn();
    return undefined;
  }

  /** Errors that are thrown say nothing of a peer; those in the colon form are the replies of a verb. */
  #errorPrompt({ colonForm }: ProtocolError): string {
    const { state, monitoring } = this.connection;
    return state === "peer" && !colonForm && !monitoring ? "@" : this.connection.prompt(this.#parts.atSign);
  }

  /** Reads on and throws away, for a while: closing with unread bytes would reset the connection under the reply. */
  #lingerOn(): void {
    this.#intake.drop();
    this.#held = [];
    this.#socket.resume();
    this.#linger ??= setTimeout(() => this.#socket.destroy(), this.#lingerMs).unref();
  }

  #ended(): void {
    this.#inputEnded = true;
    if (!this.#busy) this.end();
  }

  #closed(): void {
    this.#ending = true;
    clearTimeout(this.#linger);
    this.#writer.close();
    this.#released(this.#intake.close());
  }
}

function tooManyLargeReplies(): ProtocolError {
  return new ProtocolError("paused", "too many large replies are being read", { closes: false });
}
