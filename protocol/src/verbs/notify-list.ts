import { ProtocolError } from "../errors.ts";
import { present } from "../metadata.ts";
import { syntax } from "../syntax.ts";

export interface NotifyListParams {
  /** epoch milliseconds: the first of those that are wanted, and the first that are not any more; whole days of UTC */
  readonly from?: number;
  readonly until?: number;
  /** as the client wrote it; not yet known to be a valid expression */
  readonly regex?: string;
}

const dayMs = 86_400_000;
const date = "\\d{4}-\\d{1,2}-\\d{1,2}";

/** `notify:list[:<from>][:<to>][:<regex>]` — the notifications that were received, of both days and those between. */
export const notifyList = syntax<NotifyListParams>({
  verb: "notify:list",
  usage: "notify:list[:<YYYY-MM-DD>][:<YYYY-MM-DD>][:<regex>]",
  pattern: new RegExp(`^notify:list(?::(?<from>${date})(?=:|$))?(?::(?<to>${date})(?=:|$))?(?::(?<regex>.+))?$`, "i"),
  parse({ from, to, regex }) {
    const start = from === undefined ? undefined : startOf(from);
    const until = to === undefined ? undefined : startOf(to) + dayMs;
    if (start !== undefined && until !== undefined && until <= start) {
      throw new ProtocolError("illegal_arguments", "ToDate cannot be less than FromDate");
    }
    return present<NotifyListParams>({ from: start, until, regex });
  },
  format({ from, until, regex }) {
    if (from === undefined && until !== undefined) {
      throw new ProtocolError("invalid_syntax", "a last day needs a first day");
    }
    const days = [from, until === undefined ? undefined : until - dayMs].filter((day) => day !== undefined);
    return `notify:list${days.map((day) => `:${dayOf(day)}`).join("")}${regex === undefined ? "" : `:${regex}`}`;
  },
});

function startOf(day: string): number {
  const epochMs = Date.parse(`${day}T00:00:00.000Z`);
  // What Date takes for a day of the next month is no date either.
  if (Number.isNaN(epochMs) || dayOf(epochMs) !== day) {
    throw new ProtocolError("illegal_arguments", "Invalid date format");
  }
  return epochMs;
}

function dayOf(epochMs: number): string {
  return new Date(epochMs).toISOString().slice(0, "YYYY-MM-DD".length);
}
