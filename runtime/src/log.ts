import { pino } from "pino";

/**
 * A structured log: `log.info({ atSign, outcome }, "constant message")`. Fields never hold stored values, keys of
 * records or secrets.
 */
export type Log = pino.Logger;

export const logLevels = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;
export type LogLevel = (typeof logLevels)[number];

/** Takes whole lines. */
export interface LogDestination {
  write(line: string): void;
}

/**
 * JSON lines with ISO times and level names.
 *
 * @param to standard output without it
 */
export function logger({ name, level = "info", to }: { name: string; level?: LogLevel; to?: LogDestination }): Log {
  const options: pino.LoggerOptions = {
    name,
    level,
    base: { name },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
  };
  return to === undefined ? pino(options) : pino(options, to);
}

/** A log for tests: nothing is written. */
export const silent: Log = pino({ level: "silent" });
