import type { Connection } from "../connection.ts";

const maxRequests = 5;
const frameMs = 3_600_000;

/** How often one connection may ask for an enrolment. */
export class RequestRate {
  readonly #times = new WeakMap<Connection, number[]>();

  /** Counts one, unless there were too many. @param nowMs of a monotonic clock */
  allows(connection: Connection, nowMs: number): boolean {
    const recent = (this.#times.get(connection) ?? []).filter((time) => nowMs - time < frameMs);
    if (recent.length >= maxRequests) return false;
    this.#times.set(connection, [...recent, nowMs]);
    return true;
  }
}
