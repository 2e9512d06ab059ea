import { setTimeout as delay } from "node:timers/promises";
import type { MonitorParams } from "@atrium/protocol";
import type { Connection } from "./connection.ts";
import { ClientError } from "./errors.ts";
import { notifications } from "./feed.ts";
import { type Notification, statisticsId } from "./notification.ts";

export interface MonitorOptions {
  /** epoch milliseconds of the atServer: also those that arrived after it. Without it, only new ones */
  readonly after?: number | undefined;
  /** those only whose key, or whose sender without `@`, this finds something in */
  readonly regex?: string | undefined;
  /** also those that the owner's apps send one another */
  readonly selfNotifications?: boolean | undefined;
  /** ends it */
  readonly signal: AbortSignal;
}

interface Options extends MonitorOptions {
  /** @returns a connection that is logged in */
  readonly open: () => Promise<Connection>;
  /** is told why a connection was lost that is opened again now */
  readonly onLost?: ((error: ClientError) => void) | undefined;
}

const firstPauseMs = 500;
const longestPauseMs = 30_000;
/** Ids of the notifications that came last: an atServer may repeat some after a connection was lost. */
const rememberedIds = 1_000;

/**
 * The notifications of an atSign, one after the other, over as many connections as it takes: a new one goes on where the
 * last one ended.
 *
 * @throws {ClientError} when the first connection fails, or a later one for a reason that does not pass by itself
 */
export async function* monitor({ open, onLost, ...options }: Options): AsyncGenerator<Notification> {
  const { signal } = options;
  const place = new Place(options.after);
  let connection = await open();
  for (;;) {
    try {
      for await (const notification of notifications(connection, place.command(options), signal)) {
        if (place.isNew(notification)) yield notification;
      }
      return;
    } catch (error) {
      if (!passes(error)) throw error;
      onLost?.(error);
    } finally {
      await connection[Symbol.asyncDispose]();
    }
    const next = await reopened(open, signal);
    if (next === undefined) return;
    connection = next;
  }
}

/** How far a monitor has come. */
class Place {
  #after: number | undefined;
  readonly #seen = new Set<string>();

  constructor(after: number | undefined) {
    this.#after = after;
  }

  command({ regex, selfNotifications }: MonitorOptions): MonitorParams {
    return {
      ...(selfNotifications && { selfNotifications }),
      ...(this.#after !== undefined && { after: this.#after }),
      ...(regex !== undefined && { regex }),
    };
  }

  isNew({ id, time }: Notification): boolean {
    if (id === statisticsId) {
      // Where "only new ones" begins, should the connection be lost before the first; what came in the same millisecond
      // may have come after it.
      this.#after ??= time - 1;
      return false;
    }
    this.#after = Math.max(this.#after ?? 0, time);
    if (this.#seen.has(id)) return false;
    this.#seen.add(id);
    const [oldest] = this.#seen;
    if (this.#seen.size > rememberedIds && oldest !== undefined) this.#seen.delete(oldest);
    return true;
  }
}

/** @returns undefined when it was ended meanwhile */
async function reopened(open: Options["open"], signal: AbortSignal): Promise<Connection | undefined> {
  for (let attempt = 0; !signal.aborted; attempt++) {
    const longest = Math.min(firstPauseMs * 2 ** attempt, longestPauseMs);
    // Of many that lost their connections together, not all come back together.
    const paused = await delay(longest * (0.5 + Math.random() / 2), true, { signal }).catch(() => false);
    if (!paused) return undefined;
    try {
      return await open();
    } catch (error) {
      if (!passes(error)) throw error;
    }
  }
  return undefined;
}

function passes(error: unknown): error is ClientError {
  return error instanceof ClientError && (error.reason === "unreachable" || error.reason === "timeout");
}
