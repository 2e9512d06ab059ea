import { setImmediate as turn } from "node:timers/promises";
import { ProtocolError } from "@atrium/protocol";
import type { Log } from "@atrium/runtime/log.ts";
import type { Connection } from "../connection.ts";
import type { NotificationPlace, StoredNotification } from "../store/notifications.ts";
import type { Store } from "../store/store.ts";
import { notificationJson, notificationLine, notificationPieces } from "./json.ts";
import { isLarge, type LargeShare } from "./large.ts";

export interface FeedParts {
  readonly store: Pick<Store, "notifications">;
  readonly large: LargeShare;
  readonly endConnections: (test: (connection: Connection) => boolean) => void;
  readonly log: Log;
  readonly now: () => number;
  /** the line that says how far the commit log is */
  readonly statistics: () => string;
}

export interface Wish {
  /** epoch milliseconds: what arrived later */
  readonly after: number;
  readonly selfNotifications: boolean;
  /** throws a ProtocolError when the client may not be told anything any more */
  readonly wants: (notification: StoredNotification) => boolean;
}

const pageSize = 32;

/**
 * What one monitor is told. It is a place in the store: what lies behind it is read and written as fast as the client
 * takes it, old and new alike, so nothing is kept in memory, nothing overtakes and nothing comes twice.
 */
export class MonitorFeed {
  readonly #connection: Connection;
  readonly #wish: Wish;
  readonly #parts: FeedParts;
  #after: number;
  #running = false;
  #statisticsDue = false;
  #stopped = false;

  constructor(connection: Connection, wish: Wish, parts: FeedParts) {
    this.#connection = connection;
    this.#wish = wish;
    this.#parts = parts;
    this.#after = wish.after;
  }

  /** Tells the client that it is told from now on. @returns when it has taken that */
  async begin(): Promise<void> {
    await this.#tellNow();
    this.wake();
  }

  /** There may be more in the store. */
  wake(): void {
    if (!this.#running) void this.#run();
  }

  /** The client is to be told how far the commit log is. */
  tell(): void {
    this.#statisticsDue = true;
    this.wake();
  }

  stop(): void {
    this.#stopped = true;
  }

  get #active(): boolean {
    return !this.#stopped && this.#connection.channel.open && this.#connection.state === "owner";
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    this.#running = true;
    try {
      while (this.#active) {
        if (this.#statisticsDue) await this.#tellNow();
        const page = this.#parts.store.notifications.inbox({ after: this.#after, limit: pageSize });
        for (const place of page) {
          if (!this.#active) return;
          await this.#show(place);
          this.#after = place.time;
          if (this.#statisticsDue) await this.#tellNow();
        }
        if (page.length === 0 && !this.#statisticsDue) return;
        // Others have their turn, this client's own commands among them.
        if (page.length === pageSize) await turn();
      }
    } catch (error) {
      // Its client comes back, and says from where on; unless it may not.
      if (!(error instanceof ProtocolError)) this.#parts.log.warn({ err: error }, "a monitor failed");
      this.#parts.endConnections((connection) => connection === this.#connection);
    } finally {
      this.#running = false;
    }
  }

  async #tellNow(): Promise<void> {
    this.#statisticsDue = false;
    await this.#connection.channel.push(this.#parts.statistics());
  }

  async #show(place: NotificationPlace): Promise<void> {
    if (place.kind === "self" && !this.#wish.selfNotifications) return;
    while (this.#active) {
      using room = await this.#parts.large.take(place.size);
      if (room === undefined) continue;
      await this.#write(place);
      return;
    }
  }

  async #write({ time, size }: NotificationPlace): Promise<void> {
    const { store, now } = this.#parts;
    const notification = store.notifications.get(time);
    if (notification === undefined || notification.expiresAt <= now() || !this.#wish.wants(notification)) return;
    const { channel } = this.#connection;
    if (isLarge(size)) await channel.pushPieces(notificationPieces(notification));
    else await channel.push(notificationLine(notificationJson(notification)));
  }
}
