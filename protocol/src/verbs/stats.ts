import { syntax } from "../syntax.ts";

export interface StatsParams {
  /** which statistics, in the order asked for; undefined: all */
  readonly ids?: readonly number[];
  /** for statistics 3 or 15 alone: which keys count */
  readonly regex?: string;
}

const maxIds = 64;

/** `stats[:3,4][:<regex>]` — read statistics. */
export const stats = syntax<StatsParams>({
  verb: "stats",
  usage: "stats[:<id>[,<id>…]][:<regex>] with a regex for 3 and 15 only",
  pattern: /^stats(?::(?<ids>[1-9]\d{0,3}(?:,[1-9]\d{0,3})*)(?::(?<regex>.+))?)?$/is,
  parse({ ids: list, regex }) {
    if (list === undefined) return {};
    const ids = list.split(",", maxIds + 1).map(Number);
    if (ids.length > maxIds) return undefined;
    if (regex === undefined) return { ids };
    return list === "3" || list === "15" ? { ids, regex } : undefined;
  },
  format: ({ ids, regex }) =>
    `stats${ids === undefined ? "" : `:${ids.join(",")}`}${regex === undefined ? "" : `:${regex}`}`,
});
