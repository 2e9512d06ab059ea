import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { privateBytes } from "../../bench/meters.ts";
import { App } from "../app.ts";
import type { AtServerClient } from "../atserver-client.ts";
import type { AtServerProcess } from "../atserver-process.ts";
import { type Imitation, Network } from "../network.ts";
import { type Conversation, piecesOf, type State } from "./conversation.ts";
import { faultOf } from "./transcript.ts";

/** How the image starts Node, as far as memory goes. */
const asInTheImage = {
  nodeOptions: ["--single-threaded", "--max-semi-space-size=1", "--expose-gc"],
  environment: { MALLOC_ARENA_MAX: "1", MALLOC_TRIM_THRESHOLD_: "65536" },
};
/** All commands of a conversation together take less. */
const patienceMs = 10_000;
/** Of the reply to the last line. */
const maxReplyBytes = 400;

/** An atServer that is spoken to, in any state a connection may have; started anew after it ended. */
export class Target implements AsyncDisposable {
  readonly #network: Network;
  readonly #peer: Imitation;
  readonly #root: string;
  #running: Promise<AtServerProcess> | undefined;
  #app: Promise<App> | undefined;
  #marks = 0;
  /** what it logged is looked at once */
  #seen = "";

  /** @param root where its data is */
  static async open(root: string): Promise<Target> {
    const network = await Network.open(root);
    return new Target(root, network, await network.imitation("@bob"));
  }

  private constructor(root: string, network: Network, peer: Imitation) {
    this.#root = root;
    this.#network = network;
    this.#peer = peer;
  }

  async privateBytes(): Promise<number> {
    return privateBytes((await this.#start()).pid);
  }

  /** @returns what was wrong with what came back; undefined when nothing was */
  async hold(conversation: Conversation): Promise<string | undefined> {
    const server = await this.#start();
    const { state } = conversation;
    using client = await within(patienceMs, `to connect as ${state}`, this.#connect(state));
    const fault = await this.#speak(client, conversation);
    const ended = await Promise.race([server.ended, client.socket.readyState === "open" ? undefined : delay(0)]);
    if (ended !== undefined) {
      this.#running = undefined;
      return `the atServer ended with ${ended.code}: ${ended.output.slice(-3_000)}`;
    }
    return fault ?? this.#complaint(server);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await (await this.#running)?.kill();
    this.#peer[Symbol.dispose]();
    this.#network[Symbol.dispose]();
  }

  #start(): Promise<AtServerProcess> {
    this.#running ??= this.#startAnew();
    return this.#running;
  }

  async #startAnew(): Promise<AtServerProcess> {
    const home = this.#network.home("@alice", mkdtempSync(join(this.#root, "alice-")));
    const server = home.start(asInTheImage);
    this.#network.list("@alice", (await server.address("main")).port);
    this.#seen = "";
    this.#app = undefined;
    return server;
  }

  async #connect(state: State): Promise<AtServerClient> {
    const server = await this.#start();
    if (state === "anonymous") return await server.connect();
    if (state === "owner") return await server.login();
    if (state === "peer") return await this.#peer.connect(server);
    // Of a name that the fuzzer does not say: who activates an app again loses the one before.
    this.#app ??= App.enroll(server, { appName: "fuzzer", namespaces: { ns: "rw", wavi: "r" } });
    return await (await this.#app).connect(server);
  }

  async #speak(client: AtServerClient, conversation: Conversation): Promise<string | undefined> {
    const { socket } = client;
    const mark = `mark${++this.#marks}x`;
    const chunks: Buffer[] = [];
    const over = Promise.withResolvers<boolean>();
    const lastReply = new RegExp(`${mark}.*\n`);
    let end = "";
    socket.on("data", (chunk: Buffer) => {
      chunks.push(chunk);
      end += chunk.toString("latin1");
      // What is pushed may follow it.
      if (lastReply.test(end)) over.resolve(false);
      end = end.slice(-maxReplyBytes);
    });
    socket.once("close", () => over.resolve(true));
    for (const piece of piecesOf(conversation)) socket.write(piece);
    if (conversation.hangsUp) {
      socket.destroy();
      return undefined;
    }
    socket.write(`lookup:${mark}@alice\n`);
    const closed = await Promise.race([over.promise, delay(patienceMs, false, { ref: false })]);
    return faultOf({ bytes: Buffer.concat(chunks), closed }, conversation, mark);
  }

  /** @returns what the atServer logged as a fault of its own */
  #complaint(server: AtServerProcess): string | undefined {
    const { output } = server;
    if (output === this.#seen) return undefined;
    const line = output
      .split("\n")
      .find((each) => /"level":"(?:error|fatal)"/.test(each) && !this.#seen.includes(each));
    this.#seen = output;
    return line === undefined ? undefined : `the atServer logged ${line}`;
  }
}

async function within<T>(ms: number, what: string, promise: Promise<T>): Promise<T> {
  const late = delay(ms, undefined, { ref: false }).then(() => Promise.reject(new Error(`it took ${ms} ms ${what}`)));
  late.catch(() => undefined);
  return await Promise.race([promise, late]);
}
