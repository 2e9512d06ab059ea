import { spawnSync } from "node:child_process";
import { globSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/**
 * Takes away what a cluster leaves on the machine when it was not stopped in order: its programs, the processes of its
 * containers, mounts, the bridge with its veths, the packet filter's tables, control groups, and its directory.
 *
 * What belongs to it is found by its directory and its bridge, which no other has.
 */
export function removeLeftovers({ directory, bridge }: { directory: string; bridge: string }): void {
  for (let rounds = 0; rounds < 50; rounds++) {
    const processes = processesOf(directory);
    if (processes.length === 0) break;
    for (const pid of processes) kill(pid);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
  }
  for (const mount of mountsIn(directory)) spawnSync("umount", ["-l", mount]);
  for (const veth of interfacesOn(bridge)) spawnSync("ip", ["link", "del", veth]);
  spawnSync("ip", ["link", "del", bridge], { stdio: "ignore" });
  for (const family of ["ip", "ip6"]) spawnSync("nft", ["delete", "table", family, "kube-proxy"], { stdio: "ignore" });
  removeControlGroups(directory);
  for (const link of globSync("/var/log/containers/*.log")) {
    if (targetOf(link).startsWith(`${directory}/`)) rmSync(link, { force: true });
  }
  rmSync(directory, { recursive: true, force: true });
}

/** Programs that were started with a path in this directory, and what runs in the containers that it has. */
function processesOf(directory: string): number[] {
  const found: number[] = [];
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry) || Number(entry) === process.pid) continue;
    const text = `${read(`/proc/${entry}/cmdline`)}\0${read(`/proc/${entry}/mountinfo`)}`;
    const isProgram = read(`/proc/${entry}/cmdline`).includes(`${directory}/`);
    // The root of a container is a mount of a file system whose layers lie in the directory.
    const isContainer = text.includes(`lowerdir=${directory}/`) && rootOf(entry);
    if (isProgram || isContainer) found.push(Number(entry));
  }
  return found;
}

/** Whether the process has another root than this one. */
function rootOf(pid: string): boolean {
  return read(`/proc/${pid}/mountinfo`).split("\n", 1)[0] !== read("/proc/self/mountinfo").split("\n", 1)[0];
}

function mountsIn(directory: string): string[] {
  return read("/proc/self/mounts")
    .split("\n")
    .map((line) => line.split(" ")[1] ?? "")
    .filter((path) => path.startsWith(`${directory}/`))
    .sort((a, b) => b.length - a.length);
}

function interfacesOn(bridge: string): string[] {
  return globSync(`/sys/class/net/${bridge}/brif/*`).map((path) => path.slice(dirname(path).length + 1));
}

/** @returns the path of the control group that all pods of a cluster are in, from the top of each hierarchy */
export function controlGroupOf(directory: string): string {
  return `/${basename(directory)}`;
}

/** They are empty by now. */
function removeControlGroups(directory: string): void {
  for (const top of globSync(`/sys/fs/cgroup/{,*/}${controlGroupOf(directory).slice(1)}`)) {
    for (const group of globSync("**/", { cwd: top })
      .map((path) => join(top, path))
      .sort((a, b) => b.length - a.length)) {
      spawnSync("rmdir", [group], { stdio: "ignore" });
    }
    spawnSync("rmdir", [top], { stdio: "ignore" });
  }
}

function targetOf(link: string): string {
  try {
    return readlinkSync(link);
  } catch {
    return ""; // it is none, or gone
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended meanwhile.
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
