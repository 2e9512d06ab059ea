import { type AtSign, parseAtSign } from "../atsign.ts";
import { present } from "../metadata.ts";
import { formatItems, type NotifyItems, readItems } from "../notify-items.ts";
import { syntax } from "../syntax.ts";
import { formatSubject, readSubject } from "./notify.ts";

export interface NotifyAllParams extends Omit<NotifyItems, "id"> {
  /** each once */
  readonly to: readonly AtSign[];
  readonly name: string;
  readonly owner?: AtSign;
  readonly value?: string;
}

const recipientsPattern = /:(@[^:@\s,]+(?:,@[^:@\s,]+)*):/y;

/** `notify:all[:<item>…]:<@a>,<@b>:<name>[<@owner>][:<value>]` — one notification to several recipients. */
export const notifyAll = syntax<NotifyAllParams>({
  verb: "notify:all",
  usage:
    "notify:all[:update|:delete][:messageType:<key|text>][:<metadata>]:<@atSign>,<@atSign>:<key>[<@owner>][:<value>]",
  pattern: /^notify:all(?<rest>:.+)$/is,
  parse({ rest = "" }) {
    const { items, end } = readItems(rest, 0);
    recipientsPattern.lastIndex = end;
    const recipients = recipientsPattern.exec(rest);
    const subject = recipients && readSubject(rest.slice(end + recipients[0].length), items.messageType);
    // Several notifications cannot have one id.
    if (!subject || items.id !== undefined) return undefined;
    return { ...items, to: [...new Set(recipients[1]?.split(",").map(parseAtSign))], ...subject };
  },
  format({ to, name, owner, value, ...items }) {
    const subject = formatSubject({ name, ...present({ owner, value }) }, items.messageType);
    return `notify:all${formatItems(items)}:${to.join(",")}:${subject}`;
  },
});
