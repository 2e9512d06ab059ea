import { isAscii, isUtf8 } from "node:buffer";
import { ProtocolError } from "./errors.ts";

/** The longest line that an atServer and an SDK accept, in bytes, its newline included. */
export const maxLineBytes = 10_240_000;

const newline = 0x0a;
const carriageReturn = 0x0d;
const nothing = Buffer.allocUnsafeSlow(0);
/** Memory that one line has for itself. */
const gathered = new WeakSet<ArrayBufferLike>();

/**
 * How much memory an unfinished line gets: enough for nearly all, then enough for what anybody may send, then as much as
 * it may ever need, of which the system gives only what is written to.
 */
const memoryBytes = [16_384, 65_536] as const;

/**
 * Cuts a stream of bytes into lines at every newline, in time linear in the bytes. A line within one chunk is not
 * copied, but shares its memory; any other is gathered in memory of its own.
 */
export class LineSplitter {
  /** may be changed at any time, for instance when a client has logged in */
  maxLineBytes: number;
  /** the unfinished line, and what is free behind it */
  #memory = nothing;
  #bufferedBytes = 0;
  /** what was fed, and how much of it was cut */
  #chunk: Uint8Array = nothing;
  #start = 0;

  constructor(options: { maxLineBytes?: number } = {}) {
    this.maxLineBytes = options.maxLineBytes ?? maxLineBytes;
  }

  /** How much of an unfinished line is held. */
  get bufferedBytes(): number {
    return this.#bufferedBytes;
  }

  /**
   * @param chunk not to be written to while its lines are in use
   * @returns the lines that end in this chunk, without `\n` and without a `\r` before it
   * @throws {ProtocolError} `buffer_limit` as soon as a line is known to be too long; the splitter is of no use then
   */
  push(chunk: Uint8Array): Buffer[] {
    this.feed(chunk);
    const lines: Buffer[] = [];
    for (let line = this.next(); line !== undefined; line = this.next()) lines.push(line);
    return lines;
  }

  /**
   * As `push`, for whom the lines are fetched one by one with `next`, until there is none: a chunk may hold many, and an
   * object for each of them is larger than most of them are.
   */
  feed(chunk: Uint8Array): void {
    this.#chunk = chunk;
    this.#start = 0;
  }

  /** What was fed and is not cut into lines yet. */
  get unread(): Uint8Array {
    return this.#chunk.subarray(this.#start);
  }

  /** @returns undefined when no other line ends in what was fed @throws as `push` */
  next(): Buffer | undefined {
    if (this.#start === this.#chunk.length) return undefined;
    const start = this.#start;
    const end = this.#chunk.indexOf(newline, start);
    const part = this.#chunk.subarray(start, end === -1 ? this.#chunk.length : end);
    this.#check(part.length);
    if (end !== -1) {
      this.#start = end + 1;
      return this.#finish(part);
    }
    this.feed(nothing);
    this.#gather(part);
    return undefined;
  }

  /** The beginning of the unfinished line, at most `bytes`, for a look at its verb before the rest arrives. */
  peek(bytes: number): Buffer {
    return this.#memory.subarray(0, Math.min(bytes, this.#bufferedBytes));
  }

  /** Gives up the unfinished line, and what was fed. */
  clear(): void {
    this.feed(nothing);
    this.#replace(nothing);
    this.#bufferedBytes = 0;
  }

  #finish(end: Uint8Array): Buffer {
    const line = this.#bufferedBytes === 0 ? bufferOf(end) : this.#gathered(end);
    return line.at(-1) === carriageReturn ? line.subarray(0, -1) : line;
  }

  #gathered(end: Uint8Array): Buffer {
    this.#gather(end);
    const line = this.#memory.subarray(0, this.#bufferedBytes);
    gathered.add(line.buffer);
    this.#memory = nothing;
    this.#bufferedBytes = 0;
    return line;
  }

  #gather(bytes: Uint8Array): void {
    const length = this.#bufferedBytes + bytes.length;
    if (length > this.#memory.length) this.#grow(length);
    this.#memory.set(bytes, this.#bufferedBytes);
    this.#bufferedBytes = length;
  }

  #grow(bytes: number): void {
    const size = memoryBytes.find((size) => size >= bytes) ?? Math.max(bytes, this.maxLineBytes);
    const memory = Buffer.allocUnsafeSlow(size);
    memory.set(this.#memory.subarray(0, this.#bufferedBytes));
    this.#replace(memory);
  }

  #replace(memory: typeof nothing): void {
    if (this.#memory !== nothing) this.#memory.buffer.transfer(0);
    this.#memory = memory;
  }

  #check(more: number): void {
    if (this.#bufferedBytes + more + 1 <= this.maxLineBytes) return;
    const detail =
      "InboundBuffer overflow: server received request which exceeded the buffer size limit. Terminating the connection.";
    throw new ProtocolError("buffer_limit", detail);
  }
}

/**
 * Gives back the memory of a line from a {@link LineSplitter}, whose bytes are gone then. Without this it happens when
 * garbage is collected, which for large lines may be late.
 */
export function freeLine(line: Buffer): void {
  if (gathered.has(line.buffer)) (line.buffer as ArrayBuffer).transfer(0);
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/**
 * @param line without newline
 * @returns its text without white space at both ends
 * @throws {ProtocolError} `invalid_syntax` when it is not UTF-8
 */
export function decodeLine(line: Uint8Array): string {
  const bytes = bufferOf(line);
  if (isAscii(bytes)) return bytes.toString("latin1").trim();
  if (!isUtf8(bytes)) throw new ProtocolError("invalid_syntax", "a command must be UTF-8");
  return bytes.toString("utf8").trim();
}

/**
 * Takes the prompt of the reply before off a line: everything up to the last `@` before the first `:`.
 *
 * @example stripPrompt("@alice@data:success") // "data:success"
 */
export function stripPrompt(line: string): string {
  const colon = line.indexOf(":");
  return line.slice(line.lastIndexOf("@", colon === -1 ? line.length : colon) + 1);
}
