import { type AtSign, ProtocolError } from "@atrium/protocol";
import type { NotificationChanges, NotificationKind } from "../store/notifications.ts";

/** How long a notification lives whose sender does not say. */
export const defaultLifeMs = 15 * 60_000;
/** Whatever its sender says: nothing is kept for ever. */
const maxLifeMs = 30 * 86_400_000;

/** @param ttlnMs as its sender says; 0 as if it did not */
export function lifeOf(ttlnMs = 0): number {
  return ttlnMs === 0 ? defaultLifeMs : Math.min(ttlnMs, maxLifeMs);
}

const mebibyte = 1024 * 1024;

/**
 * How many bytes may be there at once, so that nobody fills the disk, of which a small atServer has a gigabyte: of what
 * one sender has here, what waits for one recipient, what the owner's apps tell each other. From `crowded` on, all of a
 * kind together, only those who have little there may add more, so that a few cannot shut out the rest; and nobody once
 * there is as much as `total`. A small notification takes less than a kilobyte.
 */
export const bounds = {
  perPeer: 32 * mebibyte,
  crowded: 64 * mebibyte,
  perPeerInCrowd: mebibyte,
  total: 128 * mebibyte,
} as const;

/** Sent ones that need not be known any more are forgotten so many at a time. */
const forgottenAtOnce = 16;

/**
 * @param peer of whom this is one more
 * @throws {ProtocolError} `paused` when there is no room for it: the sender may try again later
 */
export function assertRoom(changes: NotificationChanges, kind: NotificationKind, peer: AtSign): void {
  const { bytes } = changes.totals(kind);
  const crowded = bytes >= bounds.crowded && !forgetSettled(changes, kind);
  const bound = crowded ? bounds.perPeerInCrowd : bounds.perPeer;
  if (changes.load(kind, peer).bytes >= bound) throw noRoom(`too many notifications ${whose(kind, peer)}`);
  if (bytes >= bounds.total) throw noRoom("too many notifications");
}

/** How the delivery of the oldest went is not asked for any more. @returns whether that made room */
function forgetSettled(changes: NotificationChanges, kind: NotificationKind): boolean {
  const settled = kind === "sent" ? changes.oldestSettled(forgottenAtOnce) : [];
  if (settled.length > 0) changes.forget(settled);
  return settled.length > 0;
}

function whose(kind: NotificationKind, peer: AtSign): string {
  return kind === "sent" ? `wait for ${peer}` : `of ${peer} are here`;
}

function noRoom(detail: string): ProtocolError {
  return new ProtocolError("paused", detail, { closes: false });
}
