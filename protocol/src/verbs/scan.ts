import { type AtSign, parseAtSign } from "../atsign.ts";
import { ProtocolError } from "../errors.ts";
import { syntax } from "../syntax.ts";

export interface ScanParams {
  readonly showHidden?: boolean;
  /** whose names, when not those of the atServer itself */
  readonly atSign?: AtSign;
  /** as the client wrote it, without white space and no colon in front; not yet known to be a valid expression */
  readonly regex?: string;
}

/** `scan[:showhidden:true][:@bob][:page:1][ <regex>]` — list names. The page has no effect. */
export const scan = syntax<ScanParams>({
  verb: "scan",
  usage: "scan[:showhidden:<true|false>][:<@atSign>][ <regex>]",
  pattern:
    /^scan(?::showhidden:(?<showHidden>true|false))?(?::(?<atSign>@[^:@\s]+))?(?::page:\d+)?(?:\s+(?<regex>[^:\s]\S*))?$/i,
  parse: ({ showHidden, atSign, regex }) => ({
    ...(showHidden?.toLowerCase() === "true" && { showHidden: true }),
    ...(atSign !== undefined && { atSign: parseAtSign(atSign) }),
    ...(regex !== undefined && { regex }),
  }),
  format({ showHidden, atSign, regex }) {
    if (regex !== undefined && !/^[^:\s]\S*$/.test(regex)) {
      throw new ProtocolError("invalid_syntax", `${regex} cannot be scanned for`);
    }
    const options = `${showHidden ? ":showhidden:true" : ""}${atSign === undefined ? "" : `:${atSign}`}`;
    return `scan${options}${regex === undefined ? "" : ` ${regex}`}`;
  },
});
