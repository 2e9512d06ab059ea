import { spawnSync } from "node:child_process";
import { availableParallelism } from "node:os";

/** What a process does in a measurement; both sides of a comparison use the same places, one after the other. */
export type Role = "server" | "upstream" | "load";

/**
 * Gives each role processors of its own. Without this the scheduler now and then puts neighbours together, where waking
 * one another costs less, and the same figure is a third better or worse from one second to the next.
 *
 * Does nothing on a machine with fewer than 4 processors.
 */
export function place(pid: number, role: Role): void {
  const count = availableParallelism();
  if (count < 4) return;
  const processors = { server: `${count - 1}`, upstream: `${count - 2}`, load: `0-${count - 3}` }[role];
  const { status, error } = spawnSync("taskset", ["--all-tasks", "--cpu-list", "--pid", processors, String(pid)]);
  if (status !== 0) throw new Error(`taskset could not place process ${pid}: ${error?.message ?? status}`);
}

/** For the conditions of a figure. */
export const placement = availableParallelism() < 4 ? "processors shared" : "a processor for the server alone";
