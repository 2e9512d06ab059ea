import { syntax } from "../syntax.ts";

/** `cram:<digest>` — log in with the activation secret, see `cramDigest`. */
export const cram = syntax<{ digest: string }>({
  verb: "cram",
  usage: "cram:<digest>",
  pattern: /^cram:(?<digest>\S+)$/,
  parse: ({ digest = "" }) => ({ digest }),
  format: ({ digest }) => `cram:${digest}`,
});
