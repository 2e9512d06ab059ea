import { setTimeout as wait } from "node:timers/promises";
import { noop as syntax } from "@atrium/protocol";
import { verb } from "./verb.ts";

/** Answers after a while: a sign of life. */
export const noop = verb({
  syntax,
  allow: ["anonymous", "owner", "peer"],
  handle: ({ durationMs }) => (durationMs === 0 ? "ok" : wait(durationMs, "ok")),
});
