import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { freePort } from "./ports.ts";

/** A real Redis of its own, with its data in a directory that goes when it is disposed of. */
export interface TestRedis extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** asks it for something, on a connection that lasts as long as that */
  ask<T>(work: (redis: Redis) => Promise<T>): Promise<T>;
  /** kill -9; what it had not written to its disk is lost */
  kill(): Promise<void>;
  /** on the same port, with what is in its directory */
  start(): Promise<void>;
  /** has it write a dump and keeps that */
  keepDump(): Promise<void>;
  /** @param dump `kept` for the one of {@link keepDump}, `none` to begin empty; it must not be running */
  replaceDump(dump: "kept" | "none"): void;
  /** stops it in its tracks (SIGSTOP), as a machine that hangs; {@link resume} lets it go on */
  pause(): void;
  resume(): void;
}

interface Options {
  /** as on the command line of redis-server: `["--maxmemory", "10mb"]` */
  readonly options?: readonly string[];
  /** speaks TLS alone, with these files, and asks for no certificate of its clients */
  readonly tls?: { readonly certificateFile: string; readonly keyFile: string };
}

/**
 * Starts one on a free port of 127.0.0.1, without persistence but for the dumps that are asked for. It ends with this
 * process at the latest.
 */
export async function redis({ options = [], tls }: Options = {}): Promise<TestRedis> {
  const directory = mkdtempSync(join(tmpdir(), "atrium-redis-"));
  const instance = new Instance(directory, options, tls);
  try {
    await instance.startAnywhere();
  } catch (error) {
    rmSync(directory, { recursive: true, force: true });
    throw error;
  }
  return instance;
}

const attempts = 10;

class Instance implements TestRedis {
  port = 0;
  readonly #directory: string;
  readonly #options: readonly string[];
  readonly #tls: Options["tls"];
  readonly #endWithUs = () => this.#child?.kill("SIGKILL");
  #child: ChildProcess | undefined;

  constructor(directory: string, options: readonly string[], tls: Options["tls"]) {
    this.#directory = directory;
    this.#options = options;
    this.#tls = tls;
  }

  get url(): string {
    return `${this.#tls === undefined ? "redis" : "rediss"}://127.0.0.1:${this.port}`;
  }

  /** Redis cannot choose a port itself; one that is free now may be taken a moment later. */
  async startAnywhere(): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      this.port = await freePort();
      try {
        return await this.start();
      } catch (error) {
        if (attempt === attempts) throw error;
      }
    }
  }

  async start(): Promise<void> {
    const child = spawn(
      "redis-server",
      [
        ...(this.#tls === undefined ? ["--port", String(this.port)] : tlsOptions(this.port, this.#tls)),
        ...["--bind", "127.0.0.1", "--dir", this.#directory],
        ...["--save", "", "--appendonly", "no", "--daemonize", "no", ...this.#options],
      ],
      { stdio: ["ignore", "pipe", "pipe"] },
    );
    this.#child = child;
    process.once("exit", this.#endWithUs);
    let said = "";
    const ready = new Promise<void>((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", (code) => reject(new Error(`redis-server ended with ${code}: ${said}`)));
      child.stderr.on("data", (chunk: Buffer) => {
        said += chunk.toString();
      });
      child.stdout.on("data", (chunk: Buffer) => {
        said += chunk.toString();
        if (said.includes("Ready to accept connections")) resolve();
      });
    });
    await ready;
  }

  async ask<T>(work: (redis: Redis) => Promise<T>): Promise<T> {
    const client = new Redis({
      host: "127.0.0.1",
      port: this.port,
      protocol: 2,
      // Whom it talks to is clear here, and the certificate is for other names.
      ...(this.#tls !== undefined && { tls: { rejectUnauthorized: false } }),
    });
    try {
      return await work(client);
    } finally {
      client.disconnect();
    }
  }

  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    process.off("exit", this.#endWithUs);
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
  }

  async keepDump(): Promise<void> {
    await this.ask((client) => client.save());
    cpSync(join(this.#directory, "dump.rdb"), join(this.#directory, "kept.rdb"));
  }

  replaceDump(dump: "kept" | "none"): void {
    const current = join(this.#directory, "dump.rdb");
    if (dump === "none") rmSync(current, { force: true });
    else cpSync(join(this.#directory, "kept.rdb"), current);
  }

  pause(): void {
    this.#child?.kill("SIGSTOP");
  }

  resume(): void {
    this.#child?.kill("SIGCONT");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

function tlsOptions(port: number, { certificateFile, keyFile }: NonNullable<Options["tls"]>): string[] {
  const files = ["--tls-cert-file", certificateFile, "--tls-key-file", keyFile];
  return ["--port", "0", "--tls-port", String(port), ...files, "--tls-auth-clients", "no"];
}
