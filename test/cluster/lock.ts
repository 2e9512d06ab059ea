import { once } from "node:events";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
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
/** In no file system: the kernel takes it back when the process ends, however that happens. */
const socket = "\0atrium-cluster";

/**
 * There is one cluster on a machine at a time: its packet filter and its addresses are the machine's. Waits for another one
 * to end; what one left that did not end in order is removed.
 *
 * @param say is told for whom it waits
 * @returns gives it back
 */
export async function lockMachine(
  mine: Holding,
  say: (progress: string) => void,
  signal?: AbortSignal,
): Promise<Disposable> {
  for (let said = 0; ; await delay(500, undefined, { signal })) {
    // Of several that find what another has left, one alone may take its place: a file cannot tell them apart.
    const server = await bound();
    const other = holder();
    if (server !== undefined && (other === undefined || !isAlive(other.pid))) {
      if (other !== undefined) {
        say(`removing what a cluster left in ${other.directory} …`);
        removeLeftovers(other);
      }
      writeFileSync(file, JSON.stringify(mine));
      return {
        [Symbol.dispose]() {
          rmSync(file, { force: true });
          server.close();
        },
      };
    }
    server?.close();
    const pid = other?.pid ?? 0;
    if (said !== pid && pid !== 0) say(`waiting for the cluster of process ${pid} (npm run cluster -- down ends it) …`);
    said = pid;
  }
}

/** @returns undefined when another process has it */
async function bound(): Promise<Server | undefined> {
  const server = createServer().unref().listen(socket);
  try {
    await once(server, "listening");
    return server;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EADDRINUSE") return undefined;
    throw error;
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

/** One that has ended, and whose parent does not want to know, is not. */
export function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}
