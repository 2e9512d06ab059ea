import { ProtocolError, notifyAll as syntax } from "@atrium/protocol";
import { keyOf } from "../notifications/subject.ts";
import { assertOwn, outgoingOf } from "./notify.ts";
import { verb } from "./verb.ts";

/** All are added in one transaction, which others wait for. */
const maxRecipients = 1_000;

/** Tells several atSigns the same; either all notifications are kept, or none. Answered by the id for each. */
export const notifyAll = verb({
  syntax,
  allow: ["owner"],
  // The recipient makes no difference.
  needs: ({ to: [to], ...params }, { atSign }) => {
    const key = keyOf({ ...params, ...(to !== undefined && { to }), owner: atSign });
    return { access: "rw", key, doing: "notify" };
  },
  async handle(params, { atSign, store, notifications }) {
    assertOwn(params.owner, atSign);
    if (params.to.length > maxRecipients) {
      throw new ProtocolError("illegal_arguments", `more than ${maxRecipients} recipients`);
    }
    const ids = await store.write((tx) => {
      return params.to.map((to) => [
        to,
        notifications.add(tx, { ...params, ...outgoingOf({ ...params, to }, atSign), to }),
      ]);
    });
    notifications.committed();
    // The blank is part of the protocol.
    return ` ${JSON.stringify(Object.fromEntries(ids))}`;
  },
});
