import { isUtf8 } from "node:buffer";

/** Why a conversation ends, as the client made it: it said so, or nothing that it sends now could be answered. */
export type Ending = "exit" | "too-long" | "not-utf8";

export interface Arrived {
  /** whole lines in their order, without their ends and the white space around them */
  readonly lines: readonly string[];
  /** what comes after those lines, if the conversation does not go on */
  readonly ending: Ending | undefined;
}

/** A line may have so many characters, its newline not counted. */
const maxLineCharacters = 255;
/** A character has at most four bytes in UTF-8. */
const maxLineBytes = maxLineCharacters * 4;

const newline = 0x0a;
const nothing = Buffer.alloc(0);

/**
 * Cuts what a client sends into lines. Never holds more than one unfinished line within the limit.
 *
 * `@exit` ends the conversation also without a newline, because clients send it so. A line longer than the limit ends
 * it whether or not its newline came along, so that nothing depends on how bytes were grouped on the way.
 */
export class LineReader {
  #rest: Buffer = nothing;

  push(chunk: Buffer): Arrived {
    let bytes = chunk;
    if (this.#rest.length > 0) {
      bytes = Buffer.concat([this.#rest, chunk]);
      this.#rest = nothing;
    }
    const lines: string[] = [];
    let start = 0;
    for (let end = bytes.indexOf(newline); end !== -1; end = bytes.indexOf(newline, start)) {
      const line = readLine(bytes, start, end);
      if (typeof line !== "string") return { lines, ending: line.ending };
      if (line === "@exit") return { lines, ending: "exit" };
      lines.push(line);
      start = end + 1;
    }
    return { lines, ending: start === bytes.length ? undefined : this.#keep(bytes.subarray(start)) };
  }

  /** Copied, because a small rest must not hold the whole chunk. */
  #keep(rest: Buffer): Ending | undefined {
    const line = readLine(rest, 0, rest.length, { unfinished: true });
    if (typeof line !== "string") return line.ending;
    if (line === "@exit") return "exit";
    this.#rest = Buffer.from(rest);
    return undefined;
  }
}

function readLine(
  bytes: Buffer,
  start: number,
  end: number,
  { unfinished = false } = {},
): string | { readonly ending: Ending } {
  if (end - start > maxLineBytes) return { ending: "too-long" };
  const text = decode(bytes, start, end, unfinished);
  if (text === undefined) return { ending: "not-utf8" };
  if (text.length > maxLineCharacters && lengthOf(text) > maxLineCharacters) return { ending: "too-long" };
  const trimmed = text.trim();
  return trimmed.length === 5 && trimmed.toLowerCase() === "@exit" ? "@exit" : trimmed;
}

/** The carriage return before a newline belongs to the end of the line; characters are code points. */
function lengthOf(text: string): number {
  let length = text.endsWith("\r") ? -1 : 0;
  for (const _ of text) length += 1;
  return length;
}

const ascii = /^[\x00-\x7f]*$/;

/** @returns undefined when it is not UTF-8; the last character of an unfinished line may be unfinished too */
function decode(bytes: Buffer, start: number, end: number, unfinished: boolean): string | undefined {
  const text = bytes.toString("latin1", start, end);
  if (ascii.test(text)) return text;
  const line = bytes.subarray(start, end);
  const whole = unfinished ? line.subarray(0, line.length - unfinishedBytes(line)) : line;
  return isUtf8(whole) ? whole.toString("utf8") : undefined;
}

/** How many bytes at the end are the beginning of a character of more bytes than that. */
function unfinishedBytes(bytes: Buffer): number {
  for (let count = 1; count <= Math.min(3, bytes.length); count += 1) {
    const byte = bytes[bytes.length - count] ?? 0;
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) return count < (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) ? count : 0;
  }
  return 0;
}
