import { type MonitorParams, monitor, noop } from "@atrium/protocol";
import type { Connection } from "./connection.ts";
import { ClientError } from "./errors.ts";
import { type Notification, parseNotification } from "./notification.ts";

/** How often the connection is tried: an atServer that is gone without a word is noticed within the double. */
const heartbeatMs = 20_000;
/** Notifications that wait for whoever reads them; then the atServer has to wait. */
const maxWaiting = 100;

/** The notifications that one connection brings, and its lines of statistics; ends with the error that ends the connection. */
export async function* notifications(
  connection: Connection,
  params: MonitorParams,
  signal: AbortSignal,
): AsyncGenerator<Notification> {
  const waiting: Notification[] = [];
  let failure: ClientError | undefined;
  let wake = Promise.withResolvers<void>();
  const failed = (error: ClientError) => {
    failure ??= error;
    wake.resolve();
  };
  signal.addEventListener("abort", () => wake.resolve(), { once: true });
  await connection.listen(monitor.format(params), {
    line(text) {
      try {
        waiting.push(parseNotification(text));
      } catch (error) {
        if (!(error instanceof ClientError)) throw error;
        failed(error);
      }
      if (waiting.length >= maxWaiting) connection.flowing = false;
      wake.resolve();
    },
    failed,
  });
  using _heart = heartbeat(connection, () => waiting.length < maxWaiting);
  while (!signal.aborted) {
    const next = waiting.shift();
    if (next !== undefined) {
      if (waiting.length === 0) connection.flowing = true;
      yield next;
    } else if (failure !== undefined) throw failure;
    else {
      await wake.promise;
      wake = Promise.withResolvers<void>();
    }
  }
}

/** Asks now and then whether the other side is there; its silence fails the connection. */
function heartbeat(connection: Connection, flowing: () => boolean): Disposable {
  const timer = setInterval(() => {
    // A connection that failed tells its listener why, once.
    if (flowing()) connection.send(noop.format({ durationMs: 0 })).catch(() => undefined);
  }, heartbeatMs).unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
