import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { removeLeftovers } from "./leftovers.ts";

/** What a cluster has on this machine, for whoever has to clean up after it. */
export interface Holding {
  readonly pid: number;
  readonly directory: string;
  readonly bridge: string;
}

const file = join(tmpdir(), "atrium-cluster.lock");

/**
 * There is one cluster on a machine at a time: its packet filter and its addresses are the machine's. Waits for another one
 * to end; what one left that did not end in order is removed.
 *
 * @param say is told for whom it waits
 * @returns gives it back
 */
export async function lockMachine(mine: Holding, say: (progress: string) => void): Promise<Disposable> {
  for (let said = 0; ; ) {
    try {
      writeFileSync(file, JSON.stringify(mine), { flag: "wx" });
      return { [Symbol.dispose]: () => rmSync(file, { force: true }) };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    const other = holder();
    if (other === undefined || !isAlive(other.pid)) {
      if (other !== undefined) {
        say(`removing what a cluster left in ${other.directory} …`);
        removeLeftovers(other);
      }
      rmSync(file, { force: true });
    } else {
      if (said !== other.pid)
        say(`waiting for the cluster of process ${other.pid} (npm run cluster -- down ends it) …`);
      said = other.pid;
      await delay(500);
    }
  }
}

/** The cluster that runs on this machine, or was interrupted. */
export function holder(): Holding | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return undefined;
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
