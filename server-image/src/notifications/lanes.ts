import type { AtSign } from "@atrium/protocol";
import { backoffMs } from "@atrium/runtime/backoff.ts";
import type { NewNotification } from "../store/notifications.ts";

type Priority = NewNotification["priority"];

/** One recipient for whom something waits. */
export interface Lane {
  readonly to: AtSign;
  /** the highest of what was added since it was last empty */
  priority: Priority;
  /** attempts that failed since the last that did not */
  failures: number;
  state: "ready" | "working" | "resting";
  rest?: NodeJS.Timeout;
}

interface Options {
  /** a pause is over: `next` may have something */
  readonly onReady: () => void;
  readonly random?: (() => number) | undefined;
}

/** Recipients that are served at the same time; and how many of them may be such as failed when last tried. */
const maxWorking = 32;
const maxTroubled = 8;

/** The longest is short beside the default life of a notification, which is 15 minutes. */
const pauses = { minMs: 500, maxMs: 60_000 };

/**
 * Whose turn it is, of the recipients for whom something waits: by priority, then in the order of asking. Those that
 * failed pause ever longer, and can never take all places.
 */
export class Lanes implements Disposable {
  readonly #options: Options;
  readonly #lanes = new Map<AtSign, Lane>();
  readonly #ready = { high: new Set<Lane>(), medium: new Set<Lane>(), low: new Set<Lane>(), troubled: new Set<Lane>() };
  #working = 0;
  #troubled = 0;

  constructor(options: Options) {
    this.#options = options;
  }

  /** Something waits for `to`. */
  add(to: AtSign, priority: Priority): void {
    const lane = this.#lanes.get(to);
    if (lane === undefined) {
      const added: Lane = { to, priority, failures: 0, state: "ready" };
      this.#lanes.set(to, added);
      this.#queue(added).add(added);
    } else if (ranks[priority] < ranks[lane.priority]) {
      const waited = this.#queue(lane).delete(lane);
      lane.priority = priority;
      if (waited) this.#queue(lane).add(lane);
    }
  }

  /** `to` was heard of: if it pauses, now may be the time to try again. */
  reached(to: AtSign): void {
    const lane = this.#lanes.get(to);
    if (lane?.state !== "resting") return;
    lane.failures = 0;
    this.#makeReady(lane);
  }

  /** @returns who is to be served now, until `end` is called; undefined when nobody may be */
  next(): Lane | undefined {
    if (this.#working >= maxWorking) return undefined;
    const { high, medium, low, troubled } = this.#ready;
    const retried = this.#troubled < maxTroubled ? first(troubled) : undefined;
    const lane = first(high) ?? first(medium) ?? first(low) ?? retried;
    if (lane === undefined) return undefined;
    this.#queue(lane).delete(lane);
    lane.state = "working";
    this.#working++;
    if (lane.failures > 0) this.#troubled++;
    return lane;
  }

  /**
   * @param outcome `empty`: nothing waits for it any more; `more`: something does, but others have their turn first;
   *   `failed`: it is to be tried again after a pause
   * @param wasTroubled whether it had failed when `next` gave it
   */
  end(lane: Lane, outcome: "empty" | "more" | "failed", wasTroubled: boolean): void {
    this.#working--;
    if (wasTroubled) this.#troubled--;
    if (outcome === "empty") this.#lanes.delete(lane.to);
    else if (outcome === "more") this.#makeReady(lane);
    else this.#pause(lane);
  }

  [Symbol.dispose](): void {
    for (const { rest } of this.#lanes.values()) clearTimeout(rest);
  }

  #pause(lane: Lane): void {
    const { random = Math.random, onReady } = this.#options;
    lane.state = "resting";
    lane.rest = setTimeout(
      () => {
        this.#makeReady(lane);
        onReady();
      },
      backoffMs(lane.failures++, { ...pauses, random }),
    ).unref();
  }

  #makeReady(lane: Lane): void {
    clearTimeout(lane.rest);
    lane.state = "ready";
    this.#queue(lane).add(lane);
  }

  #queue({ failures, priority }: Lane): Set<Lane> {
    return this.#ready[failures > 0 ? "troubled" : priority];
  }
}

const ranks = { high: 0, medium: 1, low: 2 } as const;

function first<T>(set: ReadonlySet<T>): T | undefined {
  const [found] = set;
  return found;
}
