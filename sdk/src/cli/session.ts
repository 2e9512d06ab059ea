import type { AtSign } from "@atrium/protocol";
import { keyFileOf, readKeyFile } from "../atkeys.ts";
import { Client } from "../client.ts";
import type { ConnectOptions } from "../connect.ts";
import { findPlatform } from "../platform.ts";
import type { Progress } from "./progress.ts";

/** What the command line touches of its process. */
export interface Surroundings {
  readonly stdin: AsyncIterable<Uint8Array>;
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
  /** aborted by Ctrl-C, for what goes on until then */
  readonly interrupted: () => AbortSignal;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly currentDirectory: string;
  readonly version: string;
}

/** The options that every command has. */
export interface CommonOptions {
  readonly platform?: string;
  readonly directory?: string;
  readonly ca?: string;
  readonly keys?: string;
  /** milliseconds */
  readonly timeout: number;
  readonly json?: true;
  readonly quiet?: true;
}

/** One call of a command. */
export class Session {
  readonly stdin: AsyncIterable<Uint8Array>;
  readonly environment: Surroundings["environment"];
  readonly #surroundings: Surroundings;
  readonly #options: CommonOptions;
  readonly #progress: Progress;

  constructor(surroundings: Surroundings, options: CommonOptions, progress: Progress) {
    this.stdin = surroundings.stdin;
    this.environment = surroundings.environment;
    this.#surroundings = surroundings;
    this.#options = options;
    this.#progress = progress;
  }

  /** Aborted when the user has enough. */
  get interrupted(): AbortSignal {
    return this.#surroundings.interrupted();
  }

  /** Opens a passphrase-protected key file. */
  get passphrase(): string | undefined {
    return this.environment.ATRIUM_PASSPHRASE;
  }

  /** Tells a result: the object with --json, else the text. */
  result(object: object, text = ""): void {
    this.#surroundings.stdout.write(this.#options.json ? `${JSON.stringify(object)}\n` : text);
  }

  /** Tells something worth knowing that is no result. */
  note(text: string): void {
    if (!this.#options.json && !this.#options.quiet) this.#surroundings.stderr.write(`${text}\n`);
  }

  keyFileOf(atSign: AtSign): string {
    return this.#options.keys ?? keyFileOf(atSign, this.environment.HOME);
  }

  /** How to connect to an atSign on the platform that the user means. */
  connecting(atSign: AtSign): ConnectOptions {
    const { environment, currentDirectory } = this.#surroundings;
    return {
      atSign,
      platform: findPlatform({ ...this.#options, environment, currentDirectory }),
      timeoutMs: this.#options.timeout,
      onStep: (step) => this.#progress.begin(step),
    };
  }

  /** The owner of an atSign, logged in with the key file. */
  async client(atSign: AtSign): Promise<Client> {
    const options = this.connecting(atSign);
    const keys = await readKeyFile(atSign, this.keyFileOf(atSign), this.passphrase);
    return await Client.open({ ...options, keys });
  }
}
