import { ProtocolError, verbOf } from "@atrium/protocol";
import { traced } from "@atrium/runtime/tracing.ts";
import type { Connection, Enrollment } from "./connection.ts";
import { mayAccess } from "./rights/rights.ts";
import type { Parts, Reply, Verb } from "./verbs/verb.ts";

// biome-ignore lint/suspicious/noExplicitAny: each verb has parameters of its own, which its own syntax makes
type AnyVerb = Verb<any>;

/** A verb, and how often it was run. */
interface Entry {
  readonly verb: AnyVerb;
  runs: number;
}

/** Finds the verb of a command, checks that the connection may use it, and runs it. */
export class Dispatcher {
  readonly #entries: ReadonlyMap<string, Entry>;
  /** those whose name does not begin that of another, too */
  readonly #alone: ReadonlyMap<string, Entry>;
  readonly #parts: Parts;

  constructor(verbs: readonly AnyVerb[], parts: Omit<Parts, "run">) {
    this.#entries = new Map(verbs.map((verb) => [verb.syntax.verb, { verb, runs: 0 }]));
    const names = [...this.#entries.keys()];
    this.#alone = new Map([...this.#entries].filter(([name]) => !names.some((other) => other.startsWith(`${name}:`))));
    this.#parts = { ...parts, run: (line, connection) => this.run(line, connection) };
  }

  /** How often each verb was run. */
  runs(): [verb: string, runs: number][] {
    return [...this.#entries].map(([name, { runs }]) => [name, runs]);
  }

  /**
   * @param line a command, trimmed
   * @throws {ProtocolError} at once or by the promise; whatever else is thrown is a fault of ours
   */
  run(line: string, connection: Connection): Reply | Promise<Reply> {
    const entry = this.#permitted(line, connection);
    entry.runs++;
    const params = entry.verb.syntax.parse(line);
    if (connection.enrollment !== undefined) this.#assertGranted(entry.verb, params, connection.enrollment);
    const { verb } = entry;
    return traced(`atserver.${verb.syntax.verb}`, {}, () => verb.handle(params, this.#parts, connection));
  }

  /**
   * Judges a command by its beginning, before the rest of it arrives.
   *
   * @param beginning at least as long as the longest verb
   * @throws {ProtocolError} when it cannot become a command that this connection may use
   */
  admit(beginning: string, connection: Connection): void {
    this.#permitted(beginning, connection);
  }

  /** @throws {ProtocolError} `unauthorized` when an enrolled app has not been granted what the command needs */
  #assertGranted({ syntax, needs }: AnyVerb, params: unknown, { id, namespaces }: Enrollment): void {
    const need = needs?.(params, this.#parts);
    if (need === undefined || mayAccess(namespaces, { ...need, verb: syntax.verb })) return;
    throw new ProtocolError(
      "unauthorized",
      `Connection with enrollment ID ${id} is not authorized to ${need.doing} key: ${need.key}`,
    );
  }

  #permitted(line: string, connection: Connection): Entry {
    // At each command: it may have been revoked, or have expired.
    if (connection.enrollment !== undefined) this.#parts.enrollments.assertActive(connection.enrollment);
    const entry = this.#find(line);
    if (entry === undefined) throw new ProtocolError("invalid_syntax", "invalid command");
    if (!entry.verb.allow.includes(connection.state)) {
      throw new ProtocolError("unauthenticated", "Command cannot be executed without auth");
    }
    return entry;
  }

  #find(line: string): Entry | undefined {
    const colon = line.indexOf(":");
    const first = colon === -1 ? line : line.slice(0, colon);
    // As nearly all commands are written; verbOf knows the other ways, and the verbs of two words.
    const entry = this.#alone.get(first) ?? (/^update:(?!meta)/.test(line) ? this.#entries.get(first) : undefined);
    if (entry !== undefined) return entry;
    const name = verbOf(line);
    return name === undefined ? undefined : this.#entries.get(name);
  }
}
