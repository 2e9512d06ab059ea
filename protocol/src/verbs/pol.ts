import { syntax } from "../syntax.ts";

/** `pol` — proof of life: an atServer that said `from` asks to be verified as its atSign's. */
export const pol = syntax<Record<never, never>>({
  verb: "pol",
  usage: "pol",
  pattern: /^pol$/i,
  parse: () => ({}),
  format: () => "pol",
});
