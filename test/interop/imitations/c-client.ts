import { signPkam } from "@atrium/protocol";
import { Records } from "./records.ts";

interface Options {
  readonly directory: { readonly host: string; readonly port: number };
  readonly ca: string;
  /** without `@` */
  readonly name: string;
  /** base64 of PKCS#8 */
  readonly pkamPrivateKey: string;
}

/** The buffers of the C SDK, in bytes, by what is asked. */
const buffers = { blank: 256, from: 1024, pkam: 1024, update: 256, noop: 64, notify: 64, lookup: 4096 } as const;

/**
 * Speaks as the C SDK does: lines end in `\r\n`, a blank line comes first and must be answered, a reply is one TLS record
 * up to its last newline, and what does not fit into its buffer is lost.
 */
export class CClient implements Disposable {
  readonly #records: Records;
  readonly #name: string;

  private constructor(records: Records, name: string) {
    this.#records = records;
    this.#name = name;
  }

  static async open({ directory, ca, name, pkamPrivateKey }: Options): Promise<CClient> {
    const address = await lookUp({ ...directory, ca }, name);
    const client = new CClient(await Records.open({ ...address, ca }), name);
    await client.#greeted();
    const reply = await client.ask(`from:${name}`, buffers.from);
    if (!reply.startsWith("data:")) throw new Error(`from: ${reply}`);
    const signature = signPkam(pkamPrivateKey, reply.slice("data:".length));
    const login = await client.ask(`pkam:${signature}`, buffers.pkam);
    if (!login.startsWith("data:success")) throw new Error(`pkam: ${login}`);
    return client;
  }

  /** @returns what stands before the last newline of the one record that is read */
  async ask(command: string, buffer: number = buffers.lookup): Promise<string> {
    this.#records.write(`${command}\r\n`);
    return withoutPrompt(await this.#records.next(buffer));
  }

  update(key: string, value: string): Promise<string> {
    return this.ask(`update:ivNonce:MTIzNDU2Nzg5MDEyMzQ1Ng==:${key}@${this.#name} ${value}`, buffers.update);
  }

  notify(to: string, key: string, value: string): Promise<string> {
    const command = `notify:update:ivNonce:MTIzNDU2Nzg5MDEyMzQ1Ng==:@${to}:${key}@${this.#name}:${value}`;
    return this.ask(command, buffers.notify);
  }

  /** `is_connected` of the SDK. */
  async isConnected(): Promise<boolean> {
    return (await this.ask("noop:0", buffers.noop)) === "data:ok";
  }

  monitor(): void {
    this.#records.write("monitor .*\r\n");
  }

  /** The next thing that a monitor reads: a notification, or `data:ok`; anything else is what the SDK cannot use. */
  async nextOfMonitor(): Promise<string> {
    return (await this.#records.next()).trimEnd();
  }

  get unread(): string {
    return this.#records.unread;
  }

  [Symbol.dispose](): void {
    this.#records[Symbol.dispose]();
  }

  async #greeted(): Promise<void> {
    if ((await this.#records.next()) !== "@") throw new Error("no greeting");
    // Whatever comes shows that somebody is there.
    const answer = await this.ask("", buffers.blank);
    if (answer === "") throw new Error("the blank line was not answered");
  }
}

/** As the SDK asks a directory: the same greeting, then the name, one record read. */
async function lookUp(
  directory: { host: string; port: number; ca: string },
  name: string,
): Promise<{ host: string; port: number }> {
  using records = await Records.open(directory);
  if ((await records.next()) !== "@") throw new Error("no greeting from the directory");
  records.write("\r\n");
  await records.next(buffers.blank);
  records.write(`${name}\r\n`);
  const [host = "", port = ""] = withoutPrompt(await records.next(buffers.from)).split(":");
  if (host === "" || host.includes("@") || !/^\d+$/.test(port)) throw new Error(`no address: ${host}:${port}`);
  return { host, port: Number(port) };
}

function withoutPrompt(record: string): string {
  const end = record.lastIndexOf("\n");
  return end === -1 ? record : record.slice(0, end).replace(/\r$/, "");
}
