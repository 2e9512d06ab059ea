import { closeSync, fstatSync, openSync, renameSync, writeSync } from "node:fs";

/** Where a service's output goes. */
export interface LogFile extends Disposable {
  write(chunk: Buffer): void;
}

/** Two files of this size are kept for each service. */
const maxBytes = 4 << 20;

/** Appends to a file; when it has grown, it becomes `<file>.1` and a new one begins. */
export function openLogFile(file: string): LogFile {
  let descriptor = openSync(file, "a", 0o600);
  let bytes = fstatSync(descriptor).size;
  return {
    write(chunk) {
      if (bytes > maxBytes) {
        closeSync(descriptor);
        renameSync(file, `${file}.1`);
        descriptor = openSync(file, "a", 0o600);
        bytes = 0;
      }
      bytes += writeSync(descriptor, chunk);
    },
    [Symbol.dispose]: () => closeSync(descriptor),
  };
}
