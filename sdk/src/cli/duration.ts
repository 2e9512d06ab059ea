import { InvalidArgumentError } from "commander";

const unitMs: Record<string, number | undefined> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/**
 * Reads `500ms`, `30s`, `10m`, `2h`, `7d`. A number alone has no unit that everybody would guess, except 0.
 *
 * @returns milliseconds, or undefined when `text` is no duration
 */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d{1,12})([a-z]{0,2})$/.exec(text);
  if (match === null) return undefined;
  const amount = Number(match[1]);
  if (amount === 0 && match[2] === "") return 0;
  const unit = unitMs[match[2] ?? ""];
  const ms = amount * (unit ?? Number.NaN);
  return Number.isSafeInteger(ms) ? ms : undefined;
}

/** The value of an option. */
export function duration(text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined) throw new InvalidArgumentError("It must be a duration like 500ms, 30s, 10m, 2h or 7d.");
  return ms;
}
