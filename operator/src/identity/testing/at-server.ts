import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect, type TLSSocket } from "node:tls";
import { cramDigest } from "@atrium/protocol";
import { type Address, formatAddress } from "@atrium/runtime/config.ts";
import type { Ready } from "@atrium/runtime/lifecycle.ts";
import { programOf } from "../../local/services.ts";
import { epoch } from "./tenant.ts";

interface Told {
  /** for data, token and exit report; stays when it ends */
  readonly directory: string;
  readonly name: string;
  readonly host: string;
  readonly identity: Address;
  /** PEM */
  readonly platformCa: string;
  readonly token: string;
}

/** The atServer as a pod of Kubernetes would run it: told where its identity comes from, and given a token. */
export class AtServerProcess {
  readonly ready: Promise<Ready>;
  /** the exit code */
  readonly ended: Promise<number | null>;
  readonly #child: ChildProcess;
  readonly #told: Told;
  #output = "";

  constructor(told: Told) {
    const { directory, name, host, identity, platformCa, token } = told;
    this.#told = told;
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, "token"), token);
    this.#child = fork(programOf("server-image"), {
      silent: true,
      execArgv: ["--disable-warning=ExperimentalWarning"],
      env: {
        ATSERVER_ATSIGN: `@${name}`,
        ATSERVER_HOST: host,
        ATSERVER_PORT: "443",
        ATSERVER_DATA: join(directory, "data"),
        ATSERVER_EPOCH: String(epoch),
        ATSERVER_IDENTITY: `https://${formatAddress(identity)}`,
        ATSERVER_IDENTITY_TOKEN: join(directory, "token"),
        ATSERVER_PLATFORM_CA: platformCa,
        ATSERVER_DIRECTORY: "127.0.0.1:9",
        ATSERVER_LISTEN: "127.0.0.1:0",
        ATSERVER_HEALTH_LISTEN: "127.0.0.1:0",
        ATSERVER_EXIT_REPORT: join(directory, "exit"),
      },
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on("data", (data) => {
        this.#output += data;
      });
    }
    this.ended = once(this.#child, "close").then(([code]) => code);
    const failed = this.ended.then((code) => Promise.reject(new Error(`ended with ${code}: ${this.#output}`)));
    failed.catch(() => undefined);
    this.ready = Promise.race([once(this.#child, "message").then(([message]) => message as Ready), failed]);
    this.ready.catch(() => undefined);
  }

  get output(): string {
    return this.#output;
  }

  get exitReport(): unknown {
    return JSON.parse(readFileSync(join(this.#told.directory, "exit"), "utf8"));
  }

  /** @param trust PEM bundle. @returns a connection that was greeted */
  async connect(trust: string): Promise<TLSSocket> {
    const { main } = (await this.ready).addresses;
    if (main === undefined) throw new Error("it does not say where it listens");
    const socket = connect({ ...main, ca: trust, servername: this.#told.host });
    socket.on("error", () => undefined);
    const [greeting] = await Promise.race([
      once(socket, "data"),
      once(socket, "close").then(() => Promise.reject(new Error("not trusted, or closed"))),
    ]);
    if (String(greeting) !== "@") throw new Error(`greeted with ${greeting}`);
    return socket;
  }

  async login(socket: TLSSocket, secret: string): Promise<string> {
    const challenge = /^data:(\S+)/.exec(await say(socket, `from:@${this.#told.name}`))?.[1] ?? "";
    return await say(socket, `cram:${cramDigest(secret, challenge)}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.ended;
  }
}

/** @returns the reply */
export async function say(socket: TLSSocket, line: string): Promise<string> {
  const replied = once(socket, "data", { signal: AbortSignal.timeout(10_000) });
  socket.write(`${line}\n`);
  return String((await replied)[0]);
}
