import { type AtSign, lookup, ProtocolError, parseError } from "@atrium/protocol";
import type { Address } from "@atrium/runtime/config.ts";
import type { Log } from "@atrium/runtime/log.ts";
import { traced } from "@atrium/runtime/tracing.ts";
import type { Dialogue } from "./dialogue.ts";
import type { DirectoryClient } from "./directory.ts";
import { type Manner, type Pool, StaleConnectionError } from "./pool.ts";
import { type Prover, prove } from "./prove.ts";

interface Options {
  readonly directory: Pick<DirectoryClient, "find" | "doubt">;
  readonly pool: Pick<Pool, "lend">;
  readonly prover: Prover;
  /** is given what the atServer of another atSign says of its encryption key, `{ data, … }` in JSON */
  readonly onPublicKey: (atSign: AtSign, payload: string) => void | Promise<void>;
  readonly log: Log;
  readonly deadlines?: Deadlines;
}

/** In milliseconds, beside that of the connection itself. */
export interface Deadlines {
  /** for each reply on the way to being believed */
  readonly stepMs: number;
  /** for the reply to a question that has no deadline of its own */
  readonly answerMs: number;
}

const defaultDeadlines: Deadlines = { stepMs: 3_000, answerMs: 5_000 };

/** The atServers of other atSigns: as nobody in particular, or as the one of our atSign. */
export class Peers {
  readonly #directory: Options["directory"];
  readonly #pool: Options["pool"];
  readonly #prover: Prover;
  readonly #onPublicKey: Options["onPublicKey"];
  readonly #log: Log;
  readonly #deadlines: Deadlines;

  constructor({ directory, pool, prover, onPublicKey, log, deadlines = defaultDeadlines }: Options) {
    this.#directory = directory;
    this.#pool = pool;
    this.#prover = prover;
    this.#onPublicKey = onPublicKey;
    this.#log = log;
    this.#deadlines = deadlines;
  }

  /**
   * Where the atServer of an atSign is.
   *
   * @throws {ProtocolError} `at_server_not_found`, `unable_to_connect`
   */
  find(atSign: AtSign): Promise<Address> {
    return this.#directory.find(atSign);
  }

  /** As `find`, for who has reason to think that it moved: the directory is asked now. */
  findAnew(atSign: AtSign): Promise<Address> {
    this.#directory.doubt(atSign);
    return this.#directory.find(atSign);
  }

  /**
   * Asks as nobody in particular.
   *
   * @param command reads and changes nothing: it may be sent twice
   * @returns the payload of the reply, what stood behind `data:`
   * @throws {ProtocolError} what the peer answered, or why it could not be asked
   */
  ask(atSign: AtSign, command: string): Promise<string> {
    return this.#traced(atSign, command, {});
  }

  /**
   * Asks as our atSign.
   *
   * @param command may be sent twice: what it changes, it changes once
   * @throws {ProtocolError} as `ask`; `handshake` when the peer does not believe who we are
   */
  askAs(atSign: AtSign, command: string, { answerMs }: { answerMs?: number } = {}): Promise<string> {
    const manner: Manner = { name: `as ${atSign}`, prepare: (dialogue) => this.#introduce(dialogue, atSign) };
    return this.#traced(atSign, command, { manner, ...(answerMs !== undefined && { answerMs }) });
  }

  #traced(atSign: AtSign, command: string, how: How): Promise<string> {
    const [verb = ""] = command.split(":", 1);
    return traced("atserver.peer", { verb, to: atSign }, () => this.#ask(atSign, command, how));
  }

  async #ask(atSign: AtSign, command: string, how: How): Promise<string> {
    const address = await this.#directory.find(atSign);
    const line = await this.#askAt(address, command, how).catch(async (error: unknown) => {
      // It may have moved since the directory was asked.
      this.#directory.doubt(atSign);
      if (!isUnreachable(error)) throw error;
      const now = await this.#directory.find(atSign);
      if (now.host === address.host && now.port === address.port) throw error;
      return await this.#askAt(now, command, how);
    });
    return payloadOf(line);
  }

  async #askAt(address: Address, command: string, how: How): Promise<string> {
    const { manner, answerMs = this.#deadlines.answerMs } = how;
    const use = async (dialogue: Dialogue) => replyOf(await dialogue.ask(command, answerMs), address.host);
    const ask = ({ fresh }: { fresh: boolean }) =>
      this.#pool.lend(address, use, { fresh, ...(manner !== undefined && { manner }) });
    try {
      return await ask({ fresh: false });
    } catch (error) {
      if (!(error instanceof StaleConnectionError)) throw error;
      return await ask({ fresh: true });
    }
  }

  /** Its key first: one that was replaced is known before anything is encrypted for the old one. */
  async #introduce(dialogue: Dialogue, atSign: AtSign): Promise<void> {
    const { stepMs } = this.#deadlines;
    const command = lookup.format({ part: "all", name: "publickey", owner: atSign });
    const line = replyOf(await dialogue.ask(command, stepMs), atSign);
    if (line.startsWith("data:")) await this.#noted(atSign, line.slice("data:".length));
    await prove(dialogue, atSign, { ...this.#prover, stepMs });
  }

  async #noted(atSign: AtSign, payload: string): Promise<void> {
    try {
      await this.#onPublicKey(atSign, payload);
    } catch (error) {
      // What was asked for is answered all the same.
      this.#log.warn({ err: error, atSign }, "the public key of another atSign could not be noted");
    }
  }
}

interface How {
  readonly manner?: Manner;
  readonly answerMs?: number;
}

function isUnreachable(error: unknown): boolean {
  return error instanceof ProtocolError && error.error === "unable_to_connect";
}

/**
 * @throws {ProtocolError} for what is no reply: whose the next one would be is not known then; and for what is said in
 *   place of the greeting
 */
function replyOf(line: string, peer: string): string {
  if (line.startsWith("data:")) return line;
  if (!line.startsWith("error:")) throw new ProtocolError("socket", `${peer} answered what is no reply`);
  if (parseError(line).error !== "inbound_limit") return line;
  throw new ProtocolError("unable_to_connect", `${peer} has no connection free`);
}

/** An error of the peer becomes ours, and keeps its description; our own client's connection goes on. */
function payloadOf(line: string): string {
  if (line.startsWith("data:")) return line.slice("data:".length);
  const { error, message } = parseError(line);
  throw new ProtocolError(error, `Exception: ${message}`, { closes: false });
}
