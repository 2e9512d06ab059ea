import type { StoredNotification } from "../store/notifications.ts";

/** How far the delivery has come, in the words of the protocol. */
export function statusOf({ status, expiresAt }: StoredNotification, now: number): string {
  if (expiresAt <= now || status === "superseded") return "expired";
  return status === "refused" ? "errored" : status;
}
