import { StoreProcess } from "../../store/store-process.ts";
import type { Driver } from "./crash.ts";
import { type RecordKeeper, textOf } from "./records.ts";

/** Drives the store of an atServer, alone in a process, without the server around it. */
export function storeDriver(directory: string): Driver<RecordKeeper> {
  let epoch = 0;
  return {
    startMs: 300,
    spawn() {
      const store = new StoreProcess();
      const own = ++epoch;
      return {
        ready: () => store.open({ directory, epoch: own }),
        write: (changes) =>
          Promise.all(
            changes.map(({ key, content }) =>
              content === undefined ? store.remove(key) : store.put(key, textOf(content)),
            ),
          ),
        kill: () => store.kill(),
        async readAll() {
          const { records, log, lastCommitId } = await store.readAll();
          return { values: new Map(records), commitIds: new Map(log), lastCommitId };
        },
      };
    },
  };
}
