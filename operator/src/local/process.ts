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
  environment,
  log,
  readyMs = readyTimeoutMs,
}: {
  entry: string;
  environment: Readonly<Record<string, string>>;
  log: LogFile;
  readyMs?: number;
}): ServiceProcess {
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", entry], {
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
      const timer = setTimeout(() => child.kill("SIGKILL"), stopTimeoutMs);
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

/** The last error that a service logged, as one line. */
function lastFault(words: string): string | undefined {
  const lines = words.split("\n").filter((line) => line.trim() !== "");
  for (const line of lines.toReversed()) {
    if (!line.startsWith("{")) return line;
    const record = parseLine(line);
    if (record !== undefined && /^(?:fatal|error)$/.test(String(record.level))) {
      return [record.msg, record.err?.message ?? record.error].filter((part) => typeof part === "string").join(": ");
    }
  }
  return undefined;
}

function parseLine(
  line: string,
): { level?: unknown; msg?: unknown; error?: unknown; err?: { message?: unknown } } | undefined {
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
