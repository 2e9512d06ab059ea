import type { AtSign, MetadataChange } from "@atrium/protocol";

/** `sent` to another atSign, `received` from one, `self`: from one of the owner's apps to the others. */
export type NotificationKind = "sent" | "received" | "self";

/**
 * Of a sent one: `queued` and `errored` (failed, to be tried again) wait for delivery; `delivered`, `refused` by its
 * recipient and `superseded` by a newer one do not. `removed`: the owner asked to forget it. What was received is
 * `delivered`. That one has expired is not kept: the time tells.
 */
export type NotificationStatus = "queued" | "errored" | "delivered" | "refused" | "superseded" | "removed";

export interface NewNotification {
  readonly kind: NotificationKind;
  /** chosen by its sender, who does not choose it for anything else */
  readonly id: string;
  readonly from: AtSign;
  readonly to: AtSign;
  /** whole, as it was sent: `@alice:phone.wavi@bob`; of a text message `@alice:<text>` */
  readonly key: string;
  readonly value: string | undefined;
  readonly operation: "update" | "delete";
  readonly messageType: "key" | "text";
  readonly priority: "low" | "medium" | "high";
  readonly strategy: "all" | "latest";
  /** with strategy `latest`, how many of its notifier are worth delivering */
  readonly latestN: number;
  readonly notifier: string;
  /** milliseconds from its arrival to its expiry */
  readonly lifeMs: number;
  readonly isEncrypted: boolean;
  readonly metadata: MetadataChange;
}

export interface StoredNotification extends NewNotification {
  /** when it arrived here, epoch milliseconds; of each other one it is another, and of later ones it is higher */
  readonly time: number;
  /** epoch milliseconds */
  readonly expiresAt: number;
  readonly status: NotificationStatus;
  /** to deliver it */
  readonly attempts: number;
}

/** How many there are, whatever their age; and how many bytes they take, about. */
export interface NotificationLoad {
  readonly count: number;
  readonly bytes: number;
}

export interface NotificationCount extends NotificationLoad {
  readonly kind: NotificationKind;
  readonly status: NotificationStatus;
  readonly operation: "update" | "delete";
  readonly messageType: "key" | "text";
}

/** Where one is, and what has to be known before it is read: it may be large. */
export interface NotificationPlace {
  readonly time: number;
  readonly kind: NotificationKind;
  /** bytes, about */
  readonly size: number;
}

/** One that waits for delivery. */
export interface WaitingNotification {
  readonly time: number;
  readonly to: AtSign;
  readonly priority: "low" | "medium" | "high";
}

/** Sees what is durable. No read takes longer the more notifications there are, except by what it returns. */
export interface NotificationReads {
  /** when the newest there ever was arrived; 0 when there was none */
  lastTime(): number;

  /**
   * The one with this id that was not removed, whatever its age. Of several (ids are unique for one sender only), the
   * newest of this atSign's own, else the newest.
   */
  byId(id: string): StoredNotification | undefined;

  get(time: number): StoredNotification | undefined;

  /** Those received and of the owner's apps that arrived later than `after`, in their order, whatever their age. */
  inbox(range: { after: number; limit: number }): NotificationPlace[];

  /** The oldest that waits for delivery to `to` and has not expired at `now`. */
  firstWaiting(to: AtSign, now: number): NotificationPlace | undefined;

  /** Who waits for any, in the order of code points. */
  recipients(range: { after: string; limit: number }): AtSign[];

  /** Those that arrived later than `after` and wait for delivery, in their order. */
  waiting(range: { after: number; limit: number }): WaitingNotification[];

  /** At most `limit` that had expired at `now`, by their times. */
  expired(now: number, limit: number): number[];

  counts(): NotificationCount[];
}

/** Changes of one transaction, which sees what was changed in it. */
export interface NotificationChanges {
  /**
   * Adds it, unless there is one with this id from the same sender to the same recipient, removed or not, that has not
   * expired. A sent one waits for delivery.
   *
   * @param now epoch milliseconds
   * @returns its `time`; undefined when it was there
   */
  add(notification: NewNotification, now: number): number | undefined;

  /** What `peer` has sent here, what waits for `peer` to be delivered, or what the owner's apps have told each other. */
  load(kind: NotificationKind, peer: AtSign): NotificationLoad;

  totals(kind: NotificationKind): NotificationLoad;

  /** Notes how an attempt to deliver went. With any other outcome than `errored` it does not wait any longer. */
  settle(time: number, outcome: "delivered" | "errored" | "refused"): void;

  /** Of what waits for `to` by a `notifier` with strategy `latest`, all but the newest `count` become `superseded`. */
  supersede(of: { to: AtSign; notifier: string; count: number }): void;

  /** Takes key, value and metadata away. It does not wait any longer. */
  remove(time: number): void;

  /** @param times of some, which need not be there any more */
  forget(times: readonly number[]): void;

  /** The oldest sent ones that do not wait, by their times. */
  oldestSettled(limit: number): number[];
}

/** About what one takes besides its texts, its places in the indexes included. */
export const rowBytes = 512;

/** The part of a notification that nothing is looked up by, as it is stored. */
export function bodyOf({ key, strategy, latestN, notifier, lifeMs, isEncrypted, metadata }: NewNotification): string {
  return JSON.stringify({ key, strategy, latestN, notifier, lifeMs, isEncrypted, metadata });
}

/** Bytes that it takes, about. */
export function sizeOf(notification: NewNotification): number {
  return rowBytes + Buffer.byteLength(bodyOf(notification)) + Buffer.byteLength(notification.value ?? "");
}
