import type { Figure } from "../figure.ts";
import { atServerBesideRedis } from "./atserver-requests.ts";

export const update: Figure = {
  name: "update",
  title: "atServer: durable update per CPU second, beside SET with appendfsync always",
  unit: "1/s",
  peer: "Redis",
  target: { of: "ratio", bound: "≥", value: 0.5 },
  measure: (resources, say) => atServerBesideRedis(resources, say, { ours: "update", peer: "set", durable: true }),
};
