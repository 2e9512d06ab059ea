import { type AtSign, ProtocolError, parseError } from "@atrium/protocol";
import type { Address } from "@atrium/runtime/config.ts";
import type { DirectoryClient } from "./directory.ts";
import { type Pool, StaleConnectionError } from "./pool.ts";

interface Options {
  readonly directory: Pick<DirectoryClient, "find" | "doubt">;
  readonly pool: Pick<Pool, "lend">;
  readonly answerMs?: number;
}

/** The atServers of other atSigns, as an unauthenticated caller sees them. */
export class Peers {
  readonly #directory: Options["directory"];
  readonly #pool: Options["pool"];
  readonly #answerMs: number;

  constructor({ directory, pool, answerMs = 5_000 }: Options) {
    this.#directory = directory;
    this.#pool = pool;
    this.#answerMs = answerMs;
  }

  /**
   * @param command reads and changes nothing: it may be sent twice
   * @returns the payload of the reply, what stood behind `data:`
   * @throws {ProtocolError} what the peer answered, or why it could not be asked
   */
  async ask(atSign: AtSign, command: string): Promise<string> {
    const address = await this.#directory.find(atSign);
    const line = await this.#askAt(address, command).catch(async (error: unknown) => {
      if (!isUnreachable(error)) throw error;
      // It may have moved since the directory was asked.
      this.#directory.doubt(atSign);
      const now = await this.#directory.find(atSign);
      if (now.host === address.host && now.port === address.port) throw error;
      return await this.#askAt(now, command);
    });
    return payloadOf(line, atSign);
  }

  async #askAt(address: Address, command: string): Promise<string> {
    const ask = (options: { fresh: boolean }) =>
      this.#pool.lend(address, (dialogue) => dialogue.ask(command, this.#answerMs), options);
    try {
      return (await ask({ fresh: false })).result;
    } catch (error) {
      if (!(error instanceof StaleConnectionError)) throw error;
      return (await ask({ fresh: true })).result;
    }
  }
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
