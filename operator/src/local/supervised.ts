import { backoffMs } from "@atrium/runtime/backoff.ts";
import type { Address } from "@atrium/runtime/config.ts";
import { openLogFile } from "./log-file.ts";
import { type ServiceProcess, startService } from "./process.ts";

/** A service of the platform that is always to run. */
export interface Supervised extends AsyncDisposable {
  /** where it listens, by purpose; of the last process that was ready */
  readonly addresses: Readonly<Record<string, Address>>;
  /** Asks it to end for good; resolves when it has. May be called again. */
  end(): Promise<void>;
}

interface Options {
  readonly name: string;
  /** the program, a file */
  readonly entry: string;
  readonly logDirectory: string;
  /** is asked at each start, with where it listened before: clients know that place */
  readonly environment: (before: Readonly<Record<string, Address>>) => Readonly<Record<string, string>>;
  /** each time that it became ready again; the first time is told by the promise */
  readonly onUp: (addresses: Readonly<Record<string, Address>>) => void;
  /** each time that it ended, or a new start failed */
  readonly onDown: (how: string) => void;
}

const restart = { minMs: 100, maxMs: 10_000 };
/** A service that ran so long is taken to be well: its earlier ends do not count. */
const healthyMs = 30_000;

/**
 * Starts a service, and again with back-off whenever it ends.
 *
 * @throws {Error} when the first start fails
 */
export async function supervise(options: Options): Promise<Supervised> {
  const supervisor = new Supervisor(options);
  try {
    await supervisor.start();
  } catch (error) {
    await supervisor.end();
    throw error;
  }
  return supervisor;
}

class Supervisor implements Supervised {
  readonly #options: Options;
  readonly #log;
  addresses: Readonly<Record<string, Address>> = {};
  #process: ServiceProcess | undefined;
  #timer: NodeJS.Timeout | undefined;
  #failures = 0;
  #ending: Promise<void> | undefined;

  constructor(options: Options) {
    this.#options = options;
    this.#log = openLogFile(`${options.logDirectory}/${options.name}.log`);
  }

  /** @throws {Error} when it is not ready; it has ended then, or is made to */
  async start(): Promise<void> {
    const { entry, environment } = this.#options;
    const startedAt = performance.now();
    const process = startService({ entry, environment: environment(this.addresses), log: this.#log });
    this.#process = process;
    this.addresses = await process.ready;
    void process.ended.then(({ how }) => {
      if (performance.now() - startedAt > healthyMs) this.#failures = 0;
      this.#failed(how);
    });
  }

  end(): Promise<void> {
    this.#ending ??= this.#end();
    return this.#ending;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.end();
  }

  async #end(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#process?.stop();
    this.#log[Symbol.dispose]();
  }

  #failed(how: string): void {
    if (this.#ending !== undefined) return;
    this.#options.onDown(how);
    this.#timer = setTimeout(() => void this.#startAgain(), backoffMs(this.#failures, restart));
    this.#failures += 1;
  }

  async #startAgain(): Promise<void> {
    try {
      await this.start();
    } catch (error) {
      this.#failed(error instanceof Error ? error.message : String(error));
      return;
    }
    if (this.#ending === undefined) this.#options.onUp(this.addresses);
  }
}
