import {
  notifyFetch as fetchSyntax,
  formatMetadataJson,
  formatTimestamp,
  notifyRemove as removeSyntax,
  notifyStatus as statusSyntax,
} from "@atrium/protocol";
import { statusOf } from "../notifications/status.ts";
import type { StoredNotification } from "../store/notifications.ts";
import { type Need, type Parts, verb } from "./verb.ts";

/** How far the delivery of a notification has come; `null` for one that is not known. */
export const notifyStatus = verb({
  syntax: statusSyntax,
  allow: ["owner"],
  needs: needs("r", "fetch notify"),
  handle({ id }, { store, now }) {
    const notification = store.notifications.byId(id);
    return notification === undefined ? null : statusOf(notification, now());
  },
});

/** All that is known of a notification. */
export const notifyFetch = verb({
  syntax: fetchSyntax,
  allow: ["owner"],
  needs: needs("r", "fetch notify"),
  handle({ id }, { store, now }) {
    const notification = store.notifications.byId(id);
    if (notification === undefined) {
      return JSON.stringify({ id, notificationStatus: "NotificationStatus.expired" });
    }
    return JSON.stringify(detailsOf(notification, now()));
  },
});

/** Forgets a notification: it is not shown again, nor delivered if it was not yet. */
export const notifyRemove = verb({
  syntax: removeSyntax,
  allow: ["owner"],
  needs: needs("rw", "remove notify"),
  async handle({ id }, { store }) {
    const notification = store.notifications.byId(id);
    if (notification !== undefined) await store.write((tx) => tx.notifications.remove(notification.time));
    return "success";
  },
});

/** What an enrolled app needs is decided by the key of the notification. */
function needs(access: Need["access"], doing: string) {
  return ({ id }: { id: string }, { store }: Parts): Need | undefined => {
    const key = store.notifications.byId(id)?.key;
    return key === undefined ? undefined : { access, key, doing };
  };
}

/** Every member is text, also where there is nothing to say. */
function detailsOf(notification: StoredNotification, now: number): Record<string, string> {
  const { id, from, to, key, kind, operation, messageType, priority, attempts, strategy, latestN } = notification;
  return {
    id,
    fromAtSign: from,
    notificationDateTime: formatTimestamp(notification.time),
    toAtSign: to,
    notification: key,
    type: `NotificationType.${kind}`,
    opType: `OperationType.${operation}`,
    messageType: `MessageType.${messageType}`,
    priority: `NotificationPriority.${priority}`,
    notificationStatus: `NotificationStatus.${statusOf(notification, now)}`,
    retryCount: String(Math.max(1, attempts)),
    strategy,
    depth: String(latestN),
    notifier: notification.notifier,
    expiresAt: formatTimestamp(notification.expiresAt),
    atValue: notification.value ?? "null",
    atMetadata: metadataText(notification),
    ttl: String(notification.lifeMs),
  };
}

/** Not JSON: as the reference's language writes a map. */
function metadataText({ from, metadata, isEncrypted }: StoredNotification): string {
  const members = formatMetadataJson({ createdBy: from, ...withoutNulls(metadata), isEncrypted });
  const texts = Object.entries(members).map(([name, value]) => {
    return `${name}: ${typeof value === "object" ? JSON.stringify(value) : value}`;
  });
  return `{${texts.join(", ")}}`;
}

function withoutNulls<T extends object>(members: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== null)) as never;
}
