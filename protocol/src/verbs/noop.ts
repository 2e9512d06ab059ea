import { ProtocolError } from "../errors.ts";
import { syntax } from "../syntax.ts";

export const maxNoopMs = 5000;

/** `noop:<milliseconds>` — wait, then answer `ok`. */
export const noop = syntax<{ durationMs: number }>({
  verb: "noop",
  usage: "noop:<durationInMillis>",
  pattern: /^noop:(?<duration>\d+)$/,
  parse({ duration }) {
    const durationMs = Number(duration);
    if (durationMs > maxNoopMs) {
      const detail = `noop:<durationInMillis> where the duration maximum is ${maxNoopMs} milliseconds`;
      throw new ProtocolError("illegal_arguments", detail);
    }
    return { durationMs };
  },
  format: ({ durationMs }) => `noop:${durationMs}`,
});
