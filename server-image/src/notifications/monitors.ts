import type { AtSign } from "@atrium/protocol";
import type { Connection } from "../connection.ts";
import { notificationLine, statisticsJson } from "./json.ts";
import { type FeedParts, MonitorFeed, type Wish } from "./monitor-feed.ts";

const statisticsPeriodMs = 15_000;

interface Options extends Omit<FeedParts, "statistics"> {
  readonly atSign: AtSign;
  readonly store: FeedParts["store"] & { readonly lastCommitId: number };
}

/** The connections that are told of notifications, and of changes that they may sync. */
export class Monitors implements Disposable {
  readonly #options: Options;
  readonly #feeds = new Map<Connection, MonitorFeed>();
  #timer: NodeJS.Timeout | undefined;
  #operation: "update" | "delete" = "update";
  #flushing: NodeJS.Immediate | undefined;

  constructor(options: Options) {
    this.#options = options;
  }

  get size(): number {
    return this.#feeds.size;
  }

  /** From now on, until it closes; what it wished before is forgotten. @returns when it has taken the first line */
  watch(connection: Connection, wish: Wish): Promise<void> {
    const before = this.#feeds.get(connection);
    before?.stop();
    if (before === undefined) connection.channel.onClose(() => this.#remove(connection));
    const feed = new MonitorFeed(connection, wish, { ...this.#options, statistics: () => this.#statistics() });
    this.#feeds.set(connection, feed);
    this.#timer ??= setInterval(() => this.#tellAll(), statisticsPeriodMs).unref();
    return feed.begin();
  }

  /** Something was added to the store. */
  wake(): void {
    for (const feed of this.#feeds.values()) feed.wake();
  }

  /** A record was committed; what changes in one turn of the event loop is told at once. */
  recordChanged(operation: "update" | "delete"): void {
    if (this.#feeds.size === 0) return;
    this.#operation = operation;
    this.#flushing ??= setImmediate(() => {
      this.#flushing = undefined;
      this.#tellAll();
    });
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    clearImmediate(this.#flushing);
    for (const feed of this.#feeds.values()) feed.stop();
    this.#feeds.clear();
  }

  #tellAll(): void {
    for (const feed of this.#feeds.values()) feed.tell();
  }

  #statistics(): string {
    const { atSign, store, now } = this.#options;
    const json = statisticsJson(atSign, { commitId: store.lastCommitId, operation: this.#operation, now: now() });
    return notificationLine(json);
  }

  #remove(connection: Connection): void {
    this.#feeds.get(connection)?.stop();
    this.#feeds.delete(connection);
    if (this.#feeds.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
