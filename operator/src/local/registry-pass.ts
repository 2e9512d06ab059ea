import { backoffMs } from "@atrium/runtime/backoff.ts";
import type { Log } from "@atrium/runtime/log.ts";
import type { DirectoryClient } from "../directory-client.ts";

/** Tells each directory process, once, that it has been told every name of this platform. */
export interface RegistryPass extends Disposable {
  /** @param complete whether every name has been written to this directory */
  look(directory: DirectoryClient | undefined, complete: boolean): void;
}

/** This platform has one cell. */
export const cell = "local";

const retry = { minMs: 100, maxMs: 5_000 };

export function registryPass(log: Log): RegistryPass {
  let marked: DirectoryClient | undefined;
  let current: DirectoryClient | undefined;
  let timer: NodeJS.Timeout | undefined;

  const mark = async (directory: DirectoryClient, attempt: number) => {
    if (current !== directory) return;
    try {
      const { id } = await directory.registry();
      await directory.markComplete(cell, id);
    } catch (error) {
      log.warn({ error: String(error) }, "the registry could not be marked complete");
      timer = setTimeout(() => void mark(directory, attempt + 1), backoffMs(attempt, retry));
    }
  };
  return {
    look(directory, complete) {
      current = directory;
      if (directory === undefined || directory === marked || !complete) return;
      marked = directory;
      void mark(directory, 0);
    },
    [Symbol.dispose]() {
      current = undefined;
      clearTimeout(timer);
    },
  };
}
