import {
  closeSync,
  type FSWatcher,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  watch,
  writeSync,
} from "node:fs";

/** Replaces a file as a whole: a reader sees the old content or the new one, also after a power cut. */
export function writeAtomically(file: string, content: string, mode = 0o600): void {
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    writeDurably(temporary, content, mode);
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

function writeDurably(file: string, content: string, mode: number): void {
  const descriptor = openSync(file, "w", mode);
  try {
    writeSync(descriptor, content);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** @returns undefined when there is no such file */
export function readOptional(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** Whether there is surely nothing of that name. */
export function isAbsent(file: string): boolean {
  try {
    return statSync(file, { throwIfNoEntry: false }) === undefined;
  } catch {
    return false; // it cannot be found out, for instance for want of rights
  }
}

/**
 * Tells of changes in a directory, as far as this system can: whoever needs to know looks from time to time, too.
 *
 * @returns undefined where it cannot
 */
export function watchDirectory(directory: string, onEvent: () => void): FSWatcher | undefined {
  try {
    const watcher = watch(directory, onEvent);
    watcher.on("error", () => watcher.close());
    return watcher;
  } catch {
    return undefined; // for instance too many watches on this machine
  }
}
