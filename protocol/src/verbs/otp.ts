import { ProtocolError } from "../errors.ts";
import { present } from "../metadata.ts";
import { syntax } from "../syntax.ts";

export interface OtpParams {
  /** to be given a passcode for one use, or to leave one that may be used until it is replaced */
  readonly operation: "get" | "put";
  /** with `put` */
  readonly passcode?: string;
  /** milliseconds */
  readonly ttl?: number;
}

const passcodePattern = /^\w{6,100}$/;

/** `otp:get[:ttl:<ms>]`, `otp:put:<passcode>[:ttl:<ms>]` — the word by which a new app may ask to be let in. */
export const otp = syntax<OtpParams>({
  verb: "otp",
  usage: "otp:get[:ttl:<ms>], otp:put:<passcode of 6 or more letters and digits>[:ttl:<ms>]",
  pattern: /^otp:(?:get|put:(?<passcode>\w{6,100}))(?::ttl:(?<ttl>\d{1,14}))?$/i,
  parse: ({ passcode, ttl }) => ({
    operation: passcode === undefined ? "get" : "put",
    ...present({ passcode, ttl: ttl === undefined ? undefined : Number(ttl) }),
  }),
  format({ operation, passcode, ttl }) {
    if (operation === "put" && !passcodePattern.test(passcode ?? "")) {
      throw new ProtocolError("invalid_syntax", "a passcode has 6 or more letters and digits");
    }
    return `otp:${operation}${operation === "put" ? `:${passcode}` : ""}${ttl === undefined ? "" : `:ttl:${ttl}`}`;
  },
});
