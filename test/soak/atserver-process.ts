import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Ready } from "@atrium/runtime/lifecycle.ts";
import { type Pair, type TestCa, testCa, writeIdentity } from "../kit/certificates.ts";
import { AtServerClient } from "./atserver-client.ts";

const program = fileURLToPath(new URL("../../server-image/src/main.ts", import.meta.url));

export const atSign = "@alice";
export const zone = "atrium.localhost";
export const secret = "5f".repeat(64);
const lastWordsBytes = 65_536;

interface Start {
  readonly epoch?: number;
  /** more options of Node */
  readonly nodeOptions?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

interface Home {
  /** of its identity and its data */
  readonly directory: string;
  readonly data?: string;
  readonly atSign?: `@${string}`;
  /** that others trust, too */
  readonly ca?: TestCa;
  /** more settings of every process */
  readonly environment?: Readonly<Record<string, string>>;
}

/** Where an atServer lives: its identity and its data, on which one process after the other is started. */
export class AtServerHome {
  readonly ca: TestCa;
  /** the directory of the identity */
  readonly identity: string;
  readonly #atSign: `@${string}`;
  readonly #data: string;
  readonly #environment: Readonly<Record<string, string>>;
  #epoch = 0;

  constructor(home: Home) {
    this.ca = home.ca ?? testCa({ permitted: [zone] });
    this.identity = join(home.directory, "identity");
    this.#atSign = home.atSign ?? atSign;
    this.#data = home.data ?? join(home.directory, "data");
    this.#environment = home.environment ?? {};
    this.renewCertificate({ activation: secret });
  }

  /** The host name that the directory gives for it. */
  get host(): string {
    return `${this.#atSign.slice(1)}.${zone}`;
  }

  /** Puts a new certificate and its key in the place of the old ones. */
  renewCertificate(more: { activation?: string } = {}): void {
    const pair = this.ca.issue({ dns: [this.host], client: true });
    writeIdentity(this.identity, { ...pair, trust: this.ca.pem, ...more });
  }

  /** Starts a process with a higher epoch than all before, unless told otherwise. */
  start({ epoch = this.#epoch + 1, nodeOptions = [], environment = {} }: Start = {}): AtServerProcess {
    this.#epoch = Math.max(this.#epoch, epoch);
    const child = fork(program, {
      execArgv: ["--disable-warning=ExperimentalWarning", ...nodeOptions],
      silent: true,
      env: {
        ATSERVER_ATSIGN: this.#atSign,
        ATSERVER_HOST: this.host,
        ATSERVER_PORT: "443",
        ATSERVER_DATA: this.#data,
        ATSERVER_EPOCH: String(epoch),
        ATSERVER_IDENTITY: pathToFileURL(this.identity).href,
        // Nobody is asked: nothing here is looked up at another atServer.
        ATSERVER_DIRECTORY: "127.0.0.1:9",
        ATSERVER_LISTEN: "127.0.0.1:0",
        ATSERVER_HEALTH_LISTEN: "127.0.0.1:0",
        ATSERVER_LOG_LEVEL: "warn",
        ...this.#environment,
        ...environment,
      },
    });
    return new AtServerProcess(child, { ca: this.ca, host: this.host, atSign: this.#atSign });
  }
}

/** What its clients know of an atServer. */
interface Known {
  readonly ca: TestCa;
  readonly host: string;
  readonly atSign: string;
}

/** The atServer as it is shipped, in a process of its own, which can be stopped and killed. */
export class AtServerProcess implements AsyncDisposable {
  /** rejects, with what it said, when it ends before it serves */
  readonly ready: Promise<Ready["addresses"]>;
  /** its exit code, or the signal that ended it, and the last of what it said */
  readonly ended: Promise<{ readonly code: number | NodeJS.Signals; readonly output: string }>;
  readonly #child: ChildProcess;
  readonly #known: Known;
  #output = "";

  constructor(child: ChildProcess, known: Known) {
    this.#child = child;
    this.#known = known;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (chunk) => {
        this.#output = `${this.#output}${chunk}`.slice(-lastWordsBytes);
      });
    }
    this.ended = once(child, "close").then(([code, signal]) => ({ code: code ?? signal, output: this.#output }));
    this.ready = Promise.race([
      once(child, "message").then(([{ addresses }]) => addresses),
      this.ended.then(({ code, output }) => Promise.reject(new Error(`the atServer ended with ${code}: ${output}`))),
    ]);
    // Not everybody who starts one waits for it.
    this.ready.catch(() => undefined);
  }

  get atSign(): string {
    return this.#known.atSign;
  }

  get host(): string {
    return this.#known.host;
  }

  /** the last of what it said, until now */
  get output(): string {
    return this.#output;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** @param name where: `main` speaks TLS, `health` HTTP */
  async address(name: "main" | "health"): Promise<{ host: string; port: number }> {
    const address = (await this.ready)[name];
    if (address === undefined) throw new Error(`the atServer does not say where its ${name} is`);
    return address;
  }

  /** @param certificate to show, as other atServers do */
  async connect(certificate?: Pair): Promise<AtServerClient> {
    const { ca, host: servername } = this.#known;
    return await AtServerClient.open({ ...(await this.address("main")), servername, ca: ca.pem, certificate });
  }

  /** A connection of the owner, who has not activated the atSign yet. */
  async login(): Promise<AtServerClient> {
    const client = await this.connect();
    await client.loginByCram(this.#known.atSign, secret);
    return client;
  }

  /** @returns status and text that its health port answers with */
  async get(path: "/livez" | "/readyz" | "/metrics"): Promise<{ status: number; text: string }> {
    const { host, port } = await this.address("health");
    const response = await fetch(`http://${host}:${port}${path}`, { signal: AbortSignal.timeout(10_000) });
    return { status: response.status, text: await response.text() };
  }

  stop(): void {
    this.#child.kill("SIGSTOP");
  }

  continue(): void {
    this.#child.kill("SIGCONT");
  }

  /** Ends it without giving it a chance to tidy up. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}
