import { type AtSign, type ErrorName, notify, ProtocolError } from "@atrium/protocol";
import type { NotificationPlace, NotificationReads, StoredNotification } from "../store/notifications.ts";
import { isLarge, type LargeShare } from "./large.ts";

export interface DeliveryParts {
  readonly store: { readonly notifications: Pick<NotificationReads, "get"> };
  readonly peers: {
    /** @returns what stood behind `data:` */
    askAs(atSign: AtSign, command: string, options: { answerMs: number }): Promise<string>;
  };
  readonly large: LargeShare;
}

/** The recipient's atServer answers when it has read and stored it. */
const answerMs = 10_000;
const leastBytesPerMs = 100;

/**
 * What a recipient answers that will never take this notification, however often it is tried. Everything else may pass:
 * it was not reached, is busy, or blocks us for now.
 */
const refusals: ReadonlySet<ErrorName> = new Set([
  "invalid_syntax",
  "buffer_limit",
  "unauthorized",
  "invalid_key",
  "illegal_arguments",
]);

export function isRefusal(error: unknown, { size }: NotificationPlace): boolean {
  if (!(error instanceof ProtocolError) || !refusals.has(error.error)) return false;
  // A small one is too long for nobody: then it was the answer.
  return error.error !== "buffer_limit" || isLarge(size);
}

/**
 * Delivers a notification to its recipient, who knows it by its id when it comes a second time.
 *
 * @throws {ProtocolError} why it was not delivered
 */
export async function deliver(place: NotificationPlace, { store, peers, large }: DeliveryParts): Promise<void> {
  using room = await large.take(place.size);
  if (room === undefined) throw new ProtocolError("paused", "too many large notifications are on their way");
  const notification = store.notifications.get(place.time);
  // The owner removed it meanwhile.
  if (notification === undefined) return;
  const reply = await peers.askAs(notification.to, deliveryLine(notification), {
    answerMs: answerMs + place.size / leastBytesPerMs,
  });
  if (reply !== "success") throw new ProtocolError("socket", `${notification.to} did not take the notification`);
}

/** The command for the recipient's atServer. */
function deliveryLine(notification: StoredNotification): string {
  const { id, operation, messageType, notifier, lifeMs, isEncrypted, metadata, to, key, value } = notification;
  const { createdAt, updatedAt, ...told } = metadata;
  const at = key.lastIndexOf("@");
  const scope = `${to}:`;
  const owned = at > scope.length && messageType === "key";
  return notify.format({
    id,
    operation,
    messageType,
    notifier,
    ttln: lifeMs,
    metadata: { ...told, isEncrypted },
    to,
    name: key.slice(scope.length, owned ? at : undefined),
    // A value behind a text is only known for one by an owner between them.
    ...((owned || value !== undefined) && { owner: owned ? (key.slice(at) as AtSign) : notification.from }),
    ...(value !== undefined && { value }),
  });
}
