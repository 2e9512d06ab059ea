import { type AtSign, parseAtSign } from "../atsign.ts";
import { ProtocolError } from "../errors.ts";
import { syntax } from "../syntax.ts";

export interface ScanParams {
  readonly showHidden?: boolean;
  /** whose names, when not those of the atServer itself */
  readonly atSign?: AtSign;
  /** the last change of each name in place of the names */
  readonly commitLog?: boolean;
  /** as the client wrote it, without white space and no colon in front; not yet known to be a valid expression */
  readonly regex?: string;
}

/** `scan[:showhidden:true][:@bob][:page:1][:cl][ <regex>]` — list names. The page has no effect. */
export const scan = syntax<ScanParams>({
  verb: "scan",
  usage: "scan[:showhidden:<true|false>][:<@atSign>][:cl][ <regex>]",
  pattern:
    /^scan(?::showhidden:(?<showHidden>true|false))?(?::(?<atSign>@[^:@\s]+))?(?::page:\d+)?(?<cl>:cl)?(?:\s+(?<regex>[^:\s]\S*))?$/i,
  parse: ({ showHidden, atSign, cl, regex }) => ({
    ...(showHidden?.toLowerCase() === "true" && { showHidden: true }),
    ...(atSign !== undefined && { atSign: parseAtSign(atSign) }),
    ...(cl !== undefined && { commitLog: true }),
    ...(regex !== undefined && { regex }),
  }),
  format({ showHidden, atSign, commitLog, regex }) {
    if (regex !== undefined && !/^[^:\s]\S*$/.test(regex)) {
      throw new ProtocolError("invalid_syntax", `${regex} cannot be scanned for`);
    }
    const options = `${showHidden ? ":showhidden:true" : ""}${atSign === undefined ? "" : `:${atSign}`}${commitLog ? ":cl" : ""}`;
    return `scan${options}${regex === undefined ? "" : ` ${regex}`}`;
  },
});
