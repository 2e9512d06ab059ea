import { setTimeout as delay } from "node:timers/promises";
import { Certificates } from "../certificate.ts";
import type { Figure } from "../figure.ts";
import { privateBytes } from "../meters.ts";
import { startAtServer } from "../servers/atserver.ts";

const servers = 20;
/** Until each has done what it does once after its start. */
const settleMs = 15_000;

export const idleAtServer: Figure = {
  name: "idle-atserver",
  title: "atServer: private memory when idle",
  unit: "MB",
  target: { of: "ours", bound: "≤", value: 17 },
  async measure(resources, say) {
    const certificates = new Certificates(resources);
    const running: number[] = [];
    while (running.length < servers) running.push((await startAtServer(resources, certificates)).pid);
    say(`${servers} servers run; measuring in ${settleMs / 1_000} s`);
    await delay(settleMs);
    const ours = running.map((pid) => ({ value: privateBytes(pid) / 1_048_576 }));
    return {
      ours,
      peer: [],
      conditions: `${servers} at once, each with its own store, ${settleMs / 1_000} s after the start`,
    };
  },
};
