import type { AtSign, NotifyParams } from "@atrium/protocol";

/** The key of a notification: of a text message there is no owner in it. */
export function keyOf({
  to,
  name,
  owner,
  messageType,
}: Pick<NotifyParams, "to" | "name" | "messageType"> & { owner: AtSign }): string {
  return `${to ?? "public"}:${name}${messageType === "key" ? owner : ""}`;
}

/** What is sent about a record is encrypted unless its sender says otherwise: some clients say nothing. */
export function isEncrypted({
  to,
  messageType,
  metadata,
}: Pick<NotifyParams, "to" | "messageType" | "metadata">): boolean {
  if (metadata.isEncrypted !== undefined) return metadata.isEncrypted;
  return messageType === "key" && to !== undefined;
}
