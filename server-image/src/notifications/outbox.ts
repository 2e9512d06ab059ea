import { setImmediate as turn } from "node:timers/promises";
import type { AtSign } from "@atrium/protocol";
import type { Log } from "@atrium/runtime/log.ts";
import type { NotificationPlace } from "../store/notifications.ts";
import { type Store, StoreError } from "../store/store.ts";
import { isRefusal } from "./delivery.ts";
import { type Lane, Lanes } from "./lanes.ts";

interface Options {
  readonly store: Pick<Store, "notifications" | "write">;
  /** rejects when the recipient did not take it */
  readonly deliver: (place: NotificationPlace) => Promise<void>;
  readonly log: Log;
  readonly now: () => number;
  readonly random?: () => number;
}

/** Notifications to one recipient before others have their turn. */
const turnSize = 16;
const pageSize = 500;

/**
 * Delivers what waits in the store: to each recipient in the order of arrival, one after the other, again and again
 * until it is taken, refused for good, or has expired. The store is the queue; in memory is only who is waited for.
 */
export class Outbox implements Disposable {
  readonly #options: Options;
  readonly #lanes: Lanes;
  /** arrival of the newest that is known of here */
  #seen: number;
  #stopped = false;

  constructor(options: Options) {
    this.#options = options;
    this.#lanes = new Lanes({ onReady: () => this.#work(), random: options.random });
    this.#seen = options.store.notifications.lastTime();
  }

  /** Takes up what had not been delivered when the process before ended. */
  async resume(): Promise<void> {
    for (let after = ""; !this.#stopped; ) {
      const page = this.#options.store.notifications.recipients({ after, limit: pageSize });
      for (const to of page) this.#lanes.add(to, "low");
      this.#work();
      const last = page.at(-1);
      if (last === undefined) return;
      after = last;
      await turn();
    }
  }

  /** Something was added to the store. Never throws: that was acknowledged, or will be. */
  wake(): void {
    if (this.#stopped) return;
    try {
      this.#look();
    } catch (error) {
      // What was added is found the next time.
      this.#options.log.warn({ err: error }, "notifications to deliver cannot be read");
    }
    this.#work();
  }

  /** The atServer of `atSign` was heard of: it may be tried again. */
  reached(atSign: AtSign): void {
    this.#lanes.reached(atSign);
    this.#work();
  }

  /** What is on its way may still arrive, and is delivered once more by the next process. */
  [Symbol.dispose](): void {
    this.#stopped = true;
    this.#lanes[Symbol.dispose]();
  }

  /** Notes who has got something to wait for. */
  #look(): void {
    const { notifications } = this.#options.store;
    const newest = notifications.lastTime();
    while (this.#seen < newest) {
      const page = notifications.waiting({ after: this.#seen, limit: pageSize });
      for (const { to, priority } of page) this.#lanes.add(to, priority);
      this.#seen = page.length < pageSize ? newest : (page.at(-1)?.time ?? newest);
    }
  }

  #work(): void {
    while (!this.#stopped) {
      const lane = this.#lanes.next();
      if (lane === undefined) return;
      void this.#serve(lane);
    }
  }

  async #serve(lane: Lane): Promise<void> {
    const wasTroubled = lane.failures > 0;
    const outcome = await this.#deliverSome(lane);
    if (this.#stopped) return;
    this.#lanes.end(lane, outcome, wasTroubled);
    this.#work();
  }

  /** Never rejects. */
  async #deliverSome(lane: Lane): Promise<"empty" | "more" | "failed"> {
    const { store, now, log } = this.#options;
    try {
      for (let count = 0; count < turnSize && !this.#stopped; count++) {
        const place = store.notifications.firstWaiting(lane.to, now());
        if (place === undefined) return "empty";
        if (!(await this.#attempt(place, lane))) return "failed";
        lane.failures = 0;
      }
      return "more";
    } catch (error) {
      // The store failed: nothing is known to have happened, and its recipient knows a second copy by its id.
      if (!this.#stopped || !(error instanceof StoreError)) log.warn({ err: error }, "delivery not noted");
      return "failed";
    }
  }

  /** @returns whether the next one may follow */
  async #attempt(place: NotificationPlace, { to, failures }: Lane): Promise<boolean> {
    const { store, deliver, log } = this.#options;
    const outcome = await deliver(place).then(
      () => "delivered" as const,
      (error: unknown) => {
        const refused = isRefusal(error, place);
        log.info({ to, failures, refused, reason: String(error) }, "notification not delivered");
        return refused ? "refused" : "errored";
      },
    );
    if (this.#stopped) return false;
    await store.write((tx) => tx.notifications.settle(place.time, outcome));
    return outcome !== "errored";
  }
}
