import { isCommitted } from "@atrium/protocol";
import type { Log } from "@atrium/runtime/log.ts";
import { hasExpired } from "./records.ts";
import type { Store } from "./store/store.ts";

const periodMs = 180_000;
/** Records in one transaction: none of a client's waits long for it. */
const stepSize = 100;

/**
 * Removes expired records, which nobody is shown any more, from time to time and in small steps. The removal is
 * committed, so that clients that sync learn of it.
 */
export function sweepExpired({
  store,
  log,
  now,
  random = Math.random,
}: {
  store: Store;
  log: Log;
  now: () => number;
  random?: () => number;
}): AsyncDisposable {
  let timer: NodeJS.Timeout;
  let running: Promise<void> = Promise.resolve();
  let stopped = false;
  const sweep = async () => {
    try {
      while (!stopped && (await sweepStep(store, now())) === stepSize);
    } catch (error) {
      log.warn({ err: error }, "expired records not removed");
    }
    if (!stopped) schedule();
  };
  const schedule = () => {
    timer = setTimeout(
      () => {
        running = sweep();
      },
      periodMs * (1 + random() / 16),
    ).unref();
  };
  schedule();
  return {
    async [Symbol.asyncDispose]() {
      stopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}

/** @returns how many had expired, at most as many as one step takes */
export async function sweepStep(store: Store, now: number): Promise<number> {
  const keys = store.expired(now, stepSize);
  if (keys.length === 0) return 0;
  await store.write((tx) => {
    for (const key of keys) {
      // It may have been written again since.
      const record = tx.get(key);
      if (record !== undefined && hasExpired(record.metadata, now)) tx.delete(key, isCommitted(key) ? "-" : null);
    }
  });
  return keys.length;
}
