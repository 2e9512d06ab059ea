import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Sample } from "../figure.ts";
import { cpuSeconds } from "../meters.ts";
import { place } from "../processors.ts";
import type { Resources } from "../resources.ts";
import type { Answer, Question } from "./generator.ts";

/** What a load did against a server while it ran. */
export interface Window {
  /** requests, connections, bytes: what the kind of load counts */
  readonly operations: number;
  readonly serverCpuSeconds: number;
  readonly cores: Required<Pick<Sample, "serverCores" | "loadCores" | "loadProcesses">>;
}

const openDeadlineMs = 60_000;

/** Processes that put load on one server, all of the same kind. */
export class LoadGroup implements AsyncDisposable {
  /** how the generators see the server, in words: the cipher that was agreed upon */
  readonly description: string;
  readonly #processes: readonly ChildProcess[];

  private constructor(processes: readonly ChildProcess[], description: string) {
    this.#processes = processes;
    this.description = description;
  }

  /**
   * @param script file name in this folder
   * @param options one per process
   */
  static async open<O extends object>(resources: Resources, script: string, options: readonly O[]): Promise<LoadGroup> {
    const processes = options.map(() => start(script));
    const unopened = resources.use(new LoadGroup(processes, ""));
    const answers = await Promise.all(processes.map((process, index) => ask(process, { open: options[index] ?? {} })));
    return new LoadGroup(unopened.#processes, answers[0]?.description ?? "");
  }

  /** Puts load on the server for that long, and reads its CPU time before and after. */
  async run(serverPid: number, milliseconds: number): Promise<Window> {
    const before = { server: cpuSeconds(serverPid), load: this.#cpuSeconds(), time: performance.now() };
    const answers = await Promise.all(this.#processes.map((process) => ask(process, { runMs: milliseconds })));
    const seconds = (performance.now() - before.time) / 1_000;
    const serverCpuSeconds = cpuSeconds(serverPid) - before.server;
    return {
      operations: answers.reduce((sum, answer) => sum + (answer.operations ?? 0), 0),
      serverCpuSeconds,
      cores: {
        serverCores: serverCpuSeconds / seconds,
        loadCores: (this.#cpuSeconds() - before.load) / seconds,
        loadProcesses: this.#processes.length,
      },
    };
  }

  #cpuSeconds(): number {
    return this.#processes.reduce((sum, { pid }) => sum + cpuSeconds(pid ?? -1), 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(
      this.#processes.map(async (process) => {
        if (process.exitCode !== null || process.signalCode !== null) return;
        const exit = once(process, "exit");
        process.kill("SIGKILL");
        await exit;
      }),
    );
  }
}

function start(script: string): ChildProcess {
  const child = fork(fileURLToPath(new URL(script, import.meta.url)), {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
    execArgv: ["--disable-warning=ExperimentalWarning"],
    env: { PATH: process.env.PATH },
  });
  place(child.pid ?? -1, "load");
  return child;
}

async function ask(process: ChildProcess, question: Question): Promise<Answer> {
  const over = new AbortController();
  const deadline = AbortSignal.timeout(openDeadlineMs + ("runMs" in question ? question.runMs : 0));
  const signal = AbortSignal.any([over.signal, deadline]);
  process.send(question);
  try {
    const [answer] = (await Promise.race([
      once(process, "message", { signal }),
      once(process, "exit", { signal }).then(([code]) => Promise.reject(new Error(`a load generator ended (${code})`))),
    ])) as [Answer];
    if (answer.error !== undefined) throw new Error(`a load generator failed: ${answer.error}`);
    return answer;
  } finally {
    over.abort();
  }
}
