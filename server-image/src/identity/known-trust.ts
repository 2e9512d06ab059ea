import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Log } from "@atrium/runtime/log.ts";

/**
 * The roots of the last answer, beside the data: public, and all that is remembered of an identity. A container that is
 * started again after the platform's CA has changed has no newer roots in its settings.
 */
export class KnownTrust {
  readonly #file: string;
  readonly #log: Log;
  #pem: string;

  constructor(directory: string, log: Log) {
    this.#file = join(directory, "platform-trust.pem");
    this.#log = log;
    this.#pem = this.#read();
  }

  /** PEM; empty when there is none */
  get pem(): string {
    return this.#pem;
  }

  /** That it cannot be written is no reason not to serve. */
  remember(pem: string): void {
    if (pem === this.#pem) return;
    this.#pem = pem;
    const temporary = `${this.#file}.new`;
    try {
      writeFileSync(temporary, pem, { mode: 0o600 });
      renameSync(temporary, this.#file);
    } catch (error) {
      this.#log.warn({ err: error }, "the platform's roots could not be remembered");
    }
  }

  #read(): string {
    try {
      const pem = readFileSync(this.#file, "utf8");
      // A machine that ended while it was written may have left it empty.
      return pem.includes("-----BEGIN CERTIFICATE-----") ? pem : "";
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") {
        this.#log.warn({ err: error }, "the platform's roots that were remembered cannot be read");
      }
      return "";
    }
  }
}
