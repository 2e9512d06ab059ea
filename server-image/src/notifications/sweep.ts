import type { Log } from "@atrium/runtime/log.ts";
import type { Store } from "../store/store.ts";

const periodMs = 60_000;
/** Notifications in one transaction: nobody's write waits long for it. */
const stepSize = 100;

export interface NotificationSweep extends AsyncDisposable {
  /** the last one that removed something */
  readonly last:
    | { readonly at: number; readonly durationMs: number; readonly before: number; readonly removed: number }
    | undefined;
}

/** Removes expired notifications, of which nobody is told any more, from time to time and in small steps. */
export function sweepNotifications({
  store,
  log,
  now,
  random = Math.random,
}: {
  store: Store;
  log: Log;
  now: () => number;
  random?: () => number;
}): NotificationSweep {
  let timer: NodeJS.Timeout;
  let running: Promise<void> = Promise.resolve();
  let stopped = false;
  let last: NotificationSweep["last"];
  const sweep = async () => {
    const at = now();
    const before = store.notifications.counts().reduce((sum, { count }) => sum + count, 0);
    let removed = 0;
    for (let step = stepSize; !stopped && step === stepSize; removed += step) step = await sweepStep(store, now());
    if (removed > 0) last = { at, durationMs: now() - at, before, removed };
  };
  const schedule = () => {
    timer = setTimeout(
      () => {
        running = sweep()
          .catch((error) => log.warn({ err: error }, "expired notifications not removed"))
          .then(() => {
            if (!stopped) schedule();
          });
      },
      periodMs * (1 + random() / 16),
    ).unref();
  };
  schedule();
  return {
    get last() {
      return last;
    },
    async [Symbol.asyncDispose]() {
      stopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}

/** @returns how many had expired, at most as many as one step takes */
async function sweepStep(store: Store, now: number): Promise<number> {
  const times = store.notifications.expired(now, stepSize);
  if (times.length > 0) await store.write((tx) => tx.notifications.forget(times));
  return times.length;
}
