import { ProtocolError } from "../errors.ts";
import { storedKey } from "../key.ts";
import type { MetadataChange } from "../metadata.ts";
import { formatMetadata, readMetadata } from "../metadata-text.ts";
import { syntax } from "../syntax.ts";

export interface UpdateMetaParams {
  /** the stored form; whether it may be written is not judged, see `checkUpdatable` */
  readonly key: string;
  readonly metadata: MetadataChange;
}

const key = "(?:(?:cached:)?(?:public|private|local|@[^:@\\s]+):)?[^:@\\s]+@[^:@\\s]+";

/** `update:meta:<key>[:<metadata>]` — change the metadata of a record, keep its value. */
export const updateMeta = syntax<UpdateMetaParams>({
  verb: "update:meta",
  usage: "update:meta:[public:|<@atSign>:]<name><@owner>[:<metadata>]",
  pattern: new RegExp(`^update:meta:(?<key>${key})(?<items>:.*)?$`, "is"),
  parse({ key = "", items = "" }) {
    const { metadata, end } = readMetadata(items, 0);
    return end === items.length ? { key: storedKey(key), metadata } : undefined;
  },
  format({ key, metadata }) {
    if (!wholeKey.test(key)) throw new ProtocolError("invalid_syntax", `${key} cannot be updated`);
    return `update:meta:${key}${formatMetadata(metadata)}`;
  },
});

const wholeKey = new RegExp(`^${key}$`, "i");
