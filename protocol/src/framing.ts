import { isAscii, isUtf8 } from "node:buffer";
import { ProtocolError } from "./errors.ts";

/** The longest line that an atServer and an SDK accept, in bytes, its newline included. */
export const maxLineBytes = 10_240_000;

const newline = 0x0a;
const carriageReturn = 0x0d;

/** Chunks below this size are gathered in blocks: a line that trickles in must not cost an object per byte. */
const smallChunkBytes = 4096;
const blockBytes = 16_384;

/**
 * Cuts a stream of bytes into lines at every newline, in time linear in the bytes. A line within one chunk is not
 * copied, but shares its memory.
 */
export class LineSplitter {
  /** may be changed at any time, for instance when a client has logged in */
  maxLineBytes: number;
  #parts: Uint8Array[] = [];
  #bufferedBytes = 0;
  /** the last of the parts, when it is a block with room left */
  #block: Buffer | undefined;
  #blockUsed = 0;

  constructor(options: { maxLineBytes?: number } = {}) {
    this.maxLineBytes = options.maxLineBytes ?? maxLineBytes;
  }

  /** How much of an unfinished line is held. */
  get bufferedBytes(): number {
    return this.#bufferedBytes;
  }

  /**
   * @param chunk owned by the splitter from now on: the caller must not write to it
   * @returns the lines that end in this chunk, without `\n` and without a `\r` before it
   * @throws {ProtocolError} `buffer_limit` as soon as a line is known to be too long; the splitter is of no use then
   */
  push(chunk: Uint8Array): Buffer[] {
    const lines: Buffer[] = [];
    let start = 0;
    while (start < chunk.length) {
      const end = chunk.indexOf(newline, start);
      if (end === -1) break;
      lines.push(this.#finish(chunk.subarray(start, end)));
      start = end + 1;
    }
    if (start < chunk.length) this.#keep(start === 0 ? chunk : chunk.subarray(start));
    return lines;
  }

  /** The beginning of the unfinished line, at most `bytes`, for a look at its verb before the rest arrives. */
  peek(bytes: number): Buffer {
    const head: Uint8Array[] = [];
    let missing = Math.min(bytes, this.#bufferedBytes);
    for (const part of this.#contents()) {
      if (missing === 0) break;
      head.push(part.subarray(0, missing));
      missing -= Math.min(missing, part.length);
    }
    return Buffer.concat(head);
  }

  #finish(end: Uint8Array): Buffer {
    this.#check(end.length);
    const line = this.#bufferedBytes === 0 ? bufferOf(end) : Buffer.concat([...this.#contents(), end]);
    if (this.#bufferedBytes > 0) {
      this.#parts = [];
      this.#block = undefined;
      this.#bufferedBytes = 0;
    }
    return line[line.length - 1] === carriageReturn ? line.subarray(0, -1) : line;
  }

  #keep(chunk: Uint8Array): void {
    this.#check(chunk.length);
    this.#bufferedBytes += chunk.length;
    if (chunk.length >= smallChunkBytes) {
      this.#closeBlock();
      this.#parts.push(chunk);
      return;
    }
    if (this.#block === undefined || this.#block.length - this.#blockUsed < chunk.length) {
      this.#closeBlock();
      this.#block = Buffer.allocUnsafeSlow(blockBytes);
      this.#blockUsed = 0;
    }
    this.#block.set(chunk, this.#blockUsed);
    this.#blockUsed += chunk.length;
  }

  #closeBlock(): void {
    if (this.#block !== undefined) this.#parts.push(this.#block.subarray(0, this.#blockUsed));
    this.#block = undefined;
  }

  #contents(): Uint8Array[] {
    return this.#block === undefined ? this.#parts : [...this.#parts, this.#block.subarray(0, this.#blockUsed)];
  }

  #check(more: number): void {
    if (this.#bufferedBytes + more + 1 <= this.maxLineBytes) return;
    const detail =
      "InboundBuffer overflow: server received request which exceeded the buffer size limit. Terminating the connection.";
    throw new ProtocolError("buffer_limit", detail);
  }
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
