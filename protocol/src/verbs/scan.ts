import { type AtSign, parseAtSign } from "../atsign.ts";
import { syntax } from "../syntax.ts";

export interface ScanParams {
  readonly showHidden?: boolean;
  /** whose names, when not those of the atServer itself */
  readonly atSign?: AtSign;
  /** as the client wrote it; not yet known to be a valid expression */
  readonly regex?: string;
}

/** `scan[:showhidden:true][:@bob][:page:1][ <regex>]` — list names. The page has no effect. */
export const scan = syntax<ScanParams>({
  verb: "scan",
  usage: "scan[:showhidden:<true|false>][:<@atSign>][ <regex>]",
  pattern:
    /^scan(?::showhidden:(?<showHidden>true|false))?(?::(?<atSign>@[^:@\s]+))?(?::page:\d+)?(?:\s+(?<regex>\S+))?$/i,
  parse: ({ showHidden, atSign, regex }) => ({
    ...(showHidden?.toLowerCase() === "true" && { showHidden: true }),
    ...(atSign !== undefined && { atSign: parseAtSign(atSign) }),
    ...(regex !== undefined && { regex }),
  }),
  format: ({ showHidden, atSign, regex }) =>
    `scan${showHidden ? ":showhidden:true" : ""}${atSign === undefined ? "" : `:${atSign}`}${regex === undefined ? "" : ` ${regex}`}`,
});
