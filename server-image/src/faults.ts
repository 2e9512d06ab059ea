import { ProtocolError } from "@atrium/protocol";
import type { Log } from "@atrium/runtime/log.ts";
import { StoreError } from "./store/store.ts";

const explained: Readonly<Record<StoreError["reason"], string>> = {
  full: "no room left for data",
  io: "the data cannot be read or written",
  busy: "too much is waiting to be written",
  corrupt: "the data is damaged",
  newer: "the data was written by a newer release",
  closed: "the server is stopping",
};

/** What a client is told of whatever was thrown. Causes that are not the client's go to the log, here and only here. */
export function asProtocolError(thrown: unknown, log: Log): ProtocolError {
  if (thrown instanceof ProtocolError) {
    if (thrown.cause !== undefined) log.warn({ err: thrown.cause, error: thrown.error }, "command failed");
    return thrown;
  }
  log.error({ err: thrown }, "command failed");
  if (thrown instanceof StoreError) return new ProtocolError("data_store", explained[thrown.reason]);
  return new ProtocolError("internal", "");
}
