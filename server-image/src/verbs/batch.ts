import { errors, ProtocolError, batch as syntax, verbOf } from "@atrium/protocol";
import type { Connection } from "../connection.ts";
import { asProtocolError } from "../faults.ts";
import { type Parts, type Reply, verb } from "./verb.ts";

/** What changes the connection itself, or is not answered by data, has no place in a list of answers. */
const excluded: ReadonlySet<string> = new Set(["from", "cram", "pkam", "pol", "monitor", "batch", "enroll", "noop"]);
/** They may wait for the disk together; whatever follows them sees what they wrote. */
const writing: ReadonlySet<string> = new Set(["update", "update:meta", "delete"]);

type Response = { readonly data: string | null } | { readonly error_code: string; readonly error_message: string };

/** Runs several commands in order, and answers each: a failure does not stop those behind it. */
export const batch = verb({
  syntax,
  allow: ["owner"],
  async handle({ entries }, parts, connection) {
    const responses: Promise<Response>[] = [];
    for (const { command } of entries) {
      if (!writing.has(verbOf(command) ?? "")) await Promise.all(responses);
      responses.push(respond(command, parts, connection));
    }
    const answered = await Promise.all(responses);
    return JSON.stringify(entries.map(({ id }, index) => ({ id, response: answered[index] })));
  },
});

/** Never rejects. */
async function respond(command: string, { run, log }: Parts, connection: Connection): Promise<Response> {
  try {
    const name = verbOf(command);
    if (name === undefined || excluded.has(name)) throw new ProtocolError("invalid_syntax", "not in a batch");
    const reply: Reply = await run(command.trim(), connection);
    return { data: typeof reply === "object" ? null : reply };
  } catch (error) {
    const { code, text } = errors[asProtocolError(error, log).error];
    return { error_code: code, error_message: text };
  }
}
