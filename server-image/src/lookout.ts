import type { Store } from "./store/store.ts";

const periodMs = 5_000;

/**
 * Looks from time to time whether another process has taken the data over, which the store tells by its `stale`. Whoever
 * probes sees to that too; but who has lost its kubelet, or its supervisor, would go on beside its successor, with clients
 * that wait for notifications in vain.
 */
export function lookOut(store: Pick<Store, "check">): Disposable {
  const timer = setInterval(() => {
    try {
      store.check();
    } catch {
      // The store has told it to those who ask it to write, and to the probes.
    }
  }, periodMs).unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
