import { ProtocolError } from "./errors.ts";
import { groupsOf } from "./long-text.ts";

/** The text form of one verb. */
export interface Syntax<P> {
  /** as it begins a command, in lower case: `update`, `update:meta` */
  readonly verb: string;
  /**
   * @param line a command without newline
   * @throws {ProtocolError} `invalid_syntax`, or what a name in it deserves
   */
  parse(line: string): P;
  /**
   * @returns the command without newline
   * @throws {ProtocolError} `invalid_syntax` when the parameters cannot be said in a command
   */
  format(params: P): string;
}

type Groups = Readonly<Record<string, string | undefined>>;

interface Definition<P> {
  readonly verb: string;
  /** what a client is told that got it wrong */
  readonly usage: string;
  /** of the whole line; letter case is to be ignored, and no part may match the same text in two ways */
  readonly pattern: RegExp;
  /** from the named groups of the pattern; undefined: wrong after all */
  parse(groups: Groups): P | undefined;
  format(params: P): string;
}

/** Defines a verb's text form. Neither direction lets a line end through: a value cannot bring a second command. */
export function syntax<P>({ verb, usage, pattern, parse, format }: Definition<P>): Syntax<P> {
  return {
    verb,
    parse(line) {
      const text = normalise(line);
      const groups = text.includes("\n") ? undefined : groupsOf(pattern, text);
      const params = groups && parse(groups);
      if (params === undefined) throw new ProtocolError("invalid_syntax", `Invalid syntax. ${usage}`);
      return params;
    },
    format(params) {
      const line = format(params);
      if (line.includes("\n")) throw new ProtocolError("invalid_syntax", `${verb} cannot hold more than one line`);
      return line;
    },
  };
}

/** Verbs whose first blank begins a regular expression, which may have a colon and keeps its blanks and letter case. */
const withExpression = /^(scan|monitor)(?=\s)/i;

/**
 * Lower-cases what stands before the first colon and takes its blanks away, as the protocol wants it before the verb is
 * looked at.
 */
export function normalise(line: string): string {
  const text = line.trim();
  if (/^[a-z]+(?::|$)/.test(text)) return text; // as nearly all clients write
  const [verb = ""] = withExpression.exec(text) ?? [];
  const rest = text.slice(verb.length);
  if (verb !== "" && !rest.trimStart().startsWith(":")) return verb.toLowerCase() + rest;
  const colon = text.indexOf(":");
  const head = colon === -1 ? text : text.slice(0, colon);
  return head.replaceAll(" ", "").toLowerCase() + text.slice(head.length);
}
