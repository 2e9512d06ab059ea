import type { Address } from "./config.ts";

/** What a process tells its supervisor, over Node's IPC channel when it has one, once it listens. */
export interface Ready {
  readonly type: "ready";
  /** where it really listens, by purpose (`main`, `health` …): settings may ask for port 0 */
  readonly addresses: Readonly<Record<string, Address>>;
}

/** Tells the supervisor, if there is one, where this process listens. */
export function announce(addresses: Ready["addresses"]): void {
  process.send?.({ type: "ready", addresses } satisfies Ready);
}

/** Why a process was asked to end. */
export type End = "SIGTERM" | "SIGINT" | "SIGHUP" | "supervisor gone";

/**
 * Waits until this process shall end: a signal, or the end of the supervisor that started it with an IPC channel (so
 * that nothing is left running when a supervisor is killed). A second signal ends the process at once.
 */
export function terminated(): Promise<End> {
  return new Promise((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
      let seen = false;
      process.on(signal, () => {
        if (seen) process.exit(exitCode(signal));
        seen = true;
        resolve(signal);
      });
    }
    if (process.channel !== undefined) {
      process.once("disconnect", () => resolve("supervisor gone"));
      // The channel is no reason to live on, once everything else has ended.
      process.channel.unref();
    }
  });
}

/** The exit code by which shells and kubelets know that a signal ended a process. */
export function exitCode(end: End): number {
  return { SIGHUP: 129, SIGINT: 130, SIGTERM: 143, "supervisor gone": 143 }[end];
}
