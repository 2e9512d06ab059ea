import type { Figure } from "../figure.ts";
import { atServerBesideRedis } from "./atserver-requests.ts";

export const update: Figure = {
  name: "update",
  title: "atServer: durable update per CPU second, beside SET with appendfsync always",
  unit: "1/s",
  peer: "Redis",
  target: { of: "ratio", bound: "≥", value: 0.6 },
  measure: (resources, say) => atServerBesideRedis(resources, say, { ours: "update", peer: "set", durable: true }),
};

/** Nothing to commit together: each write pays for its own. */
export const updateAlone: Figure = {
  ...update,
  name: "update-alone",
  title: "atServer: durable update of a single client per CPU second, beside SET with appendfsync always",
  measure: (resources, say) =>
    atServerBesideRedis(resources, say, { ours: "update", peer: "set", durable: true, connections: 1 }),
};
