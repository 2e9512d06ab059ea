import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { Address } from "@atrium/runtime/config.ts";
import type { Ready } from "@atrium/runtime/lifecycle.ts";
import type { LogFile } from "./log-file.ts";

/** How a process ended: `exit code 1`, `SIGKILL`, with the last thing that it said when it failed. */
export interface Ended {
  readonly how: string;
  readonly code: number | null;
}

/** One of Atrium's services as a child process. */
export interface ServiceProcess {
  readonly pid: number | undefined;
  /** Where it listens; rejects with an Error when it ends before, or is not ready in time. */
  readonly ready: Promise<Ready["addresses"]>;
  readonly ended: Promise<Ended>;
  /** Asks it to end, and makes it end after a time; resolves when it has. */
  stop(): Promise<void>;
  /** Ends it at once. */
  kill(): void;
}

const readyTimeoutMs = 30_000;
/** Longer than the services take themselves to drain: 10 s at most. */
const stopTimeoutMs = 12_000;

/**
 * Starts a service. It has a process group of its own, so that a terminal's Ctrl-C reaches it through its supervisor only,
 * and an IPC channel, whose end tells it that its supervisor is gone.
 *
 * @param environment all that it gets of this process's environment is PATH
 */
export function startService({
  entry,
  nodeOptions = [],
  environment,
  log,
  readyMs = readyTimeoutMs,
  stopMs = stopTimeoutMs,
}: {
  entry: string;
  nodeOptions?: readonly string[];
  environment: Readonly<Record<string, string>>;
  log: LogFile;
  readyMs?: number;
  stopMs?: number;
}): ServiceProcess {
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", ...nodeOptions, entry], {
    env: { PATH: process.env.PATH ?? "", ...environment },
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    detached: true,
  });
  children.add(child);
  child.once("close", () => children.delete(child));
  let lastWords = "";
  const keep = (chunk: Buffer) => {
    log.write(chunk);
    lastWords = `${lastWords}${chunk}`.slice(-4_096);
  };
  child.stdout?.on("data", keep);
  child.stderr?.on("data", keep);

  const ended = endOf(child, () => lastWords);
  const ready = readinessOf(child, ended, readyMs);
  // Whoever needs it awaits it; the end is always reported through `ended`.
  ready.catch(() => child.kill("SIGKILL"));
  return {
    pid: child.pid,
    ready,
    ended,
    async stop() {
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), stopMs);
      await ended;
      clearTimeout(timer);
    },
    kill: () => void child.kill("SIGKILL"),
  };
}

async function endOf(child: ChildProcess, lastWords: () => string): Promise<Ended> {
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve) => {
    child.once("error", (error) => resolve([null, error.message]));
    // `close` comes when its output has been read, too.
    child.once("close", (...end) => resolve(end));
  });
  const how = signal ?? `exit code ${code}`;
  const reason = code === 0 || code === 143 ? undefined : lastFault(lastWords());
  return { how: reason === undefined ? how : `${how}: ${reason}`, code };
}

/** What a service said of its end: the last error in its log, else the error that Node wrote, else its last plain words. */
function lastFault(words: string): string | undefined {
  const lines = words.split("\n");
  const record = lines.toReversed().map(parseLine).find(isFault);
  if (record === undefined) {
    const plain = lines.filter((line) => /^\w/.test(line) && !line.startsWith("Node.js v"));
    return plain.find((line) => /^\w*Error\b/.test(line)) ?? plain.at(-1);
  }
  const { msg, err, error, fault, faults } = record;
  const details = [err?.message, describe(error), fault, ...(Array.isArray(faults) ? [faults.join(", ")] : [])];
  return [msg, ...details].filter((part) => typeof part === "string" && part !== "").join(": ");
}

/** The members that services' logs give to a fault. */
interface LogRecord {
  readonly level?: unknown;
  readonly msg?: unknown;
  readonly error?: unknown;
  readonly err?: { readonly message?: unknown };
  readonly fault?: unknown;
  readonly faults?: unknown;
}

/** An error that was logged as an object has lost its message, and kept what a failed system call says. */
function describe(error: unknown): unknown {
  if (typeof error !== "object" || error === null) return error;
  return ["syscall", "code", "address", "port"].flatMap((name) => Reflect.get(error, name) ?? []).join(" ");
}

function isFault(record: LogRecord | undefined): boolean {
  return record !== undefined && (record.level === "fatal" || record.level === "error");
}

function parseLine(line: string): LogRecord | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    return JSON.parse(line);
  } catch {
    return undefined; // the line was cut: another one may tell more
  }
}

async function readinessOf(child: ChildProcess, ended: Promise<Ended>, timeoutMs: number): Promise<Ready["addresses"]> {
  const timeout = AbortSignal.timeout(timeoutMs);
  const message = once(child, "message", { signal: timeout }).catch(() => {
    throw new Error(`was not ready within ${timeoutMs / 1000} s`);
  });
  const [first] = await Promise.race([
    message,
    ended.then(({ how }) => {
      throw new Error(how);
    }),
  ]);
  return (first as Ready).addresses;
}

export function addressOf(addresses: Readonly<Record<string, Address>>, purpose: string): Address {
  const address = addresses[purpose];
  if (address === undefined) throw new Error(`a service told no address for ${purpose}`);
  return address;
}

const children = new Set<ChildProcess>();

/** Ends every service at once. For when this process ends without having stopped them. */
export function killChildren(): void {
  for (const child of children) child.kill("SIGKILL");
}
