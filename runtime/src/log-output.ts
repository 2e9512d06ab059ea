import { writeSync } from "node:fs";

/** Where the lines of a log go. */
export interface LogOutput {
  /** @param line with its newline */
  write(line: string): void;
  /** Writes what waits, as far as it can be written now. */
  flush(): void;
}

/** So much waits, at most, for a reader that is slow; after that, lines are lost. */
const maxWaitingCharacters = 1 << 20;
const retryMs = 50;

/**
 * Writes lines to a file descriptor, those of one turn of the event loop together.
 *
 * A log must never keep a process from its work or from its end: when the reader is gone, nothing more is written. (The
 * library's own output waits for a reader that is gone, for ever, when the process exits.)
 *
 * @param write as `fs.writeSync`
 */
export function logOutput(fd: number, write: (fd: number, bytes: Uint8Array) => number = writeSync): LogOutput {
  let lines: string[] = [];
  let characters = 0;
  let rest: Uint8Array = new Uint8Array(0);
  let scheduled = false;
  let broken = false;

  const flush = () => {
    scheduled = false;
    let bytes = Buffer.concat([rest, Buffer.from(lines.join(""))]);
    lines = [];
    try {
      while (bytes.length > 0) bytes = bytes.subarray(write(fd, bytes));
    } catch (error) {
      broken = (error as NodeJS.ErrnoException).code !== "EAGAIN";
      scheduled = !broken;
      if (scheduled) setTimeout(flush, retryMs).unref();
    }
    rest = broken ? new Uint8Array(0) : bytes;
    characters = rest.length;
  };
  return {
    write(line) {
      if (broken || characters + line.length > maxWaitingCharacters) return;
      lines.push(line);
      characters += line.length;
      if (!scheduled) setImmediate(flush);
      scheduled = true;
    },
    flush() {
      if (!broken) flush();
    },
  };
}
