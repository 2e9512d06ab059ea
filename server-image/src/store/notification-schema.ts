/**
 * `time` is when a notification arrived here: the clock's, but always above that of the one before, so that it also is
 * its place in line; `meta.last_notified_at` is what keeps that so when the newest has gone or the clock was set back.
 *
 * `waits_for` is the recipient of one that is still to be delivered there, `latest_of` its notifier when only that one's
 * newest are worth it. Both are null otherwise, which keeps the indexes of what waits as small as what waits.
 *
 * A row stays until it expires, also when its content was removed: it is how a second copy is known. The content never
 * changes and may be large: it has a row of its own, which changes of the state do not write again. `checksum` is over
 * body and value.
 *
 * The counts are kept by triggers, because reading all rows to count them would take longer the more there are:
 * `notification_load` of what each sender has here and what waits for each recipient, `notification_count` of all.
 */
export const notificationSchema = `
  CREATE TABLE notification (
    time INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    sender TEXT NOT NULL,
    recipient TEXT NOT NULL,
    id TEXT NOT NULL,
    status TEXT NOT NULL,
    operation TEXT NOT NULL,
    message_type TEXT NOT NULL,
    priority TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    waits_for TEXT,
    latest_of TEXT,
    size INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE notification_content (
    time INTEGER PRIMARY KEY,
    checksum INTEGER NOT NULL,
    body TEXT NOT NULL,
    value TEXT
  ) STRICT;
  CREATE UNIQUE INDEX notification_by_id ON notification (id, sender, recipient);
  CREATE INDEX notification_by_expiry ON notification (expires_at);
  CREATE INDEX notification_inbox ON notification (time) WHERE kind <> 'sent' AND status <> 'removed';
  CREATE INDEX notification_settled ON notification (time) WHERE kind = 'sent' AND waits_for IS NULL;
  CREATE INDEX notification_queue ON notification (waits_for, time, expires_at) WHERE waits_for IS NOT NULL;
  CREATE INDEX notification_latest ON notification (waits_for, latest_of, time) WHERE latest_of IS NOT NULL;

  CREATE TABLE notification_count (
    kind TEXT NOT NULL,
    status TEXT NOT NULL,
    operation TEXT NOT NULL,
    message_type TEXT NOT NULL,
    count INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (kind, status, operation, message_type)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE notification_load (
    kind TEXT NOT NULL,
    peer TEXT NOT NULL,
    count INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (kind, peer)
  ) STRICT, WITHOUT ROWID;

  CREATE TRIGGER notification_added AFTER INSERT ON notification BEGIN ${count("new")} END;
  CREATE TRIGGER notification_deleted AFTER DELETE ON notification BEGIN
    ${discount("old")}
    DELETE FROM notification_content WHERE time = old.time;
  END;
  CREATE TRIGGER notification_changed AFTER UPDATE OF status, waits_for, size ON notification BEGIN
    ${discount("old")} ${count("new")}
  END;
`;

function count(row: "new" | "old"): string {
  return `
    INSERT INTO notification_count VALUES (${row}.kind, ${row}.status, ${row}.operation, ${row}.message_type, 1, ${row}.size)
      ON CONFLICT DO UPDATE SET count = count + 1, bytes = bytes + excluded.bytes;
    INSERT INTO notification_load SELECT ${row}.kind, ${peer(row)}, 1, ${row}.size WHERE ${isLoad(row)}
      ON CONFLICT DO UPDATE SET count = count + 1, bytes = bytes + excluded.bytes;`;
}

function discount(row: "new" | "old"): string {
  return `
    UPDATE notification_count SET count = count - 1, bytes = bytes - ${row}.size
      WHERE kind = ${row}.kind AND status = ${row}.status
        AND operation = ${row}.operation AND message_type = ${row}.message_type;
    UPDATE notification_load SET count = count - 1, bytes = bytes - ${row}.size
      WHERE kind = ${row}.kind AND peer = ${peer(row)} AND ${isLoad(row)};
    DELETE FROM notification_load WHERE kind = ${row}.kind AND peer = ${peer(row)} AND count = 0;`;
}

function peer(row: "new" | "old"): string {
  return `iif(${row}.kind = 'sent', ${row}.recipient, ${row}.sender)`;
}

function isLoad(row: "new" | "old"): string {
  return `(${row}.kind <> 'sent' OR ${row}.waits_for IS NOT NULL)`;
}
