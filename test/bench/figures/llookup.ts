import type { Figure } from "../figure.ts";
import { atServerBesideRedis } from "./atserver-requests.ts";

export const llookup: Figure = {
  name: "llookup",
  title: "atServer: llookup per CPU second, beside GET",
  unit: "1/s",
  peer: "Redis",
  target: { of: "ratio", bound: "≥", value: 0.45 },
  measure: (resources, say) => atServerBesideRedis(resources, say, { ours: "llookup", peer: "get", durable: false }),
};
