import { type AtSign, parseAtSign } from "../atsign.ts";
import { syntax } from "../syntax.ts";

/** `to:@alice` — say whose atServer is meant, before anything else. */
export const to = syntax<{ atSign: AtSign }>({
  verb: "to",
  usage: "to:<@atSign>",
  pattern: /^to:(?<atSign>@[^:@\s]+)$/i,
  parse: ({ atSign = "" }) => ({ atSign: parseAtSign(atSign) }),
  format: ({ atSign }) => `to:${atSign}`,
});
