import { signPkam } from "@atrium/protocol";
import { Records } from "./records.ts";

/**
 * Speaks as the Rust SDK does: each command ends in two newlines, a line is read out of a buffer whose rest is thrown
 * away, and a reply that does not begin as expected is the end.
 */
export class RustClient implements Disposable {
  readonly #records: Records;

  private constructor(records: Records) {
    this.#records = records;
  }

  static async open(
    endpoint: Parameters<typeof Records.open>[0],
    { name, pkamPrivateKey }: { name: string; pkamPrivateKey: string },
  ): Promise<RustClient> {
    const client = new RustClient(await Records.open(endpoint));
    // The greeting is read together with the first reply.
    const challenge = await client.#ask(`from:${name}`, "@data:");
    if ((await client.#ask(`pkam:${signPkam(pkamPrivateKey, challenge)}`, "data:")) !== "success") {
      throw new Error("pkam was refused");
    }
    return client;
  }

  ask(command: string): Promise<string> {
    return this.#ask(command, "data:");
  }

  [Symbol.dispose](): void {
    this.#records[Symbol.dispose]();
  }

  async #ask(command: string, start: string): Promise<string> {
    this.#records.write(`${command}\n\n`);
    let buffer = "";
    while (!buffer.includes("\n")) buffer += await this.#records.next();
    if (!buffer.startsWith(start)) throw new Error(`expected ${start}, got ${JSON.stringify(buffer)}`);
    return buffer.slice(start.length, buffer.indexOf("\n"));
  }
}
