import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { StringDecoder } from "node:string_decoder";
import { connect, type TLSSocket } from "node:tls";
import { fileURLToPath } from "node:url";
import { cramDigest } from "@atrium/protocol";
import { App } from "../soak/app.ts";
import { Network } from "../soak/network.ts";
import { type Client, clients, grants } from "./command.ts";

/** An atServer, and a connection of each client to it. */
export interface World extends AsyncDisposable {
  readonly clients: readonly Client[];
  /** @returns the line and the prompt behind it */
  ask(client: Client, line: string): Promise<string>;
  /** Lets nothing be left of what was before. @returns the last commit id */
  clear(): Promise<number>;
  /** epoch milliseconds, of the atServer */
  now(): number;
  /** lets time pass; undefined when the clock is not ours */
  readonly advance?: (ms: number) => Promise<void>;
}

const silenceMs = 10_000;

/** Asks over a connection, and takes the prompt as a part of the reply. */
class Asking {
  readonly #socket: TLSSocket;
  #text = "";
  #waiting: PromiseWithResolvers<string> | undefined;

  constructor(socket: TLSSocket) {
    this.#socket = socket;
    const decoder = new StringDecoder("utf8");
    socket.on("data", (chunk: Buffer) => {
      this.#text += decoder.write(chunk);
      if (/\n@(?:\w+@)?$/.test(this.#text)) this.#settle();
    });
    socket.once("close", () => this.#waiting?.reject(new Error("the atServer closed the connection")));
  }

  async ask(line: string): Promise<string> {
    this.#waiting = Promise.withResolvers();
    this.#text = "";
    const timer = setTimeout(() => this.#socket.destroy(), silenceMs);
    this.#socket.write(`${line}\n`);
    try {
      return await this.#waiting.promise;
    } finally {
      clearTimeout(timer);
    }
  }

  close(): void {
    this.#socket.destroy();
  }

  #settle(): void {
    this.#waiting?.resolve(this.#text.replace("\n", ""));
    this.#waiting = undefined;
  }
}

async function clear(owner: Asking): Promise<number> {
  const payload = async (line: string): Promise<string> => {
    const reply = await owner.ask(line);
    if (!reply.startsWith("data:")) throw new Error(`${line}: ${reply}`);
    return reply.slice("data:".length).replace(/@alice@$/, "");
  };
  const keys: string[] = JSON.parse(await payload("scan:showHidden:true"));
  for (const key of keys) if (!/__manage@|__public_keys@|signing_p/.test(key)) await payload(`delete:force:${key}`);
  const received: { id: string }[] = JSON.parse(await payload("notify:list")) ?? [];
  for (const { id } of received) await payload(`notify:remove:${id}`);
  await payload("config:block:remove:@mallory @trent");
  const [last]: { value: string }[] = JSON.parse(await payload("stats:3"));
  return last?.value === "null" ? -1 : Number(last?.value);
}

/** The atServer as it is shipped, with all clients. @param directory for its data */
export async function shippedWorld(directory: string): Promise<World> {
  const network = await Network.open(directory);
  const bob = await network.imitation("@bob");
  const server = network.home("@alice").start();
  network.list("@alice", (await server.address("main")).port);
  const app = await App.enroll(server, { namespaces: grants });
  const connections = {
    owner: await server.login(),
    app: await app.connect(server),
    anonymous: await server.connect(),
    peer: await bob.connect(server),
  };
  // The greeting, and the prompt that answered the login, are read with these.
  for (const client of clients) await connections[client].ask("noop:0");
  const asking = Object.fromEntries(
    clients.map((client) => [client, new Asking(connections[client].socket)]),
  ) as Record<Client, Asking>;
  return {
    clients,
    ask: (client, line) => asking[client].ask(line),
    clear: () => clear(asking.owner),
    now: Date.now,
    async [Symbol.asyncDispose]() {
      for (const client of clients) asking[client].close();
      await server.kill();
      bob[Symbol.dispose]();
      network[Symbol.dispose]();
    },
  };
}

interface Told {
  readonly address: { readonly host: string; readonly port: number };
  readonly secret: string;
  readonly nowMs: number;
}

const clockedProgram = fileURLToPath(new URL("../../server-image/src/testing/clocked-process.ts", import.meta.url));

/** Longer than any ttb here. */
const longMs = 100_000_000;

/** The inside of an atServer, over a store in memory, with a clock that goes on when it is told to. */
export async function clockedWorld(): Promise<World> {
  const child = fork(clockedProgram, { execArgv: ["--disable-warning=ExperimentalWarning"] });
  const { address, secret, nowMs } = await told(child);
  let now = nowMs;
  const open = async () => {
    const socket = connect({ ...address, servername: "one.test", rejectUnauthorized: false });
    await once(socket, "data");
    return new Asking(socket);
  };
  const [owner, anonymous] = [await open(), await open()];
  const challenge = (await owner.ask("from:@alice")).slice("data:".length, -"@".length);
  await owner.ask(`cram:${cramDigest(secret, challenge)}`);
  const advance = async (ms: number) => {
    child.send({ advanceMs: ms });
    now = (await told(child)).nowMs;
  };
  return {
    clients: ["owner", "anonymous"],
    ask: (client, line) => (client === "owner" ? owner : anonymous).ask(line),
    async clear() {
      // So that nothing is there that is not born yet.
      await advance(longMs);
      return await clear(owner);
    },
    now: () => now,
    advance,
    async [Symbol.asyncDispose]() {
      owner.close();
      anonymous.close();
      child.kill("SIGKILL");
      await once(child, "exit");
    },
  };
}

async function told(child: ChildProcess): Promise<Told> {
  const [message] = await once(child, "message");
  return message;
}
