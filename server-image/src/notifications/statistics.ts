import { formatTimestamp } from "@atrium/protocol";
import type { NotificationCount } from "../store/notifications.ts";
import type { NotificationSweep } from "./sweep.ts";

/** How many notifications there are, as statistic 11 says it. */
export function countStatistic(counts: readonly NotificationCount[], now: number): object {
  const known = counts.filter(({ status }) => status !== "removed");
  const sum = (holds: (count: NotificationCount) => boolean = () => true): number => {
    return known.filter(holds).reduce((total, { count }) => total + count, 0);
  };
  return {
    total: sum(),
    type: { sent: sum(({ kind }) => kind === "sent"), received: sum(({ kind }) => kind === "received") },
    status: {
      delivered: sum(({ status }) => status === "delivered"),
      failed: sum(({ status }) => status === "errored" || status === "refused"),
      queued: sum(({ status }) => status === "queued"),
    },
    operations: {
      update: sum(({ operation }) => operation === "update"),
      delete: sum(({ operation }) => operation === "delete"),
    },
    messageType: {
      key: sum(({ messageType }) => messageType === "key"),
      text: sum(({ messageType }) => messageType === "text"),
    },
    createdOn: now,
  };
}

/** The last removal of what had expired, as statistic 14 says it: every member is text. */
export function sweepStatistic(last: NotificationSweep["last"]): object {
  if (last === undefined) return {};
  return {
    atCompactionType: "AtNotificationKeystore",
    lastCompactionRun: formatTimestamp(last.at),
    compactionDurationInMills: String(last.durationMs),
    preCompactionEntriesCount: String(last.before),
    postCompactionEntriesCount: String(last.before - last.removed),
    deletedKeysCount: String(last.removed),
  };
}
