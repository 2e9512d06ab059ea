import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Address } from "@atrium/runtime/config.ts";
import type { Ready } from "@atrium/runtime/lifecycle.ts";
import type { TlsDirectory } from "./tls-directory.ts";

export interface DirectoryProcess extends AsyncDisposable {
  readonly child: ChildProcess;
  readonly main: Address;
  readonly admin: Address;
  readonly health: Address;
  /** standard output so far */
  readonly log: () => string;
}

/** Starts main.ts as a supervisor does, and waits until it listens. */
export async function directoryProcess(
  tls: TlsDirectory,
  environment: Readonly<Record<string, string>>,
): Promise<DirectoryProcess> {
  const child = fork(join(import.meta.dirname, "../main.ts"), {
    env: {
      DIRECTORY_LISTEN: "127.0.0.1:0",
      DIRECTORY_ADMIN_LISTEN: "127.0.0.1:0",
      DIRECTORY_HEALTH_LISTEN: "127.0.0.1:0",
      DIRECTORY_TLS: tls.path,
      DIRECTORY_ADMIN_CA: tls.caFile,
      DIRECTORY_REGISTRY: "memory:",
      DIRECTORY_CELLS: "local",
      ...environment,
    },
    execArgv: ["--disable-warning=ExperimentalWarning"],
    stdio: ["ignore", "pipe", "inherit", "ipc"],
  });
  let log = "";
  child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
    log += chunk;
  });
  const ready = await Promise.race([
    once(child, "message").then(([message]) => message as Ready),
    once(child, "exit").then(([code]) => Promise.reject(new Error(`the directory ended with ${code}: ${log}`))),
  ]);
  const { main, admin, health } = ready.addresses;
  if (main === undefined || admin === undefined || health === undefined) throw new Error("not all addresses announced");
  return {
    child,
    main,
    admin,
    health,
    log: () => log,
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
    },
  };
}
