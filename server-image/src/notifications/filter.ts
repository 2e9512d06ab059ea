import type { Connection } from "../connection.ts";
import { nameTest } from "../regex.ts";
import { mayAccess } from "../rights/rights.ts";
import type { StoredNotification } from "../store/notifications.ts";

/** A text message is its own key, and may be long: an expression is looked for in its beginning. */
const searchedCharacters = 4_096;

/**
 * Which notifications a client is to be told of: whose key or sender (without `@`) has its expression in it, and which it
 * may read.
 *
 * @throws {ProtocolError} when the expression is not understood
 */
export async function notificationTest(
  regex: string | undefined,
  connection: Pick<Connection, "enrollment">,
): Promise<(notification: StoredNotification) => boolean> {
  const matches = await nameTest(regex);
  return ({ key, from }) => {
    if (!matches(key.slice(0, searchedCharacters)) && !matches(from.slice(1))) return false;
    const { enrollment } = connection;
    return enrollment === undefined || mayAccess(enrollment.namespaces, { key, access: "r", verb: "monitor" });
  };
}
