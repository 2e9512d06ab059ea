import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { join } from "node:path";
import type { Address } from "@atrium/runtime/config.ts";
import type { Ready } from "@atrium/runtime/lifecycle.ts";

export interface OperatorProcess extends AsyncDisposable {
  readonly child: ChildProcess;
  readonly addresses: Readonly<Record<string, Address>>;
  /** at once, as a crash does */
  kill(): Promise<void>;
}

/** Starts main.ts, and waits until it listens. @param log file that its output is appended to */
export async function operatorProcess(
  environment: Readonly<Record<string, string>>,
  log: string,
): Promise<OperatorProcess> {
  const child = fork(join(import.meta.dirname, "../../main.ts"), {
    env: environment,
    execArgv: ["--disable-warning=ExperimentalWarning"],
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  const output = createWriteStream(log, { flags: "a" });
  child.stdout?.pipe(output, { end: false });
  child.stderr?.pipe(output, { end: false });
  const ready = await Promise.race([
    once(child, "message").then(([message]) => message as Ready),
    once(child, "exit").then(([code]) => Promise.reject(new Error(`the operator ended with ${code}, see ${log}`))),
  ]);
  const end = async (signal: NodeJS.Signals) => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill(signal);
    await exited;
  };
  return {
    child,
    addresses: ready.addresses,
    kill: () => end("SIGKILL"),
    async [Symbol.asyncDispose]() {
      const late = setTimeout(() => child.kill("SIGKILL"), 10_000);
      await end("SIGTERM");
      clearTimeout(late);
      output.end();
    },
  };
}
