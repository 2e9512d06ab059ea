import { monitor as syntax } from "@atrium/protocol";
import { notificationTest } from "../notifications/filter.ts";
import { verb } from "./verb.ts";

/**
 * Pushes notifications to this connection as they arrive, from a time on or from now on. There is no reply but a line of
 * statistics, by which a client knows that it is told from now on.
 */
export const monitor = verb({
  syntax,
  allow: ["owner"],
  async handle({ after = Number.MAX_SAFE_INTEGER, regex, selfNotifications = false }, parts, connection) {
    const { store, notifications, enrollments } = parts;
    const test = await notificationTest(regex, connection);
    const wants: typeof test = (notification) => {
      // Each time, as for a command: a client may listen for longer than it may.
      if (connection.enrollment !== undefined) enrollments.assertActive(connection.enrollment);
      return test(notification);
    };
    connection.monitoring = true;
    // What comes from now on is told in any case, also to a client whose clock is ahead.
    const wish = { after: Math.min(after, store.notifications.lastTime()), selfNotifications, wants };
    await notifications.watch(connection, wish);
    return { kind: "nothing" };
  },
});
