import { type AtServerClient, dataOf } from "./atserver-client.ts";
import { AtServerHome, type AtServerProcess, atSign } from "./atserver-process.ts";
import type { Driver, Running } from "./crash.ts";
import type { Found } from "./ledger.ts";

const connections = 8;
/** What it makes for itself at its first start. */
const own: ReadonlySet<string> = new Set([
  `public:signing_publickey${atSign}`,
  `${atSign}:signing_privatekey${atSign}`,
]);

/** Drives an atServer as its owner does: over TLS, with several connections at once. */
export function atServerDriver(directory: string): Driver {
  const home = new AtServerHome({ directory });
  return { startMs: 800, spawn: () => new RunningAtServer(home.start()) };
}

class RunningAtServer implements Running {
  readonly #process: AtServerProcess;
  #clients: readonly AtServerClient[] = [];
  #writes = 0;

  constructor(process: AtServerProcess) {
    this.#process = process;
  }

  async ready(): Promise<void> {
    this.#clients = await Promise.all(Array.from({ length: connections }, () => this.#process.login()));
  }

  async write(key: string, value: string | undefined): Promise<number> {
    const client = this.#client(this.#writes++);
    const reply = await client.ask(value === undefined ? `delete:${key}` : `update:${key} ${value}`);
    return wholeNumber(dataOf(reply));
  }

  async readAll(): Promise<Found> {
    const client = this.#client(0);
    const names: string[] = JSON.parse(dataOf(await client.ask("scan")));
    const values = new Map<string, string>();
    for (const key of names.filter((name) => !own.has(name))) {
      values.set(key, dataOf(await client.ask(`llookup:${key}`)));
    }
    const [last, latest]: { value: string }[] = JSON.parse(dataOf(await client.ask("stats:3,15")));
    const entries: Record<string, [commitId: number, operation: string]> = JSON.parse(latest?.value ?? "");
    const commitIds = new Map(Object.entries(entries).flatMap(([key, [id]]) => (own.has(key) ? [] : [[key, id]])));
    return { values, commitIds, lastCommitId: wholeNumber(last?.value ?? "") };
  }

  async kill(): Promise<void> {
    await this.#process.kill();
    for (const client of this.#clients) client[Symbol.dispose]();
  }

  #client(index: number): AtServerClient {
    const client = this.#clients[index % connections];
    if (client === undefined) throw new Error("not ready");
    return client;
  }
}

function wholeNumber(text: string): number {
  if (!/^[0-9]+$/.test(text)) throw new Error(`the atServer said ${text.slice(0, 300)} where a number belongs`);
  return Number(text);
}
