import { type AtSign, parseAtSign } from "../atsign.ts";
import { ProtocolError } from "../errors.ts";
import { groupsOf } from "../long-text.ts";
import { present } from "../metadata.ts";
import { formatItems, type NotifyItems, readItems } from "../notify-items.ts";
import { syntax } from "../syntax.ts";

export interface NotifyParams extends NotifyItems {
  /** the recipient; undefined for a public record, which is nobody's in particular */
  readonly to?: AtSign;
  /** the record's name or, with messageType `text`, the text; as the client wrote it */
  readonly name: string;
  readonly owner?: AtSign;
  readonly value?: string;
}

/** What a notification is about. */
export type NotifySubject = Pick<NotifyParams, "name" | "owner" | "value">;

const scopePattern = /:(?:public|(?<to>@[^:@\s]+)):/iy;

/** `notify[:<item>…]:<@recipient>:<name>[<@owner>][:<value>]` — tell another atSign, or one's own apps, of a record. */
export const notify = syntax<NotifyParams>({
  verb: "notify",
  usage: "notify[:id:<id>][:update|:delete][:<option>:<value>…][:<metadata>]:<@atSign>:<key>[<@owner>][:<value>]",
  pattern: /^notify(?<rest>:.+)$/is,
  parse({ rest = "" }) {
    const { items, end } = readItems(rest, 0);
    scopePattern.lastIndex = end;
    const scope = scopePattern.exec(rest);
    const subject = scope && readSubject(rest.slice(end + scope[0].length), items.messageType);
    if (!subject) return undefined;
    const { to } = scope.groups ?? {};
    return { ...items, ...(to !== undefined && { to: parseAtSign(to) }), ...subject };
  },
  format({ to, name, owner, value, ...items }) {
    return `notify${formatItems(items)}:${to ?? "public"}:${formatSubject({ name, ...present({ owner, value }) }, items.messageType)}`;
  },
});

const keyPattern = /^(?<name>[^:@\s]+)(?<owner>@[^:@\s]+)?(?::(?<value>.+))?$/s;
const ownedTextPattern = /^(?<name>[^@]+)(?<owner>@[^:@\s]+)(?::(?<value>.+))?$/s;

/**
 * The end of the command. A text may have blanks and colons, so there is a value behind it only when an owner stands
 * between them.
 *
 * @returns undefined when it is none
 */
export function readSubject(text: string, messageType: NotifyItems["messageType"]): NotifySubject | undefined {
  if (text === "") return undefined;
  const groups = groupsOf(messageType === "key" ? keyPattern : ownedTextPattern, text);
  if (groups === undefined) return messageType === "key" ? undefined : { name: text };
  const { name = "", owner, value } = groups;
  return present<NotifySubject>({ name, owner: owner === undefined ? undefined : parseAtSign(owner), value });
}

/** @throws {ProtocolError} `invalid_syntax` when it would be read as something else */
export function formatSubject(subject: NotifySubject, messageType: NotifyItems["messageType"]): string {
  const { name, owner = "", value } = subject;
  // Any value is read alike, and this one may be long.
  const back = readSubject(`${name}${owner}${value === undefined ? "" : ":v"}`, messageType);
  const same =
    back?.name === name && (back.owner ?? "") === owner && (back.value === undefined) === (value === undefined);
  const end = value ?? name + owner;
  if (!same || end === "" || end !== end.trimEnd()) {
    throw new ProtocolError("invalid_syntax", `${name.slice(0, 50)} cannot be notified`);
  }
  return `${name}${owner}${value === undefined ? "" : `:${value}`}`;
}
