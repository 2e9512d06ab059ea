import { setImmediate as turn } from "node:timers/promises";
import { type NotifyListParams, ProtocolError, notifyList as syntax } from "@atrium/protocol";
import type { Connection } from "../connection.ts";
import { notificationTest } from "../notifications/filter.ts";
import { notificationJson } from "../notifications/json.ts";
import type { StoredNotification } from "../store/notifications.ts";
import { type Parts, verb } from "./verb.ts";

/** No client reads a longer reply. */
const maxCharacters = 10_000_000;
const smallCharacters = 65_536;
const pageSize = 100;

/** The notifications that were received and have not expired; `null` when there are none. */
export const notifyList = verb({
  syntax,
  allow: ["owner"],
  async handle(params, parts, connection) {
    // All that fits into a small reply, then in its turn the rest.
    const found = await collect(smallCharacters, params, parts, connection);
    if (found !== undefined) return replyOf(found);
    using _turn = await parts.notifications.listTurn();
    const all = await collect(maxCharacters, params, parts, connection);
    if (all !== undefined) return replyOf(all);
    throw new ProtocolError("illegal_arguments", "too many notifications: ask for some days, or by an expression");
  },
});

function replyOf(found: readonly string[]): string | null {
  return found.length === 0 ? null : `[${found.join(",")}]`;
}

/** @returns the notifications as JSON; undefined when they have more than `most` characters */
async function collect(
  most: number,
  params: NotifyListParams,
  parts: Parts,
  connection: Connection,
): Promise<string[] | undefined> {
  const found: string[] = [];
  let characters = 0;
  for await (const notification of received(params, parts, connection)) {
    const json = JSON.stringify(notificationJson(notification));
    characters += json.length;
    if (characters > most) return undefined;
    found.push(json);
  }
  return found;
}

/** Page by page, so that other connections come in between. */
async function* received(
  { from = 0, until = Number.MAX_SAFE_INTEGER, regex }: NotifyListParams,
  { store, now }: Parts,
  connection: Connection,
): AsyncGenerator<StoredNotification> {
  const wants = await notificationTest(regex, connection);
  for (let after = from - 1; ; await turn()) {
    const page = store.notifications.inbox({ after, limit: pageSize });
    for (const { time, kind } of page) {
      if (time >= until) return;
      after = time;
      const notification = kind === "received" ? store.notifications.get(time) : undefined;
      if (notification !== undefined && notification.expiresAt > now() && wants(notification)) yield notification;
    }
    if (page.length < pageSize) return;
  }
}
