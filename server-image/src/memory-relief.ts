import { getHeapStatistics } from "node:v8";

/** How long nothing must have happened. */
const quietMs = 10_000;
/** After the start, when what only the start needed can go. */
const startedMs = 1_000;
/** A single command or reply of so many bytes is collected before the next turn of the event loop, thoroughly. */
const largeBytes = 4_194_304;
/** Of all together, at once and quickly: a collection for less would cost more than it gives. */
const urgentBytes = 8_388_608;

/** Less is not worth a collection. */
const leastBytes = 1_048_576;

/** How often, in commands, to see how much the heap has grown since it was collected, and how much it may. */
const commandsPerLook = 1_024;
const grownBytes = 8_388_608;

type Collect = (options: { type: "major"; execution: "sync"; flavor: "last-resort" | "regular" }) => void;

export interface MemoryRelief extends Disposable {
  /** So much was used for one command or reply that is not small, and is no longer. */
  used(bytes: number): void;
  /** A command was answered. Small ones leave little, but clients that do not read can send very many. */
  answered(): void;
  /** A command takes long: to match names with some expressions leaves a hundred megabytes in seconds. */
  working(): void;
  /** Much is about to be used: what is left of what came before shall not be in memory beside it. */
  makeRoom(): void;
}

/**
 * Gives memory back to the machine when the work is done: V8 alone keeps what it once needed, and lets garbage pile up
 * for as long as the machine, not our share of it, has room. Without `--expose-gc` this does nothing.
 *
 * @param work grows with each command; a stand-still means quiet
 * @param collect takes some 10 ms, in which nothing else runs
 */
export function relieveMemory(
  work: () => number,
  collect: Collect | undefined = (globalThis as { gc?: Collect }).gc,
  heapBytes = () => getHeapStatistics().used_heap_size,
): MemoryRelief {
  if (collect === undefined)
    return {
      used: () => undefined,
      answered: () => undefined,
      working: () => undefined,
      makeRoom: () => undefined,
      [Symbol.dispose]: () => undefined,
    };
  const lookAtGrowth = () => {
    if (heapBytes() - liveBytes > grownBytes) now("regular");
  };
  const now = (flavor: "last-resort" | "regular") => {
    clearImmediate(collecting);
    collecting = undefined;
    bytesUsed = 0;
    collect({ type: "major", execution: "sync", flavor });
    liveBytes = heapBytes();
  };
  let collectedAt = -1;
  let seen = work();
  let bytesUsed = 0;
  let commands = 0;
  let liveBytes = heapBytes();
  let collecting: NodeJS.Immediate | undefined;
  const look = () => {
    const done = work();
    if (done === seen && done !== collectedAt) {
      now("last-resort");
      collectedAt = done;
    }
    seen = done;
    timer = setTimeout(look, quietMs).unref();
  };
  let timer = setTimeout(look, startedMs).unref();
  return {
    used(bytes) {
      bytesUsed += bytes;
      if (bytesUsed >= urgentBytes) now("regular");
      else if (bytes >= largeBytes) collecting ??= setImmediate(now, "last-resort");
    },
    answered() {
      if (++commands % commandsPerLook === 0) lookAtGrowth();
    },
    working: lookAtGrowth,
    makeRoom() {
      if (bytesUsed >= leastBytes) now("last-resort");
    },
    [Symbol.dispose]() {
      clearTimeout(timer);
      clearImmediate(collecting);
    },
  };
}
