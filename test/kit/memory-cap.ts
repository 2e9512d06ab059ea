import { chmodSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** A bound on the memory of processes. The kernel kills them when they need more. */
export interface MemoryCap extends Disposable {
  /** @param file is made: a program that runs Node under this bound */
  wrapNode(file: string): string;
}

/**
 * Bounds memory by a control group, version 2 or 1. Only root can, and not in every container.
 *
 * @returns undefined where this machine does not let us; dispose of it once the processes have ended
 */
export function capMemory(bytes: number): MemoryCap | undefined {
  for (const { mount, files } of hierarchies(bytes)) {
    const group = join(mount, `atrium-test-${process.pid}-${Date.now()}`);
    if (!make(group, files)) continue;
    return {
      wrapNode(file) {
        const script = `#!/bin/sh\necho $$ > '${group}/cgroup.procs' && exec '${process.execPath}' "$@"\n`;
        writeFileSync(file, script);
        chmodSync(file, 0o700);
        return file;
      },
      [Symbol.dispose]: () => rmdirSync(group),
    };
  }
  return undefined;
}

interface Hierarchy {
  readonly mount: string;
  /** what to write where in a group */
  readonly files: Readonly<Record<string, string>>;
}

/** Where control groups of memory are, according to man 7 cgroups. */
function hierarchies(bytes: number): Hierarchy[] {
  const mounts = readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .map((line) => line.split(" "));
  return mounts.flatMap<Hierarchy>(([, mount = "", type, options = ""]) => {
    if (type === "cgroup2") return [{ mount, files: { "memory.max": String(bytes), "memory.swap.max": "0" } }];
    const isMemory = type === "cgroup" && options.split(",").includes("memory");
    return isMemory ? [{ mount, files: { "memory.limit_in_bytes": String(bytes) } }] : [];
  });
}

function make(group: string, files: Hierarchy["files"]): boolean {
  try {
    mkdirSync(group);
  } catch {
    return false;
  }
  try {
    for (const [file, value] of Object.entries(files)) writeFileSync(join(group, file), value, { flag: "r+" });
    return true;
  } catch {
    rmdirSync(group);
    return false;
  }
}
