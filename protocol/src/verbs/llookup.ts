import { ProtocolError } from "../errors.ts";
import { storedKey } from "../key.ts";
import { syntax } from "../syntax.ts";

/** What of a record is asked for: its value, its metadata, or name, value and metadata. */
export type Part = "value" | "meta" | "all";

export interface LlookupParams {
  readonly part: Part;
  /** the stored form */
  readonly key: string;
}

const keyPattern = /^(?!meta:|all:)(?:(?:cached:)?(?:public|@[^:@\s]+):)?(?!:)[^@\s]+@[^:@\s]+$/i;

/** `llookup[:meta|:all]:<key>` — read a record that the atServer itself holds. */
export const llookup = syntax<LlookupParams>({
  verb: "llookup",
  usage: "llookup[:meta|:all][:cached][:public|:<@atSign>]:<name><@owner>",
  pattern: /^llookup(?::(?<part>meta|all)(?=:))?:(?<key>\S+)$/i,
  parse({ part = "value", key = "" }) {
    if (!keyPattern.test(key) || key.includes("::")) return undefined;
    return { part: part.toLowerCase() as Part, key: storedKey(key) };
  },
  format({ part, key }) {
    if (!keyPattern.test(key) || key.includes("::")) {
      throw new ProtocolError("invalid_syntax", `${key} cannot be looked up`);
    }
    return `llookup:${part === "value" ? "" : `${part}:`}${key}`;
  },
});
