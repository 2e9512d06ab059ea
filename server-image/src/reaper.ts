import { idleLimitMs } from "./limits.ts";
import type { Session } from "./session.ts";

type Reaped = Pick<Session, "lastActiveMs" | "lineDueMs" | "loginDueMs" | "busy" | "ending" | "end" | "expire"> & {
  readonly connection: Pick<Session["connection"], "state">;
};

/** How exactly times are kept; bounds how often the timer fires, too. */
const granularityMs = 250;

/**
 * Ends connections whose time is over: idle for longer than the load allows, a command that does not end, a reserved
 * place that its holder did not log in on. One timer for all of them; a busy connection costs nothing.
 */
export class Reaper {
  readonly #sessions: ReadonlySet<Reaped>;
  readonly #capacity: number;
  readonly #monotonic: () => number;
  readonly #onIdle: () => void;
  #timer: NodeJS.Timeout | undefined;
  #firesMs = Number.POSITIVE_INFINITY;

  constructor(options: {
    sessions: ReadonlySet<Reaped>;
    capacity: number;
    monotonic: () => number;
    onIdle: () => void;
  }) {
    this.#sessions = options.sessions;
    this.#capacity = options.capacity;
    this.#monotonic = options.monotonic;
    this.#onIdle = options.onIdle;
  }

  /** To be called when there is one connection more, which may shorten the time of all. */
  loadRose(): void {
    this.#reap();
  }

  /** To be called when some connection is due at a time that nobody knew of. */
  dueAt(dueMs: number): void {
    const firesMs = Math.max(dueMs, this.#monotonic() + granularityMs);
    if (firesMs >= this.#firesMs) return;
    clearTimeout(this.#timer);
    this.#firesMs = firesMs;
    this.#timer = setTimeout(() => this.#reap(), firesMs - this.#monotonic()).unref();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }

  #reap(): void {
    clearTimeout(this.#timer);
    this.#firesMs = Number.POSITIVE_INFINITY;
    const nowMs = this.#monotonic();
    const load = { connections: this.#sessions.size, capacity: this.#capacity };
    let nextMs = Number.POSITIVE_INFINITY;
    for (const session of this.#sessions) {
      const dueMs = this.#judge(session, nowMs, load);
      if (dueMs !== undefined) nextMs = Math.min(nextMs, dueMs);
    }
    if (nextMs !== Number.POSITIVE_INFINITY) this.dueAt(nextMs);
  }

  /** @returns when to look again; undefined when its end has begun */
  #judge(session: Reaped, nowMs: number, load: { connections: number; capacity: number }): number | undefined {
    if (session.ending) return undefined;
    const idleMs = idleLimitMs(session.connection.state, load);
    const idleDueMs = (session.busy ? nowMs : session.lastActiveMs) + idleMs;
    const { lineDueMs = Number.POSITIVE_INFINITY, loginDueMs = Number.POSITIVE_INFINITY } = session;
    if (lineDueMs <= nowMs) {
      session.expire();
      return undefined;
    }
    if (Math.min(idleDueMs, loginDueMs) <= nowMs) {
      this.#onIdle();
      session.end();
      return undefined;
    }
    return Math.min(idleDueMs, lineDueMs, loginDueMs);
  }
}
