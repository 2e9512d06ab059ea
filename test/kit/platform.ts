import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, watch } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = resolve(fileURLToPath(import.meta.url), "../../..");

/** What `platform.json` says. */
export interface PlatformFile {
  readonly zone: string;
  readonly directory: { readonly host: string; readonly port: number };
  readonly gateway: { readonly host: string; readonly port: number };
  readonly ca: string;
  readonly atSigns: readonly {
    readonly atSign: `@${string}`;
    readonly host: string;
    readonly port: number;
    readonly activated: boolean;
    readonly activationSecret?: string;
  }[];
}

/** A local platform of its own: real processes, free ports, its own data. */
export interface LocalPlatform extends AsyncDisposable {
  readonly child: ChildProcess;
  /** the data directory */
  readonly data: string;
  /** the platform file */
  readonly file: string;
  /** activation secrets as they were at the start, by atSign */
  readonly secrets: Readonly<Record<string, string>>;
  /** What it printed so far. */
  output(): string;
  read(): PlatformFile;
  /** Waits until the platform file says so. */
  until(holds: (platform: PlatformFile) => boolean): Promise<PlatformFile>;
  /** Waits until it printed a line that matches. */
  printed(pattern: RegExp): Promise<void>;
  /** Its services that run now: `directory`, `gateway`, and atServers by atSign. */
  services(): Record<string, number>;
  /** Sends a signal and waits for the end. @returns the exit code */
  end(signal?: NodeJS.Signals): Promise<number | null>;
}

interface Options {
  /** without it, what a first start has */
  readonly atSigns?: readonly string[];
  /** without it, a new one, which is removed at the end */
  readonly data?: string;
  /** more arguments; ports are free ones unless they are here */
  readonly args?: readonly string[];
  /** false: returns at once, whether it comes up or not */
  readonly wait?: boolean;
}

const waitMs = 30_000;

export async function startPlatform({
  atSigns = [],
  data,
  args = [],
  wait = true,
}: Options = {}): Promise<LocalPlatform> {
  const directory = data ?? mkdtempSync(join(tmpdir(), "atrium-platform-"));
  mkdirSync(directory, { recursive: true });
  const file = join(directory, "platform.json");
  // One that was killed has left it behind; the new one says when it is up by writing it.
  if (wait) rmSync(file, { force: true });
  const child = spawn(
    process.execPath,
    [
      "--disable-warning=ExperimentalWarning",
      join(root, "operator/src/local/main.ts"),
      ...["--data", directory, "--directory-port", "0", "--gateway-port", "0"],
      ...atSigns.flatMap((atSign) => ["--atsign", atSign]),
      ...args,
    ],
    // The channel ends it when the tests are killed.
    { stdio: ["ignore", "pipe", "pipe", "ipc"], env: { ...process.env, NODE_EXTRA_CA_CERTS: "" } },
  );
  let output = "";
  const keep = (chunk: Buffer) => {
    output += chunk;
    child.emit("printed");
  };
  child.stdout?.on("data", keep);
  child.stderr?.on("data", keep);
  const ended = once(child, "close");

  const read = (): PlatformFile => JSON.parse(readFileSync(file, "utf8"));
  const tryRead = (): PlatformFile | undefined =>
    readdirSync(directory).includes("platform.json") ? read() : undefined;
  const until = (holds: (platform: PlatformFile) => boolean) =>
    awaited("the platform file to change", () => {
      const now = tryRead();
      return now !== undefined && holds(now) ? now : undefined;
    });

  /** Looks again after each change of the data directory, each thing printed, and the end. */
  async function awaited<T>(what: string, look: () => T | undefined): Promise<T> {
    const { promise, resolve: found, reject } = Promise.withResolvers<T>();
    const again = () => {
      const result = look();
      if (result !== undefined) found(result);
    };
    const fail = (why: string) =>
      reject(new Error(`waited for ${what}, but ${why}\n${output}\n${lastLogs(directory)}`));
    const over = () => fail("the platform ended");
    const watcher = watch(directory, again);
    const timer = setTimeout(() => fail(`it did not come in ${waitMs / 1000} s`), waitMs);
    child.on("printed", again);
    child.once("close", over);
    try {
      again();
      return await promise;
    } finally {
      watcher.close();
      clearTimeout(timer);
      child.off("printed", again);
      child.off("close", over);
    }
  }

  const end = async (signal: NodeJS.Signals = "SIGTERM"): Promise<number | null> => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    const [code] = await ended;
    return code;
  };
  const stop = async () => {
    await end();
    if (data === undefined) rmSync(directory, { recursive: true, force: true });
  };

  let secrets: Record<string, string> = {};
  if (wait) {
    try {
      const started = await until(() => true);
      secrets = Object.fromEntries(started.atSigns.map((each) => [each.atSign, each.activationSecret ?? ""]));
    } catch (error) {
      await stop();
      throw error;
    }
  }
  return {
    child,
    data: directory,
    file,
    secrets,
    output: () => output,
    read,
    until,
    printed: (pattern) => awaited(`${pattern}`, () => (pattern.test(output) ? true : undefined)).then(() => undefined),
    services: () => servicesOf(child.pid),
    end,
    [Symbol.asyncDispose]: stop,
  };
}

/** The services that a platform started, found by their environments. */
export function servicesOf(parent: number | undefined): Record<string, number> {
  const services: Record<string, number> = {};
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry) || parentOf(entry) !== parent) continue;
    const environment = readProc(`/proc/${entry}/environ`).split("\0");
    const atSign = environment.find((variable) => variable.startsWith("ATSERVER_ATSIGN="));
    const name =
      atSign?.slice("ATSERVER_ATSIGN=".length) ??
      environment.find((each) => /^(?:DIRECTORY|GATEWAY)_LISTEN=/.test(each));
    if (name !== undefined) services[name.replace(/_LISTEN=.*/, "").toLowerCase()] = Number(entry);
  }
  return services;
}

/**
 * Resolves when a process has ended. Nobody tells others than its parent, hence the looking again.
 *
 * @throws {Error} when it still runs after a while
 */
export async function ended(pid: number): Promise<void> {
  const deadline = performance.now() + waitMs;
  while (isRunning(pid)) {
    if (performance.now() > deadline) throw new Error(`process ${pid} still runs: ${readProc(`/proc/${pid}/cmdline`)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** A process that has ended stays in the table until its parent has asked how. */
export function isRunning(pid: number): boolean {
  const state = /.*\) (\S)/s.exec(readProc(`/proc/${pid}/stat`))?.[1];
  return state !== undefined && state !== "Z" && state !== "X";
}

function parentOf(pid: string): number {
  // The command in parentheses may hold anything; the parent is the second word behind it.
  return Number(/.*\) \S (\d+)/s.exec(readProc(`/proc/${pid}/stat`))?.[1]);
}

function readProc(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ESRCH") return ""; // it ended meanwhile
    throw error;
  }
}

function lastLogs(data: string): string {
  const directory = join(data, "log");
  if (!readdirSync(data).includes("log")) return "";
  return readdirSync(directory)
    .map((name) => `--- ${name}\n${readFileSync(join(directory, name), "utf8").slice(-2_000)}`)
    .join("\n");
}
