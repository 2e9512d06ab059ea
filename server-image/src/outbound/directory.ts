import { setTimeout as wait } from "node:timers/promises";
import { type AtSign, ProtocolError } from "@atrium/protocol";
import { type Address, parseAddress } from "@atrium/runtime/config.ts";
import type { Log } from "@atrium/runtime/log.ts";
import { type Dial, directoryName } from "./dial.ts";
import { Dialogue } from "./dialogue.ts";

interface Options {
  readonly directory: Address;
  readonly dial: Dial;
  readonly log: Log;
  readonly monotonic: () => number;
  readonly random?: () => number;
}

interface Entry {
  readonly address: Address;
  readonly freshUntilMs: number;
}

const freshMs = 3_600_000;
const maxEntries = 1_000;
const answerMs = 3_000;
/** A host name and a port. */
const maxReplyBytes = 1_024;
/** Between attempts, each with up to as much again, so that many who failed together do not come back together. */
const pausesMs = [50, 100, 150, 200];

/** Where the atServers of other atSigns are; remembered for an hour, and beyond it while the directory is away. */
export class DirectoryClient {
  readonly #options: Options;
  readonly #known = new Map<AtSign, Entry>();
  readonly #asking = new Map<AtSign, Promise<Address>>();

  constructor(options: Options) {
    this.#options = options;
  }

  /**
   * @throws {ProtocolError} `at_server_not_found` when the directory says so; `unable_to_connect` when it cannot be asked
   */
  find(atSign: AtSign): Promise<Address> {
    const known = this.#known.get(atSign);
    if (known !== undefined && this.#options.monotonic() < known.freshUntilMs) return Promise.resolve(known.address);
    let asking = this.#asking.get(atSign);
    if (asking === undefined) {
      asking = this.#ask(atSign).finally(() => this.#asking.delete(atSign));
      this.#asking.set(atSign, asking);
    }
    return asking;
  }

  /** Nobody answers there: the next {@link find} asks, and falls back on what was known. */
  doubt(atSign: AtSign): void {
    const known = this.#known.get(atSign);
    if (known !== undefined) this.#known.set(atSign, { ...known, freshUntilMs: 0 });
  }

  async #ask(atSign: AtSign): Promise<Address> {
    let cause: unknown;
    for (let attempt = 0; attempt <= pausesMs.length; attempt++) {
      const pauseMs = pausesMs[attempt - 1];
      if (pauseMs !== undefined) await wait(pauseMs * (1 + (this.#options.random ?? Math.random)()));
      try {
        return this.#remember(atSign, await this.#askOnce(atSign));
      } catch (error) {
        if (error instanceof ProtocolError && error.error === "at_server_not_found") {
          this.#known.delete(atSign);
          throw error;
        }
        cause = error;
        // A directory that lets us wait so long will not be quicker the next time, and our client waits too.
        if (error instanceof ProtocolError && error.error === "timeout") break;
      }
    }
    const known = this.#known.get(atSign);
    this.#options.log.warn({ err: cause, known: known !== undefined }, "the directory does not answer");
    if (known === undefined) throw new ProtocolError("unable_to_connect", "the directory does not answer");
    return known.address;
  }

  async #askOnce(atSign: AtSign): Promise<Address> {
    const { directory, dial } = this.#options;
    const dialogue = new Dialogue(await dial(directory, [directory.host, directoryName]), "the directory", {
      maxReplyBytes,
    });
    try {
      const answer = await dialogue.ask(atSign.slice(1), answerMs);
      if (answer === "null") throw new ProtocolError("at_server_not_found", `${atSign} is not in the directory`);
      return parseAddress(answer);
    } finally {
      dialogue.close();
    }
  }

  #remember(atSign: AtSign, address: Address): Address {
    // Set anew, an entry goes last: the first one is the one that was asked for longest ago.
    this.#known.delete(atSign);
    this.#known.set(atSign, { address, freshUntilMs: this.#options.monotonic() + freshMs });
    const [oldest] = this.#known.keys();
    if (this.#known.size > maxEntries && oldest !== undefined) this.#known.delete(oldest);
    return address;
  }
}
