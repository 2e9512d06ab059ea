import type { AtSign } from "@atrium/protocol";
import {
  type NewNotification,
  type NotificationChanges,
  type NotificationCount,
  type NotificationKind,
  type NotificationLoad,
  type NotificationPlace,
  type NotificationReads,
  rowBytes,
  type StoredNotification,
  sizeOf,
  type WaitingNotification,
} from "./notifications.ts";
import { assertStorable } from "./store.ts";
import { compareCodePoints } from "./text-order.ts";

interface Row extends StoredNotification {
  readonly waits: boolean;
  readonly size: number;
}

/** Those of the store for tests: what the tables do, by looking at all of them each time. */
export class NotificationMemory implements NotificationReads, NotificationChanges {
  #rows: readonly Row[] = [];
  #lastTime = 0;

  /** @returns what brings them back to what they are now */
  mark(): () => void {
    const [rows, lastTime] = [this.#rows, this.#lastTime];
    return () => {
      this.#rows = rows;
      this.#lastTime = lastTime;
    };
  }

  lastTime(): number {
    return this.#lastTime;
  }

  byId(id: string): StoredNotification | undefined {
    const known = this.#rows.filter((row) => row.id === id && row.status !== "removed");
    return notificationOf(known.findLast(({ kind }) => kind !== "received") ?? known.at(-1));
  }

  get(time: number): StoredNotification | undefined {
    return notificationOf(this.#rows.find((row) => row.time === time && row.status !== "removed"));
  }

  inbox({ after, limit }: { after: number; limit: number }): NotificationPlace[] {
    return this.#rows
      .filter((row) => row.kind !== "sent" && row.status !== "removed" && row.time > after)
      .slice(0, limit)
      .map(placeOf);
  }

  firstWaiting(to: AtSign, now: number): NotificationPlace | undefined {
    return this.#rows.filter((row) => row.waits && row.to === to && now < row.expiresAt).map(placeOf)[0];
  }

  recipients({ after, limit }: { after: string; limit: number }): AtSign[] {
    return [...new Set(this.#rows.filter((row) => row.waits).map(({ to }) => to))]
      .sort(compareCodePoints)
      .filter((to) => compareCodePoints(to, after) > 0)
      .slice(0, limit);
  }

  waiting({ after, limit }: { after: number; limit: number }): WaitingNotification[] {
    return this.#rows
      .filter((row) => row.waits && row.time > after)
      .slice(0, limit)
      .map(({ time, to, priority }) => ({ time, to, priority }));
  }

  expired(now: number, limit: number): number[] {
    return this.#rows
      .filter(({ expiresAt }) => expiresAt <= now)
      .sort((a, b) => a.expiresAt - b.expiresAt || a.time - b.time)
      .slice(0, limit)
      .map(({ time }) => time);
  }

  counts(): NotificationCount[] {
    const counts = new Map<string, NotificationCount>();
    for (const { kind, status, operation, messageType, size } of this.#rows) {
      const name = JSON.stringify([kind, status, operation, messageType]);
      const { count, bytes } = counts.get(name) ?? { count: 0, bytes: 0 };
      counts.set(name, { kind, status, operation, messageType, count: count + 1, bytes: bytes + size });
    }
    return [...counts.keys()].sort().map((name) => counts.get(name) as NotificationCount);
  }

  add(notification: NewNotification, now: number): number | undefined {
    assertStorable(notification);
    const { id, from, to, kind } = notification;
    const known = this.#rows.find((row) => row.id === id && row.from === from && row.to === to);
    if (known !== undefined && now < known.expiresAt) return undefined;
    if (known !== undefined) this.forget([known.time]);
    const time = Math.max(now, this.#lastTime + 1);
    this.#lastTime = time;
    const row: Row = {
      ...structuredClone(notification),
      time,
      expiresAt: now + notification.lifeMs,
      status: kind === "sent" ? "queued" : "delivered",
      attempts: 0,
      waits: kind === "sent",
      size: sizeOf(notification),
    };
    this.#rows = [...this.#rows, row];
    return time;
  }

  load(kind: NotificationKind, peer: AtSign): NotificationLoad {
    return sum(
      this.#rows.filter((row) => {
        return row.kind === kind && (kind === "sent" ? row.waits && row.to === peer : row.from === peer);
      }),
    );
  }

  totals(kind: NotificationKind): NotificationLoad {
    return sum(this.#rows.filter((row) => row.kind === kind));
  }

  settle(time: number, outcome: "delivered" | "errored" | "refused"): void {
    this.#change((row) => {
      const mayBe = row.waits || (row.status === "superseded" && outcome === "delivered");
      if (row.time !== time || !mayBe) return row;
      return { ...row, status: outcome, attempts: row.attempts + 1, waits: row.waits && outcome === "errored" };
    });
  }

  supersede({ to, notifier, count }: { to: AtSign; notifier: string; count: number }): void {
    const queue = this.#rows.filter((row) => {
      return row.waits && row.to === to && row.notifier === notifier && row.strategy === "latest";
    });
    const older = new Set(queue.slice(0, Math.max(0, queue.length - count)));
    this.#change((row) => (older.has(row) ? { ...row, status: "superseded", waits: false } : row));
  }

  remove(time: number): void {
    this.#change((row) => {
      if (row.time !== time) return row;
      return { ...row, status: "removed", waits: false, size: rowBytes, value: undefined };
    });
  }

  forget(times: readonly number[]): void {
    this.#rows = this.#rows.filter(({ time }) => !times.includes(time));
  }

  oldestSettled(limit: number): number[] {
    return this.#rows
      .filter((row) => row.kind === "sent" && !row.waits)
      .slice(0, limit)
      .map(({ time }) => time);
  }

  #change(change: (row: Row) => Row): void {
    this.#rows = this.#rows.map(change);
  }
}

function notificationOf(row: Row | undefined): StoredNotification | undefined;
function notificationOf(row: Row | undefined): StoredNotification | undefined {
  if (row === undefined) return undefined;
  const { waits, size, ...notification } = row;
  return notification;
}

function placeOf({ time, kind, size }: Row): NotificationPlace {
  return { time, kind, size };
}

function sum(rows: readonly Row[]): NotificationLoad {
  return { count: rows.length, bytes: rows.reduce((bytes, { size }) => bytes + size, 0) };
}
