import { ProtocolError } from "../errors.ts";
import { syntax } from "../syntax.ts";

export interface MonitorParams {
  readonly strict?: boolean;
  /** those that the owner's apps send one another, too */
  readonly selfNotifications?: boolean;
  readonly multiplexed?: boolean;
  /** epoch milliseconds: also those that arrived after it */
  readonly after?: number;
  /** as the client wrote it; not yet known to be a valid expression */
  readonly regex?: string;
}

/** `monitor[:strict][:selfNotifications][:multiplexed][:<epochMillis>][ <regex>]` — push notifications as they arrive. */
export const monitor = syntax<MonitorParams>({
  verb: "monitor",
  usage: "monitor[:strict][:selfNotifications][:multiplexed][:<epochMillis>][ <regex>]",
  pattern:
    /^monitor(?<flags>(?::(?:strict|selfNotifications|multiplexed)(?=[:\s]|$))*)(?::(?<after>\d{1,15}))?(?:\s+(?<regex>\S.*))?$/is,
  parse({ flags = "", after, regex }) {
    const given = new Set(flags.toLowerCase().split(":"));
    return {
      ...(given.has("strict") && { strict: true }),
      ...(given.has("selfnotifications") && { selfNotifications: true }),
      ...(given.has("multiplexed") && { multiplexed: true }),
      ...(after !== undefined && { after: Number(after) }),
      ...(regex !== undefined && { regex }),
    };
  },
  format({ strict, selfNotifications, multiplexed, after, regex }) {
    if (regex !== undefined && !/^[^:\s](?:.*\S)?$/s.test(regex)) {
      throw new ProtocolError("invalid_syntax", `${regex} cannot be monitored`);
    }
    const flags = `${strict ? ":strict" : ""}${selfNotifications ? ":selfNotifications" : ""}${multiplexed ? ":multiplexed" : ""}`;
    return `monitor${flags}${after === undefined ? "" : `:${after}`}${regex === undefined ? "" : ` ${regex}`}`;
  },
});
