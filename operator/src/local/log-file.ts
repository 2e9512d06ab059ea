import { closeSync, fstatSync, openSync, renameSync, writeSync } from "node:fs";

/** Where a service's output goes. */
export interface LogFile extends Disposable {
  write(chunk: Uint8Array | string): void;
}

/** Two files of this size are kept for each service. */
const defaultMaxBytes = 4 << 20;

/**
 * Appends to a file; when it has grown, it becomes `<file>.1` and a new one begins. What cannot be written is lost: a full
 * disk must not end what only wants to tell something.
 *
 * @throws {Error} when the file cannot be opened
 */
export function openLogFile(file: string, maxBytes = defaultMaxBytes): LogFile {
  let descriptor: number | undefined = openSync(file, "a", 0o600);
  let closed = false;
  let bytes = fstatSync(descriptor).size;
  const rotate = () => {
    if (descriptor !== undefined) closeSync(descriptor);
    descriptor = undefined;
    // Before what may fail: somebody may have removed the file.
    bytes = 0;
    renameSync(file, `${file}.1`);
  };
  return {
    write(chunk) {
      if (closed) return;
      try {
        if (bytes > maxBytes) rotate();
        descriptor ??= openSync(file, "a", 0o600);
        bytes += typeof chunk === "string" ? writeSync(descriptor, chunk) : writeSync(descriptor, chunk);
      } catch {
        return; // lost, see above
      }
    },
    [Symbol.dispose]() {
      closed = true;
      if (descriptor !== undefined) closeSync(descriptor);
      descriptor = undefined;
    },
  };
}
