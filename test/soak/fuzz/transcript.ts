import { decodeLine, verbOf } from "@atrium/protocol";
import type { Conversation } from "./conversation.ts";

/** What came back on a connection, from the first byte behind the login. */
export interface Transcript {
  readonly bytes: Buffer;
  /** whether the atServer closed the connection */
  readonly closed: boolean;
}

/** The prompt of the reply before, and perhaps that which answers `pol`, stand in front of a line. */
const prompts = "^(?:@(?:[\\w-]+@)?){0,2}";
/** One reply to a command, or one pushed line, without its newline. */
const replyPattern = new RegExp(`${prompts}(?:data:|error:(?:AT\\d{4}[-:]|\\{"errorCode":"AT\\d{4}"))`);
const pushedPattern = new RegExp(`${prompts}notification: \\{`);
/** After these errors the atServer closes the connection. */
const closingPattern = /error:(?:\{"errorCode":")?AT00(?:01|02|05|11|12|13|24|28)/;
/** Also after these, when the rest of the command was still to come: it is judged by its beginning. */
const earlyPattern = /error:(?:\{"errorCode":")?AT0(?:003|401)/;
/** More than that may not arrive at once. */
const recordBytes = 16_384;
const maxErrorBytes = 199;

/**
 * @param mark stands in the reply to the last line
 * @returns what is wrong with what came back; undefined when nothing is
 */
export function faultOf({ bytes, closed }: Transcript, conversation: Conversation, mark: string): string | undefined {
  const lines = linesOf(bytes);
  if (lines === undefined) return "a reply is not UTF-8";
  const strange = lines.find((line) => !replyPattern.test(line) && !pushedPattern.test(line));
  if (strange !== undefined) return `this is no reply: ${JSON.stringify(strange.slice(0, 300))}`;
  const replies = lines.filter((line) => replyPattern.test(line)).map((line) => line.replace(new RegExp(prompts), ""));
  const wrong = replies.find((line) => line.startsWith("error:") && !isProperError(line));
  if (wrong !== undefined) return `this is no proper error: ${JSON.stringify(wrong)}`;
  const { least, most, exits } = expected(conversation);
  const marked = replies.at(-1)?.includes(mark) === true;
  if (marked && (replies.length - 1 < least || replies.length - 1 > most)) {
    return `${replies.length - 1} replies to ${least === most ? least : `${least} to ${most}`} lines: ${JSON.stringify(replies)}`;
  }
  if (marked) return undefined;
  if (!closed) return `${replies.length} replies to ${least} lines, then nothing: ${JSON.stringify(replies.slice(-3))}`;
  if (replies.length > most + 1) return `${replies.length} replies to ${most} lines before it closed`;
  const last = replies.at(-1) ?? "";
  const inPieces = conversation.chunks.length > 0 || bytesOf(conversation) > recordBytes;
  if (exits || closingPattern.test(last) || (inPieces && earlyPattern.test(last))) return undefined;
  return `it closed without a reason, after ${JSON.stringify(last)}`;
}

function bytesOf({ lines, ends }: Conversation): number {
  return lines.reduce((sum, line, index) => sum + line.length + (ends[index]?.length ?? 0), 0);
}

function linesOf(bytes: Buffer): string[] | undefined {
  try {
    const lines = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes).split("\n");
    lines.pop(); // the last prompt
    return lines;
  } catch {
    return undefined;
  }
}

function isProperError(line: string): boolean {
  return Buffer.byteLength(line) <= maxErrorBytes && !/data:/i.test(line) && !/\p{Cc}/u.test(line);
}

/** How many replies there may be, all lines answered. */
function expected({ state, lines, ends }: Conversation): { least: number; most: number; exits: boolean } {
  let [least, most, exits] = [0, 0, false];
  // Blank lines are answered before the first command; whether one that cannot be read is a command is not said.
  let commanded: "yes" | "no" | "perhaps" = state === "anonymous" ? "no" : "yes";
  const blank = (): void => {
    if (commanded === "no") least++;
    if (commanded !== "yes") most++;
  };
  for (const [index, bytes] of lines.entries()) {
    const text = textOf(bytes);
    if (text === "") blank();
    else {
      if (text === "@exit") exits = true;
      if (text !== undefined) commanded = "yes";
      else if (commanded === "no") commanded = "perhaps";
      // Their success is not told by a line: pol answers by the prompt alone, monitor by what it pushes.
      const verb = text === undefined ? undefined : verbOf(text);
      if (verb !== "pol" && verb !== "monitor") least++;
      most++;
    }
    if ((ends[index]?.match(/\n/g)?.length ?? 1) > 1) blank();
  }
  return { least, most, exits };
}

/** @returns undefined when it is not UTF-8 */
function textOf(bytes: Buffer): string | undefined {
  try {
    return decodeLine(bytes);
  } catch {
    return undefined;
  }
}
