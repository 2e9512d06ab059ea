import { readFileSync } from "node:fs";

/** Linux reports process times in this many ticks per second to user space, whatever the kernel's own rate (man 5 proc). */
const ticksPerSecond = 100;

/**
 * CPU time of all threads of a process, living and ended, user and system. Good to 10 ms: measure over a second and more.
 * @returns seconds
 */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  // The second field is the program's name in parentheses and may hold anything; utime and stime are fields 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/**
 * Memory that ending the process would give back: pages that no other process shares.
 * @returns bytes
 */
export function privateBytes(pid: number): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "latin1");
  let kilobytes = 0;
  for (const [, value] of rollup.matchAll(/^Private_(?:Clean|Dirty):\s+(\d+) kB$/gm)) kilobytes += Number(value);
  return kilobytes * 1_024;
}
