import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import type { AtSign } from "@atrium/protocol";
import {
  bodyOf,
  type NewNotification,
  type NotificationChanges,
  type NotificationCount,
  type NotificationKind,
  type NotificationLoad,
  type NotificationPlace,
  type NotificationReads,
  type NotificationStatus,
  rowBytes,
  type StoredNotification,
  sizeOf,
  type WaitingNotification,
} from "./notifications.ts";
import { StoreError } from "./store.ts";

const largeCharacters = 65_536;

/** Their table and the statements that use it, prepared when first used. Knows no transactions. Throws SQLite's errors. */
export class NotificationTables implements NotificationReads, NotificationChanges {
  readonly #db: DatabaseSync;
  readonly #prepared = new Map<string, StatementSync>();

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  lastTime(): number {
    return this.#one<[number]>("SELECT last_notified_at FROM meta")?.[0] ?? 0;
  }

  byId(id: string): StoredNotification | undefined {
    const row = this.#one<Row>(
      `${select} WHERE id = ? AND status <> 'removed' ORDER BY kind = 'received', time DESC LIMIT 1`,
      id,
    );
    return row && toNotification(row);
  }

  get(time: number): StoredNotification | undefined {
    const row = this.#one<Row>(`${select} WHERE time = ? AND status <> 'removed'`, time);
    return row && toNotification(row);
  }

  inbox({ after, limit }: { after: number; limit: number }): NotificationPlace[] {
    const rows = this.#all<PlaceRow>(
      `SELECT time, kind, size FROM notification INDEXED BY notification_inbox
      WHERE kind <> 'sent' AND status <> 'removed' AND time > ? ORDER BY time LIMIT ?`,
      after,
      limit,
    );
    return rows.map(toPlace);
  }

  firstWaiting(to: AtSign, now: number): NotificationPlace | undefined {
    const row = this.#one<PlaceRow>(
      "SELECT time, kind, size FROM notification WHERE waits_for = ? AND expires_at > ? ORDER BY time LIMIT 1",
      to,
      now,
    );
    return row && toPlace(row);
  }

  recipients({ after, limit }: { after: string; limit: number }): AtSign[] {
    const recipients: AtSign[] = [];
    for (let last: string = after; recipients.length < limit; ) {
      const [next] =
        this.#one<[AtSign]>(
          "SELECT waits_for FROM notification WHERE waits_for > ? ORDER BY waits_for LIMIT 1",
          last,
        ) ?? [];
      if (next === undefined) break;
      recipients.push(next);
      last = next;
    }
    return recipients;
  }

  waiting({ after, limit }: { after: number; limit: number }): WaitingNotification[] {
    const rows = this.#all<[number, AtSign, WaitingNotification["priority"]]>(
      `SELECT time, recipient, priority FROM notification NOT INDEXED
      WHERE time > ? AND waits_for IS NOT NULL ORDER BY time LIMIT ?`,
      after,
      limit,
    );
    return rows.map(([time, to, priority]) => ({ time, to, priority }));
  }

  expired(now: number, limit: number): number[] {
    const sql = "SELECT time FROM notification WHERE expires_at <= ? ORDER BY expires_at, time LIMIT ?";
    return this.#all<[number]>(sql, now, limit).map(([time]) => time);
  }

  counts(): NotificationCount[] {
    const rows = this.#all<[NotificationKind, NotificationStatus, "update" | "delete", "key" | "text", number, number]>(
      "SELECT kind, status, operation, message_type, count, bytes FROM notification_count WHERE count > 0",
    );
    return rows.map(([kind, status, operation, messageType, count, bytes]) => {
      return { kind, status, operation, messageType, count, bytes };
    });
  }

  add(notification: NewNotification, now: number): number | undefined {
    const { id, from, to } = notification;
    const [known, expiresAt = 0] =
      this.#one<[number, number]>(
        "SELECT time, expires_at FROM notification WHERE id = ? AND sender = ? AND recipient = ?",
        id,
        from,
        to,
      ) ?? [];
    if (known !== undefined && now < expiresAt) return undefined;
    if (known !== undefined) this.forget([known]);
    const [time] =
      this.#one<[number]>(
        "UPDATE meta SET last_notified_at = max(?, last_notified_at + 1) RETURNING last_notified_at",
        now,
      ) ?? damaged();
    this.#insert(notification, time, now + notification.lifeMs);
    return time;
  }

  #insert(notification: NewNotification, time: number, expiresAt: number): void {
    const { kind, id, from, to, operation, messageType, priority, value = null } = notification;
    const body = bodyOf(notification);
    const waits = kind === "sent";
    this.#run(
      `INSERT INTO notification (time, kind, sender, recipient, id, status, operation, message_type, priority, attempts,
        expires_at, waits_for, latest_of, size)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?)`,
      time,
      kind,
      from,
      to,
      id,
      waits ? "queued" : "delivered",
      operation,
      messageType,
      priority,
      expiresAt,
      waits ? to : null,
      waits && notification.strategy === "latest" ? notification.notifier : null,
      sizeOf(notification),
    );
    this.#run(insertContent, time, checksum(body, value), body, value);
    // A statement keeps what it was last given.
    if (value !== null && value.length > largeCharacters) this.#run(insertContent, null, null, null, null);
  }

  load(kind: NotificationKind, peer: AtSign): NotificationLoad {
    const sql = "SELECT count, bytes FROM notification_load WHERE kind = ? AND peer = ?";
    const [count, bytes] = this.#one<[number, number]>(sql, kind, peer) ?? [0, 0];
    return { count, bytes };
  }

  totals(kind: NotificationKind): NotificationLoad {
    const sql = "SELECT total(count), total(bytes) FROM notification_count WHERE kind = ?";
    const [count, bytes] = this.#one<[number, number]>(sql, kind) ?? [0, 0];
    return { count, bytes };
  }

  settle(time: number, outcome: "delivered" | "errored" | "refused"): void {
    // One that was superseded meanwhile may be delivered after all; it does not wait again.
    this.#run(
      `UPDATE notification SET status = ?1, attempts = attempts + 1,
        waits_for = iif(?1 = 'errored', waits_for, NULL), latest_of = iif(?1 = 'errored', latest_of, NULL)
      WHERE time = ?2 AND (waits_for IS NOT NULL OR status = 'superseded' AND ?1 = 'delivered')`,
      outcome,
      time,
    );
  }

  supersede({ to, notifier, count }: { to: AtSign; notifier: string; count: number }): void {
    this.#run(
      `UPDATE notification SET status = 'superseded', waits_for = NULL, latest_of = NULL
      WHERE time IN (
        SELECT time FROM notification WHERE waits_for = ? AND latest_of = ? ORDER BY time DESC LIMIT -1 OFFSET ?)`,
      to,
      notifier,
      count,
    );
  }

  remove(time: number): void {
    this.#run("DELETE FROM notification_content WHERE time = ?", time);
    this.#run(
      "UPDATE notification SET status = 'removed', waits_for = NULL, latest_of = NULL, size = ? WHERE time = ?",
      rowBytes,
      time,
    );
  }

  forget(times: readonly number[]): void {
    for (const time of times) this.#run("DELETE FROM notification WHERE time = ?", time);
  }

  oldestSettled(limit: number): number[] {
    const sql = "SELECT time FROM notification WHERE kind = 'sent' AND waits_for IS NULL ORDER BY time LIMIT ?";
    return this.#all<[number]>(sql, limit).map(([time]) => time);
  }

  #statement(sql: string): StatementSync {
    let statement = this.#prepared.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare(sql);
      statement.setReturnArrays(true);
      this.#prepared.set(sql, statement);
    }
    return statement;
  }

  #run(sql: string, ...parameters: SQLInputValue[]): void {
    this.#statement(sql).run(...parameters);
  }

  /** The types of `node:sqlite` do not know that these statements return arrays. */
  #one<R>(sql: string, ...parameters: SQLInputValue[]): R | undefined {
    return this.#statement(sql).get(...parameters) as R | undefined;
  }

  #all<R>(sql: string, ...parameters: SQLInputValue[]): R[] {
    return this.#statement(sql).all(...parameters) as unknown as R[];
  }
}

/** Without a time it does nothing. */
const insertContent = `
  INSERT INTO notification_content (time, checksum, body, value) SELECT ?1, ?2, ?3, ?4 WHERE ?1 IS NOT NULL`;

const select = `
  SELECT time, kind, sender, recipient, id, status, operation, message_type, priority, attempts, expires_at,
    checksum, body, value
  FROM notification JOIN notification_content USING (time)`;

type PlaceRow = [time: number, kind: NotificationKind, size: number];

function toPlace([time, kind, size]: PlaceRow): NotificationPlace {
  return { time, kind, size };
}

type Body = Omit<NewNotification, "kind" | "id" | "from" | "to" | "value" | "operation" | "messageType" | "priority">;

type Row = [
  time: number,
  kind: NotificationKind,
  sender: AtSign,
  recipient: AtSign,
  id: string,
  status: NotificationStatus,
  operation: NewNotification["operation"],
  messageType: NewNotification["messageType"],
  priority: NewNotification["priority"],
  attempts: number,
  expiresAt: number,
  checksum: number,
  body: string,
  value: string | null,
];

function toNotification(row: Row): StoredNotification {
  const [time, kind, from, to, id, status, operation, messageType, priority, attempts, expiresAt, sum, body, value] =
    row;
  if (checksum(body, value) !== sum) damaged();
  return {
    ...(JSON.parse(body) as Body),
    ...{ time, kind, from, to, id, status, operation, messageType, priority, attempts, expiresAt },
    value: value ?? undefined,
  };
}

function checksum(body: string, value: string | null): number {
  return crc32(value ?? "", crc32(body));
}

function damaged(): never {
  throw new StoreError("corrupt", "the data is damaged");
}
