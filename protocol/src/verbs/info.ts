import { syntax } from "../syntax.ts";

/** `info[:brief]` — version and uptime. */
export const info = syntax<{ brief: boolean }>({
  verb: "info",
  usage: "info[:brief]",
  pattern: /^info(?<brief>:brief)?$/i,
  parse: ({ brief }) => ({ brief: brief !== undefined }),
  format: ({ brief }) => (brief ? "info:brief" : "info"),
});
