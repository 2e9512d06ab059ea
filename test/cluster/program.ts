import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

export interface ProgramOptions {
  readonly command: string;
  readonly args: readonly string[];
  /** added to a small environment: nothing of the caller's but the path */
  readonly env?: Readonly<Record<string, string>>;
  /** file that its output goes to; appended when it is started again */
  readonly log: string;
  /** whether it does its work; asked until it says so */
  readonly ready: () => boolean | Promise<boolean>;
  readonly startDeadlineMs?: number;
  readonly stopDeadlineMs?: number;
}

/** A program that runs until it is disposed of, or this process ends. */
export interface Program extends AsyncDisposable {
  readonly pid: number;
  readonly running: boolean;
  /** SIGTERM, then SIGKILL after a deadline */
  stop(): Promise<void>;
  /** with the signal given, at once */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** SIGSTOP and SIGCONT */
  pause(): void;
  resume(): void;
}

const pollMs = 50;
/** What would outlive this process otherwise. */
const children = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of children) child.kill("SIGKILL");
});

/**
 * Starts a program and waits until it is ready.
 *
 * @throws {Error} with the end of its log
 */
export async function startProgram(options: ProgramOptions): Promise<Program> {
  const { command, args, env, log, ready, startDeadlineMs = 60_000, stopDeadlineMs = 10_000 } = options;
  const name = basename(command);
  const output = openSync(log, "a");
  const child = spawn(command, args, {
    stdio: ["ignore", output, output],
    env: { PATH: process.env.PATH, ...env },
    // A Ctrl-C on the terminal is ours to handle: the parts end in an order.
    detached: true,
  });
  closeSync(output);
  children.add(child);
  child.once("exit", () => children.delete(child));
  const gone = once(child, "exit").then(
    ([code, signal]) => `ended with ${signal ?? code}`,
    (error: Error) => `could not be started: ${error.message}`,
  );
  const over = new AbortController();
  try {
    const fault = await Promise.race([
      gone,
      becomesReady(ready, over.signal),
      delay(startDeadlineMs, `was not ready within ${startDeadlineMs / 1000} s`, { signal: over.signal, ref: false }),
    ]);
    if (fault !== undefined) throw new Error(`${name} ${fault}\n${endOf(log)}`);
  } catch (error) {
    child.kill("SIGKILL");
    throw error;
  } finally {
    over.abort();
  }
  const end = async (signal: NodeJS.Signals) => {
    if (!alive(child)) return;
    child.kill("SIGCONT");
    child.kill(signal);
    const timer = setTimeout(() => child.kill("SIGKILL"), stopDeadlineMs);
    await gone;
    clearTimeout(timer);
  };
  return {
    pid: child.pid ?? -1,
    get running() {
      return alive(child);
    },
    stop: () => end("SIGTERM"),
    kill: (signal = "SIGKILL") => end(signal),
    pause: () => void child.kill("SIGSTOP"),
    resume: () => void child.kill("SIGCONT"),
    [Symbol.asyncDispose]: () => end("SIGTERM"),
  };
}

async function becomesReady(ready: ProgramOptions["ready"], signal: AbortSignal): Promise<undefined> {
  while (!(await ready())) await delay(pollMs, undefined, { signal });
  return undefined;
}

function alive({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode === null && signalCode === null;
}

function endOf(log: string): string {
  return readFileSync(log, "utf8").split("\n").slice(-20).join("\n");
}
