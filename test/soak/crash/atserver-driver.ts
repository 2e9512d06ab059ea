import { type AtServerClient, dataOf } from "../atserver-client.ts";
import type { AtServerHome, AtServerProcess } from "../atserver-process.ts";
import type { Network } from "../network.ts";
import type { Driver } from "./crash.ts";
import type { Found } from "./ledger.ts";
import { type Change, type RecordKeeper, textOf } from "./records.ts";

const connections = 8;
/** Its records are not of the soak. */
const soakKey = /\.soak@alice$/;

/** Drives an atServer as its owner does: over TLS, with several connections at once. */
export function atServerDriver(network: Network): Driver<RunningAtServer> {
  const home = network.home("@alice");
  return { startMs: 800, spawn: () => new RunningAtServer(network, home) };
}

export class RunningAtServer implements RecordKeeper {
  readonly process: AtServerProcess;
  readonly #network: Network;
  #clients: readonly AtServerClient[] = [];
  #writes = 0;

  constructor(network: Network, home: AtServerHome) {
    this.#network = network;
    this.process = home.start();
  }

  async ready(): Promise<void> {
    const { port } = await this.process.address("main");
    this.#network.list("@alice", port);
    this.#clients = await Promise.all(Array.from({ length: connections }, () => this.process.login()));
  }

  /** A connection of the owner's, which others use, too. */
  get owner(): AtServerClient {
    return this.#client(0);
  }

  async write(changes: readonly Change[]): Promise<number[]> {
    const client = this.#client(this.#writes++);
    const [only, ...more] = changes.map(commandOf);
    if (only === undefined) return [];
    if (more.length === 0) return [wholeNumber(dataOf(await client.ask(only)))];
    const batch = [only, ...more].map((command, id) => ({ id, command }));
    const answers: { response: { data: string } }[] = JSON.parse(
      dataOf(await client.ask(`batch:${JSON.stringify(batch)}`)),
    );
    return answers.map(({ response }) => wholeNumber(response.data));
  }

  async readAll(): Promise<Found> {
    const names: string[] = JSON.parse(dataOf(await this.owner.ask("scan")));
    const keys = names.filter((name) => soakKey.test(name));
    const replies = await Promise.all(
      keys.map((key, index) => this.#client(index).ask(`llookup:all:${key}`).then(dataOf)),
    );
    const values = new Map(replies.map((reply, index) => [keys[index] ?? "", recordText(reply)]));
    const [last, latest]: { value: string }[] = JSON.parse(dataOf(await this.owner.ask("stats:3,15")));
    const entries: Record<string, [commitId: number, operation: string]> = JSON.parse(latest?.value ?? "");
    const commitIds = new Map(
      Object.entries(entries).flatMap(([key, [id]]) => (soakKey.test(key) ? [[key, id] as const] : [])),
    );
    return { values, commitIds, lastCommitId: wholeNumber(last?.value ?? "") };
  }

  async kill(): Promise<void> {
    await this.process.kill();
    for (const client of this.#clients) client[Symbol.dispose]();
  }

  #client(index: number): AtServerClient {
    const client = this.#clients[index % connections];
    if (client === undefined) throw new Error("not ready");
    return client;
  }
}

function commandOf({ key, how, content }: Change): string {
  if (content === undefined) return `delete:${key}`;
  if (how === "meta") return `update:meta:${key}:ivNonce:${content.nonce}`;
  return `update:ivNonce:${content.nonce}:${key} ${content.value}`;
}

/** @param reply to `llookup:all` */
function recordText(reply: string): string {
  const { data, metaData } = JSON.parse(reply);
  return textOf({ version: metaData.version, nonce: metaData.ivNonce, value: data });
}

function wholeNumber(text: string): number {
  if (!/^[0-9]+$/.test(text)) throw new Error(`the atServer said ${text.slice(0, 300)} where a number belongs`);
  return Number(text);
}
