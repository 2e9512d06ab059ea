import { type AtSign, parseAtSign } from "../atsign.ts";
import { ProtocolError } from "../errors.ts";
import { type Syntax, syntax } from "../syntax.ts";
import type { Part } from "./llookup.ts";

export interface LookupParams {
  readonly bypassCache?: boolean;
  readonly part: Part;
  /** in lower case, without scope and owner */
  readonly name: string;
  readonly owner: AtSign;
}

/** An option that stands where the name should is one too many, not a name. */
const name = "(?!(?:bypasscache|meta|all):)[^:@\\s][^@\\s]*";
const wholeName = new RegExp(`^${name}$`, "i");

/** The form that `lookup` and `plookup` have in common. */
export function lookupSyntax(verb: string): Syntax<LookupParams> {
  return syntax<LookupParams>({
    verb,
    usage: `${verb}:[bypassCache:<true|false>:][meta:|all:]<name><@owner>`,
    pattern: new RegExp(
      `^${verb}:(?:bypassCache:(?<bypassCache>true|false):)?(?:(?<part>meta|all):)?(?<name>${name})(?<owner>@[^:@\\s]+)$`,
      "i",
    ),
    parse: ({ bypassCache, part = "value", name = "", owner = "" }) => ({
      ...(bypassCache?.toLowerCase() === "true" && { bypassCache: true }),
      part: part.toLowerCase() as Part,
      name: name.toLowerCase(),
      owner: parseAtSign(owner),
    }),
    format({ bypassCache, part, name, owner }) {
      if (!wholeName.test(name)) {
        throw new ProtocolError("invalid_syntax", `${name} cannot be looked up`);
      }
      return `${verb}:${bypassCache ? "bypassCache:true:" : ""}${part === "value" ? "" : `${part}:`}${name}${owner}`;
    },
  });
}

/** `lookup:[bypassCache:true:][meta:|all:]<name>@<owner>` — read what an owner shares with the caller. */
export const lookup = lookupSyntax("lookup");
