import { type Log, silent } from "@atrium/runtime/log.ts";

/** A log whose warnings and errors are kept. */
export function recordingLog(): { log: Log; lines: { fields: { err?: Error }; message: string }[] } {
  const lines: { fields: { err?: Error }; message: string }[] = [];
  const record = (fields: object, message = "") => void lines.push({ fields, message });
  const log: Log = Object.create(silent, { warn: { value: record }, error: { value: record } });
  return { log, lines };
}
