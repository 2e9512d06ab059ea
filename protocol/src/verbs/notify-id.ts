import { ProtocolError } from "../errors.ts";
import { type Syntax, syntax } from "../syntax.ts";

const id = /^[\w-]{1,248}$/;

/** A verb that takes the id of a notification and nothing else. */
function ofId(verb: string): Syntax<{ readonly id: string }> {
  return syntax({
    verb,
    usage: `${verb}:<id>`,
    pattern: new RegExp(`^${verb}:(?<id>[\\w-]{1,248})$`, "i"),
    parse: ({ id = "" }) => ({ id }),
    format(params) {
      if (!id.test(params.id)) throw new ProtocolError("invalid_syntax", `${params.id} is no id of a notification`);
      return `${verb}:${params.id}`;
    },
  });
}

/** `notify:status:<id>` — how far its delivery has come. */
export const notifyStatus = ofId("notify:status");
/** `notify:fetch:<id>` — all that is known of it. */
export const notifyFetch = ofId("notify:fetch");
/** `notify:remove:<id>` — forget it. */
export const notifyRemove = ofId("notify:remove");
