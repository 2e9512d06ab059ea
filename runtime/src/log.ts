import { pino } from "pino";

/**
 * A structured log: `log.info({ atSign, outcome }, "constant message")`. Fields never hold stored values, keys of
 * records or secrets.
 */
export type Log = pino.Logger;

export const logLevels = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;
export type LogLevel = (typeof logLevels)[number];

/** JSON lines on standard output, with ISO times and level names. */
export function logger({ name, level = "info" }: { name: string; level?: LogLevel }): Log {
  return pino({
    name,
    level,
    base: { name },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
  });
}

/** A log for tests: nothing is written. */
export const silent: Log = pino({ level: "silent" });
