import { errors, ProtocolError, batch as syntax, verbOf } from "@atrium/protocol";
import type { Lease } from "../byte-budget.ts";
import type { Connection } from "../connection.ts";
import { asProtocolError } from "../faults.ts";
import { Pace } from "../pace.ts";
import { type OnceReply, type Parts, type Reply, verb } from "./verb.ts";

/** What changes the connection itself, or is not answered by data, has no place in a list of answers. */
const excluded: ReadonlySet<string> = new Set(["from", "cram", "pkam", "pol", "monitor", "batch", "enroll", "noop"]);
/** They may wait for the disk together; whatever follows them sees what they wrote. */
const writing: ReadonlySet<string> = new Set(["update", "update:meta", "delete"]);
/** More that wait together would keep the writes of other connections waiting, and gain nothing. */
const maxTogether = 128;
/** Of answers that are not small: what clients accept, less what all small answers of the longest batch may take. */
const maxLargeBytes = 8_000_000;
/** Of them, too: so much needs no share of the memory for replies, and more takes it in such steps. */
const stepBytes = 65_536;
/** What tells that something was written is much shorter. */
const smallLength = 150;

type Response = { readonly data: string | null } | { readonly error_code: string; readonly error_message: string };

/** Runs several commands in order, and answers each: a failure does not stop those behind it. */
export const batch = verb({
  syntax,
  allow: ["owner"],
  async handle({ entries }, parts, connection) {
    // Not disposed of here: its memory is in use until the reply is written.
    const answers = new Answers(parts.ownerReplies);
    const pace = new Pace();
    let together: Promise<void>[] = [];
    for (const { id, command } of entries) {
      const writes = writing.has(verbOf(command) ?? "");
      if (!writes || together.length === maxTogether) {
        await Promise.all(together);
        together = [];
      }
      const answer = answers.next(id);
      const answered = respond(command, parts, connection).then(answer);
      if (writes) together.push(answered);
      else await answered;
      const pause = pace.next();
      if (pause !== undefined) await pause;
    }
    await Promise.all(together);
    return answers.reply;
  },
});

/**
 * The answers in their order, as one text that does not outgrow a reply. What there is no memory for, because others read
 * much at the same time, is answered so at once: to wait and run all commands again, as a read is, would write twice.
 */
class Answers {
  readonly #budget: Parts["ownerReplies"];
  readonly #texts: string[] = [];
  readonly #leases: Lease[] = [];
  #largeBytes = 0;
  #roomBytes = stepBytes;

  constructor(budget: Parts["ownerReplies"]) {
    this.#budget = budget;
  }

  get reply(): OnceReply {
    return {
      kind: "once",
      text: `[${this.#texts.join(",")}]`,
      release: () => {
        for (const lease of this.#leases) lease.release();
      },
    };
  }

  /** @returns what takes the next answer, at any time */
  next(id: number): (response: Response) => void {
    const at = this.#texts.push("") - 1;
    return (response) => {
      this.#texts[at] = `{"id":${id},"response":${this.#fitting(response)}}`;
    };
  }

  #fitting(response: Response): string {
    const text = JSON.stringify(response);
    if (text.length <= smallLength) return text;
    const bytes = Buffer.byteLength(text);
    if (this.#largeBytes + bytes > maxLargeBytes || !this.#makeRoom(bytes)) {
      return JSON.stringify(failure("buffer_limit"));
    }
    this.#largeBytes += bytes;
    return text;
  }

  /** @returns whether there is memory for so much more */
  #makeRoom(bytes: number): boolean {
    const lacking = this.#largeBytes + bytes - this.#roomBytes;
    if (lacking <= 0) return true;
    const lease = this.#budget.tryTake(Math.max(lacking, stepBytes));
    if (lease === undefined) return false;
    this.#leases.push(lease);
    this.#roomBytes += lease.bytes;
    return true;
  }
}

/** Never rejects. */
async function respond(command: string, { run, log }: Parts, connection: Connection): Promise<Response> {
  try {
    const name = verbOf(command);
    if (name === undefined || excluded.has(name)) throw new ProtocolError("invalid_syntax", "not in a batch");
    const reply: Reply = await run(command.trim(), connection);
    return { data: typeof reply === "object" ? null : reply.trim() };
  } catch (error) {
    return failure(asProtocolError(error, log).error);
  }
}

function failure(error: keyof typeof errors): Response {
  const { code, text } = errors[error];
  return { error_code: code, error_message: text };
}
