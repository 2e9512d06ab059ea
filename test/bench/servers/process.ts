import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { Address } from "@atrium/runtime/config.ts";
import type { Ready } from "@atrium/runtime/lifecycle.ts";
import { place, type Role } from "../processors.ts";

/** A server under measurement, or a helper of one. Disposed of, it is asked to end, and made to after 5 s. */
export interface Running extends AsyncDisposable {
  readonly pid: number;
}

interface Command {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly role?: Role;
}

const startDeadlineMs = 15_000;

/** A program of Debian's, which is there once its port accepts. @throws {Error} with the last of its output */
export async function startPeer(command: Command, port: number): Promise<Running> {
  const process = launch(command, ["ignore", "pipe", "pipe"]);
  return starting(process, command, async (signal) => {
    while (!(await accepts(port))) await delay(50, undefined, { signal });
  });
}

/** A program of ours, which tells over IPC where it listens. @throws {Error} with the last of its output */
export async function startOurs(command: Command): Promise<Running & { readonly addresses: Ready["addresses"] }> {
  const process = launch(command, ["ignore", "pipe", "pipe", "ipc"]);
  let addresses: Ready["addresses"] = {};
  const running = await starting(process, command, async (signal) => {
    const [message] = (await once(process, "message", { signal })) as [Ready];
    addresses = message.addresses;
  });
  return { ...running, addresses };
}

export function addressOf(addresses: Ready["addresses"], purpose: string): Address {
  const address = addresses[purpose];
  if (address === undefined) throw new Error(`the server announced no ${purpose} address`);
  return address;
}

function launch({ command, args, env }: Command, stdio: StdioOptions): ChildProcess {
  // A small environment of its own: variables of the caller (NODE_EXTRA_CA_CERTS, NODE_OPTIONS …) cost memory or time.
  return spawn(command, args, { stdio, env: { PATH: globalThis.process.env.PATH, ...env } });
}

async function starting(
  process: ChildProcess,
  { name, role = "server" }: Command,
  ready: (signal: AbortSignal) => Promise<void>,
): Promise<Running> {
  const output = lastOutput(process);
  const over = new AbortController();
  const ended = new Promise<never>((_, reject) => {
    const fail = (reason: string) => reject(new Error(`${name} ${reason}\n${output()}`));
    process.once("error", (error) => fail(`could not be started: ${error.message}`));
    process.once("exit", (code, signal) => fail(`ended at its start (${signal ?? code})`));
    AbortSignal.timeout(startDeadlineMs).addEventListener("abort", () => fail("was not ready in time"));
  });
  try {
    await Promise.race([ready(over.signal), ended]);
  } catch (error) {
    process.kill("SIGKILL");
    throw error;
  } finally {
    over.abort();
    ended.catch(() => undefined); // after the start its rejection is nobody's: the figure itself notices a dead server
  }
  const { pid = -1 } = process;
  place(pid, role);
  return { pid, [Symbol.asyncDispose]: () => end(process) };
}

/** The last 4 KB that it wrote, for the error; the rest is dropped so that its pipe never fills. */
function lastOutput(process: ChildProcess): () => string {
  let tail = "";
  for (const stream of [process.stdout, process.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => {
      tail = (tail + text).slice(-4_096);
    });
  }
  return () => tail;
}

async function end(process: ChildProcess): Promise<void> {
  if (process.exitCode !== null || process.signalCode !== null) return;
  const exit = once(process, "exit");
  process.kill("SIGTERM");
  const forced = setTimeout(() => process.kill("SIGKILL"), 5_000);
  await exit;
  clearTimeout(forced);
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1" });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

/** A port that is free now, for programs that cannot choose one themselves. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("a TCP server without a port");
  return address.port;
}
