import { ProtocolError } from "@atrium/protocol";
import { programSize } from "./regex-size.ts";

const maxLength = 1_000;
/** About three megabytes, and as much for each that is kept at most. */
const maxInstructions = 2_000;
const maxKeptInstructions = 4_000;

type NameTest = (name: string) => boolean;

/** Those used last: clients poll with the same few. */
const kept = new Map<string, { readonly test: NameTest; readonly size: number }>();

/**
 * A test for names, searching for an expression of a client's. In time linear in the name, whatever the expression:
 * that is why look-around and back-references are not understood.
 *
 * @param regex undefined accepts every name
 * @throws {ProtocolError} when it is not understood, or would take too much memory
 */
export async function nameTest(regex: string | undefined): Promise<NameTest> {
  if (regex === undefined || regex === ".*") return () => true;
  const known = kept.get(regex);
  if (known !== undefined) return known.test;
  if (regex.length > maxLength) throw refused(`longer than ${maxLength} characters`);
  const size = programSize(regex);
  if (size > maxInstructions) throw refused("too many repetitions");
  // Most atServers never need it.
  const { RE2JS } = await import("re2js");
  try {
    const compiled = RE2JS.compile(RE2JS.translateRegExp(regex));
    return keep(regex, (name) => compiled.test(name), size);
  } catch (error) {
    throw refused(error instanceof Error ? error.message : String(error));
  }
}

/** The one that was compiled first goes first. */
function keep(regex: string, test: NameTest, size: number): NameTest {
  let total = size;
  for (const each of kept.values()) total += each.size;
  for (const [oldest, { size: freed }] of kept) {
    if (total <= maxKeptInstructions) break;
    kept.delete(oldest);
    total -= freed;
  }
  kept.set(regex, { test, size });
  return test;
}

function refused(reason: string): ProtocolError {
  return new ProtocolError("internal", `FormatException: ${reason}`);
}
