/** The last instant whose year has four digits, as all clients expect. */
const lastInstant = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

/** @returns epoch milliseconds that can be written: far future is cut to the end of year 9999 */
export function writableInstant(epochMs: number): number {
  return Math.min(epochMs, lastInstant);
}

/** `2024-10-24 01:35:02.123Z`, as in the JSON form of metadata. */
export function formatTimestamp(epochMs: number): string {
  return new Date(epochMs).toISOString().replace("T", " ");
}

const pattern = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z?$/;

/**
 * @param text UTC, with `T` or a blank, any number of fraction digits up to nine; what is below a millisecond is cut
 * @returns epoch milliseconds; undefined when it is no instant
 */
export function parseTimestamp(text: string): number | undefined {
  const match = pattern.exec(text);
  if (match === null) return undefined;
  const [, date, time, fraction = ""] = match;
  const epochMs = Date.parse(`${date}T${time}.${fraction.padEnd(3, "0").slice(0, 3)}Z`);
  return Number.isNaN(epochMs) ? undefined : epochMs;
}
