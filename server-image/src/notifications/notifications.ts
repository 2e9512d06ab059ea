import { randomUUID } from "node:crypto";
import { type AtSign, type MetadataChange, ProtocolError } from "@atrium/protocol";
import type { Log } from "@atrium/runtime/log.ts";
import type { ByteBudget } from "../byte-budget.ts";
import type { Connection } from "../connection.ts";
import type { NewNotification } from "../store/notifications.ts";
import type { Store, Transaction } from "../store/store.ts";
import { Turns } from "../turns.ts";
import { assertRoom, lifeOf } from "./bounds.ts";
import { type DeliveryParts, deliver } from "./delivery.ts";
import { LargeShare } from "./large.ts";
import type { Wish } from "./monitor-feed.ts";
import { Monitors } from "./monitors.ts";
import { Outbox } from "./outbox.ts";
import { type NotificationSweep, sweepNotifications } from "./sweep.ts";

/** One that this atSign sends, to another or to itself. */
export interface OutgoingNotification {
  readonly to: AtSign;
  /** whole, as the recipient is to see it: `@bob:phone.wavi@alice`; of a text message `@bob:<text>` */
  readonly key: string;
  readonly value?: string | undefined;
  /** a new one when absent */
  readonly id?: string | undefined;
  readonly operation?: "update" | "delete";
  readonly messageType?: "key" | "text";
  readonly priority?: "low" | "medium" | "high" | undefined;
  readonly strategy?: "all" | "latest" | undefined;
  readonly latestN?: number | undefined;
  readonly notifier?: string | undefined;
  /** milliseconds; 0 or absent: the default */
  readonly ttln?: number | undefined;
  readonly isEncrypted?: boolean;
  readonly metadata?: MetadataChange;
}

export interface NotificationsOptions {
  readonly atSign: AtSign;
  readonly store: Store;
  readonly peers: DeliveryParts["peers"];
  /** for what is large: on its way to other atServers, and to the owner */
  readonly budgets: { readonly deliveries: ByteBudget; readonly owner: ByteBudget };
  /** is told when the memory of what was large is no longer needed */
  readonly onLarge: (bytes: number) => void;
  readonly endConnections: (test: (connection: Connection) => boolean) => void;
  readonly log: Log;
  /** epoch milliseconds */
  readonly now: () => number;
}

/** What this atSign tells others and is told, durable from the moment that it is acknowledged. */
export class Notifications implements AsyncDisposable {
  readonly #options: Pick<NotificationsOptions, "atSign" | "now">;
  readonly #outbox: Outbox;
  readonly #lists = new Turns({
    places: 1,
    waitMs: 30_000,
    refusal: () => new ProtocolError("paused", "too many large replies", { closes: false }),
  });
  readonly #monitors: Monitors;
  readonly #sweep: NotificationSweep;

  constructor(options: NotificationsOptions) {
    const { atSign, store, peers, budgets, onLarge, endConnections, log, now } = options;
    this.#options = options;
    const delivery = { store, peers, large: new LargeShare(budgets.deliveries, onLarge) };
    this.#outbox = new Outbox({ store, deliver: (place) => deliver(place, delivery), log, now });
    const large = new LargeShare(budgets.owner, onLarge);
    this.#monitors = new Monitors({ atSign, store, large, endConnections, log, now });
    this.#sweep = sweepNotifications({ store, log, now });
  }

  /** Begins to deliver what was not delivered when the process before ended. */
  resume(): Promise<void> {
    return this.#outbox.resume();
  }

  /**
   * Adds a notification of this atSign's to the caller's transaction; when that is committed, {@link committed} is to be
   * called. One whose id is known already is not added again.
   *
   * @returns its id
   * @throws {ProtocolError} `paused` when too many wait, before anything was changed
   */
  add(tx: Transaction, outgoing: OutgoingNotification): string {
    const { atSign, now } = this.#options;
    const { id = randomUUID(), to, key, value, ttln, strategy = "all", latestN = 1, notifier = "SYSTEM" } = outgoing;
    const kind = to === atSign ? "self" : "sent";
    assertRoom(tx.notifications, kind, to);
    const notification: NewNotification = {
      kind,
      id,
      from: atSign,
      to,
      key,
      value,
      operation: outgoing.operation ?? "update",
      messageType: outgoing.messageType ?? "key",
      priority: outgoing.priority ?? "low",
      strategy,
      latestN,
      notifier,
      lifeMs: lifeOf(ttln),
      isEncrypted: outgoing.isEncrypted ?? false,
      metadata: outgoing.metadata ?? {},
    };
    tx.notifications.add(notification, now());
    if (kind === "sent" && strategy === "latest") {
      tx.notifications.supersede({ to, notifier, count: Math.max(1, latestN) });
    }
    return id;
  }

  /** A transaction with notifications is durable. */
  committed(): void {
    this.#outbox.wake();
    this.#monitors.wake();
  }

  /**
   * A record was committed: those who monitor are told, so that they sync.
   *
   * @param commitId -1 for one that is none of the commit log
   */
  recordChanged(commitId: number, operation: "update" | "delete"): void {
    if (commitId >= 0) this.#monitors.recordChanged(operation);
  }

  /** The atServer of `peer` was heard of: what waits for it may be tried now. */
  reached(peer: AtSign): void {
    this.#outbox.reached(peer);
  }

  /**
   * Tells `connection` of notifications from now on; see {@link Wish} which.
   *
   * @returns when it has taken the first line, which is statistics
   */
  watch(connection: Connection, wish: Wish): Promise<void> {
    return this.#monitors.watch(connection, wish);
  }

  /**
   * Long lists are put together one after the other. No share of the memory for replies is taken meanwhile: a reply waits
   * for that itself, and while it holds some it may have to be put together again.
   *
   * @returns what ends the turn
   * @throws {ProtocolError} `paused` when it did not come in time
   */
  listTurn(): Promise<Disposable> {
    return this.#lists.take();
  }

  get monitors(): number {
    return this.#monitors.size;
  }

  /** The last removal of what had expired; undefined before the first. */
  get lastSweep(): NotificationSweep["last"] {
    return this.#sweep.last;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#outbox[Symbol.dispose]();
    this.#monitors[Symbol.dispose]();
    await this.#sweep[Symbol.asyncDispose]();
  }
}
