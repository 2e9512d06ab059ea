import { type AtSign, lookup, ProtocolError, parseError } from "@atrium/protocol";
import type { Address } from "@atrium/runtime/config.ts";
import type { Log } from "@atrium/runtime/log.ts";
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
  readonly answerMs?: number;
}

const publicKeyMs = 3_000;

/** The atServers of other atSigns: as nobody in particular, or as the one of our atSign. */
export class Peers {
  readonly #directory: Options["directory"];
  readonly #pool: Options["pool"];
  readonly #prover: Prover;
  readonly #onPublicKey: Options["onPublicKey"];
  readonly #log: Log;
  readonly #answerMs: number;

  constructor({ directory, pool, prover, onPublicKey, log, answerMs = 5_000 }: Options) {
    this.#directory = directory;
    this.#pool = pool;
    this.#prover = prover;
    this.#onPublicKey = onPublicKey;
    this.#log = log;
    this.#answerMs = answerMs;
  }

  /**
   * Where the atServer of an atSign is.
   *
   * @throws {ProtocolError} `at_server_not_found`, `unable_to_connect`
   */
  find(atSign: AtSign): Promise<Address> {
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
    return this.#ask(atSign, command, {});
  }

  /**
   * Asks as our atSign.
   *
   * @param command may be sent twice: what it changes, it changes once
   * @throws {ProtocolError} as `ask`; `handshake` when the peer does not believe who we are
   */
  askAs(atSign: AtSign, command: string, { answerMs }: { answerMs?: number } = {}): Promise<string> {
    const manner: Manner = { name: `as ${atSign}`, prepare: (dialogue) => this.#introduce(dialogue, atSign) };
    return this.#ask(atSign, command, { manner, ...(answerMs !== undefined && { answerMs }) });
  }

  async #ask(atSign: AtSign, command: string, how: How): Promise<string> {
    const address = await this.#directory.find(atSign);
    const line = await this.#askAt(address, command, how).catch(async (error: unknown) => {
      if (!isUnreachable(error)) throw error;
      // It may have moved since the directory was asked.
      this.#directory.doubt(atSign);
      const now = await this.#directory.find(atSign);
      if (now.host === address.host && now.port === address.port) throw error;
      return await this.#askAt(now, command, how);
    });
    return payloadOf(line, atSign);
  }

  async #askAt(address: Address, command: string, { manner, answerMs = this.#answerMs }: How): Promise<string> {
    const ask = ({ fresh }: { fresh: boolean }) =>
      this.#pool.lend(address, (dialogue) => dialogue.ask(command, answerMs), {
        fresh,
        ...(manner !== undefined && { manner }),
      });
    try {
      return (await ask({ fresh: false })).result;
    } catch (error) {
      if (!(error instanceof StaleConnectionError)) throw error;
      return (await ask({ fresh: true })).result;
    }
  }

  /** Its key first: one that was replaced is known before anything is encrypted for the old one. */
  async #introduce(dialogue: Dialogue, atSign: AtSign): Promise<void> {
    const command = lookup.format({ part: "all", name: "publickey", owner: atSign });
    const line = await dialogue.ask(command, publicKeyMs);
    if (line.startsWith("data:")) await this.#noted(atSign, line.slice("data:".length));
    await prove(dialogue, atSign, this.#prover);
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

/** An error of the peer becomes ours, and keeps its description; our own client's connection goes on. */
function payloadOf(line: string, atSign: AtSign): string {
  if (line.startsWith("data:")) return line.slice("data:".length);
  if (!line.startsWith("error:")) throw new ProtocolError("socket", `${atSign} answered what is no reply`);
  const { error, message } = parseError(line);
  throw new ProtocolError(error, `Exception: ${message}`, { closes: false });
}
