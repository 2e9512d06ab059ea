import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Log } from "@atrium/runtime/log.ts";

/**
 * The roots of the last answer, beside the data: public, and all that is remembered of an identity. A process that is
 * started again with the same settings, after the platform's CA has changed, finds no newer roots in them. Of another
 * epoch they are nothing: its settings are newer than the file.
 */
export class KnownTrust {
  readonly #file: string;
  readonly #head: string;
  readonly #log: Log;
  #pem: string;

  constructor({ directory, epoch, log }: { directory: string; epoch: number; log: Log }) {
    this.#file = join(directory, "platform-trust.pem");
    // What is outside of its blocks is no part of a PEM.
    this.#head = `epoch ${epoch}\n`;
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
      writeFileSync(temporary, this.#head + pem, { mode: 0o600 });
      renameSync(temporary, this.#file);
    } catch (error) {
      this.#log.warn({ err: error }, "the platform's roots could not be remembered");
    }
  }

  #read(): string {
    try {
      const text = readFileSync(this.#file, "utf8");
      // A machine that ended while it was written may have left it empty.
      return text.startsWith(`${this.#head}-----BEGIN CERTIFICATE-----`) ? text.slice(this.#head.length) : "";
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") {
        this.#log.warn({ err: error }, "the platform's roots that were remembered cannot be read");
      }
      return "";
    }
  }
}
