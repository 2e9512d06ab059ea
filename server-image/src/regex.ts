import { ProtocolError } from "@atrium/protocol";

const maxLength = 1_000;

/**
 * A test for names, searching for an expression of a client's. In time linear in the name, whatever the expression:
 * that is why look-around and back-references are not understood.
 *
 * @param regex undefined accepts every name
 * @throws {ProtocolError} when it is not understood
 */
export async function nameTest(regex: string | undefined): Promise<(name: string) => boolean> {
  if (regex === undefined || regex === ".*") return () => true;
  if (regex.length > maxLength) throw refused(`longer than ${maxLength} characters`);
  // Most atServers never need it.
  const { RE2JS } = await import("re2js");
  try {
    const compiled = RE2JS.compile(RE2JS.translateRegExp(regex));
    return (name) => compiled.test(name);
  } catch (error) {
    throw refused(error instanceof Error ? error.message : String(error));
  }
}

function refused(reason: string): ProtocolError {
  return new ProtocolError("internal", `FormatException: ${reason}`);
}
