import { pino } from "pino";
import { type LogOutput, logOutput } from "./log-output.ts";

/**
 * A structured log: `log.info({ atSign, outcome }, "constant message")`. Fields never hold stored values, keys of
 * records or secrets.
 */
export type Log = pino.Logger;

export const logLevels = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;
export type LogLevel = (typeof logLevels)[number];

interface Options {
  readonly name: string;
  readonly level?: LogLevel;
  /** standard output without it */
  readonly to?: Pick<LogOutput, "write">;
}

/** A process has one, however many logs. */
const standardOutput = logOutput(1);
process.on("exit", standardOutput.flush);

/** JSON lines with ISO times and level names. */
export function logger({ name, level = "info", to = standardOutput }: Options): Log {
  const options = {
    name,
    level,
    base: { name },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  return pino(options, to);
}

/** A log for tests: nothing is written. */
export const silent: Log = pino({ level: "silent" }, { write: () => undefined });
