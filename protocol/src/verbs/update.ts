import { ProtocolError } from "../errors.ts";
import { storedKey } from "../key.ts";
import type { MetadataChange } from "../metadata.ts";
import { formatMetadata, readMetadata } from "../metadata-text.ts";
import { syntax } from "../syntax.ts";
import { parseUpdateJson } from "./update-json.ts";

export interface UpdateParams {
  /** the stored form; whether it may be written is not judged, see `checkUpdatable` */
  readonly key: string;
  readonly value: string;
  readonly metadata: MetadataChange;
  /** not to be told to clients that sync */
  readonly uncommitted?: boolean;
}

/** A name as `update` takes it: the owner may be missing, the scope may be one that is refused later. */
const keyPattern =
  /^:((?:(?:cached:)?(?:public|private|local|@[^:@\s]+):)?[^:@\s]+(?:@[^:@\s]+)?|privatekey:at_pkam_publickey)$/i;

/** `update[:nc][:<metadata>]:<key> <value>` — write a record. `update:json:{…}` says the same. */
export const update = syntax<UpdateParams>({
  verb: "update",
  usage: "update[:nc][:<metadata>]:[public:|<@atSign>:]<name>[<@owner>] <value>",
  pattern: /^update(?::json:(?<json>\{.*)|(?<head>:[^ ]+) (?<value>.+))$/is,
  parse({ json, head = "", value = "" }) {
    if (json !== undefined) return parseUpdateJson(json);
    const own = value.length > largeValueLength ? copied(head) : head;
    const uncommitted = /^:nc(?=:)/i.test(own);
    const { metadata, end } = readMetadata(own, uncommitted ? ":nc".length : 0);
    const key = keyPattern.exec(own.slice(end))?.[1];
    if (key === undefined) return undefined;
    return { key: storedKey(key), value, metadata, ...(uncommitted && { uncommitted }) };
  },
  format({ key, value, metadata, uncommitted }) {
    if (!keyPattern.test(`:${key}`)) throw new ProtocolError("invalid_syntax", `${key} cannot be updated`);
    if (value === "" || value !== value.trimEnd()) {
      throw new ProtocolError("invalid_syntax", "a value cannot be empty nor end in white space");
    }
    return `update${uncommitted ? ":nc" : ""}${formatMetadata(metadata)}:${key} ${value}`;
  },
});

/**
 * A part of a string keeps the whole of it in memory. Who keeps the key and metadata of a record and lets go of its value
 * must not hold on to a long line.
 */
const largeValueLength = 16_384;

function copied(text: string): string {
  return Buffer.from(text).toString();
}
