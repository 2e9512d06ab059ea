import {
  type AtSign,
  isCommitted,
  isLive,
  isProtected,
  ProtocolError,
  parseKey,
  deleteRecord as syntax,
} from "@atrium/protocol";
import { deleteActivationSecret } from "../activation.ts";
import { notifyRecipient, recipientOf } from "../notifications/auto-notify.ts";
import type { StoredRecord } from "../store/store.ts";
import { verb } from "./verb.ts";

/** Removes a record. Answered with a commit id, also where there was none to remove. */
export const deleteRecord = verb({
  syntax,
  allow: ["owner"],
  needs: ({ key }) => ({ access: "rw", key, doing: "delete" }),
  async handle({ key, force = false, uncommitted = false, priority }, parts) {
    const { atSign, store, notifications, now } = parts;
    if (key === "privatekey:at_secret") {
      await deleteActivationSecret(parts);
      return "-1";
    }
    assertDeletable(key, atSign);
    const operation = isCommitted(key) && !uncommitted ? "-" : null;
    const commitId = await store.write((tx) => {
      // A copy is the recipient's to drop, whatever its owner says of the original.
      if (!parseKey(key).cached) assertMutable(tx.get(key), force, now());
      notifyRecipient(tx, key, { operation: "delete", priority }, parts);
      return tx.delete(key, operation);
    });
    if (recipientOf(key, atSign) !== undefined) notifications.committed();
    notifications.recordChanged(commitId, "delete");
    return String(commitId);
  },
});

function assertDeletable(key: string, atSign: AtSign): void {
  if (isProtected(key, atSign)) throw new ProtocolError("unauthorized", `Cannot delete protected key: '${key}'`);
  const { cached, owner = atSign } = parseKey(key);
  if (!cached && owner !== atSign) {
    throw new ProtocolError("invalid_key", `${key} is of ${owner}, not of ${atSign}`);
  }
}

function assertMutable(record: StoredRecord | undefined, force: boolean, now: number): void {
  if (!force && record?.metadata.immutable && isLive(record.metadata, now)) {
    throw new ProtocolError("illegal_state", `${record.key} is immutable`);
  }
}
