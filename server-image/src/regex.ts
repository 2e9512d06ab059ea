import { ProtocolError } from "@atrium/protocol";
import type { RE2JS } from "re2js";
import { programSize } from "./regex-size.ts";

const maxLength = 1_000;
/** About half a megabyte. */
const maxInstructions = 1_000;
/** Of all that are kept: clients poll with the same few. */
const maxKept = 16;
const maxKeptInstructions = 2_000;
/** What an expression may remember of the names it has seen. Eight megabytes, the engine's own bound, bring next to nothing more. */
const memoryBytes = 131_072;

type NameTest = (name: string) => boolean;

interface Compiled {
  readonly regex: string;
  readonly pattern: RE2JS;
  readonly instructions: number;
}

/** The one that was used last is the last one. */
const kept = new Map<string, Compiled>();
let last: Compiled | undefined;

/**
 * A test for names, searching for an expression of a client's. In time linear in the name, whatever the expression:
 * that is why look-around and back-references are not understood.
 *
 * However many tests there are, only a few expressions are kept compiled: the others are compiled again when it is their
 * turn.
 *
 * @param regex undefined accepts every name
 * @throws {ProtocolError} when it is not understood, or would take too much memory
 */
export async function nameTest(regex: string | undefined): Promise<NameTest> {
  if (regex === undefined || regex === ".*") return () => true;
  if (regex.length > maxLength) throw refused(`longer than ${maxLength} characters`);
  // Most atServers never need it.
  const { RE2JS: engine } = await import("re2js");
  compiled(regex, engine);
  return (name) => compiled(regex, engine).pattern.test(name);
}

function compiled(regex: string, engine: typeof RE2JS): Compiled {
  if (last?.regex === regex) return last;
  last = kept.get(regex) ?? compile(regex, engine);
  kept.delete(regex);
  kept.set(regex, last);
  return last;
}

function compile(regex: string, engine: typeof RE2JS): Compiled {
  const translated = engine.translateRegExp(regex);
  const instructions = programSize(translated);
  if (instructions > maxInstructions) throw refused("too many repetitions");
  makeRoom(instructions);
  try {
    const pattern = engine.compile(translated);
    const { dfa } = pattern.re2();
    dfa.stateBudget = memoryBytes;
    dfa.memBudget = memoryBytes;
    return { regex, pattern, instructions };
  } catch (error) {
    throw refused(error instanceof Error ? error.message : String(error));
  }
}

function makeRoom(instructions: number): void {
  let total = instructions;
  for (const each of kept.values()) total += each.instructions;
  for (const [oldest, { instructions: freed }] of kept) {
    if (total <= maxKeptInstructions && kept.size < maxKept) return;
    kept.delete(oldest);
    total -= freed;
  }
}

function refused(reason: string): ProtocolError {
  return new ProtocolError("internal", `FormatException: ${reason}`);
}
