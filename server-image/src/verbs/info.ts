import { info as syntax } from "@atrium/protocol";
import { protocolVersion } from "../version.ts";
import { verb } from "./verb.ts";

export const info = verb({
  syntax,
  allow: ["anonymous", "owner"],
  handle({ brief }, { monotonic, startedMs }) {
    const upMs = Math.floor(monotonic() - startedMs);
    return JSON.stringify({
      version: protocolVersion,
      ...(brief ? { uptimeAsMillis: upMs } : { uptimeAsWords: inWords(upMs) }),
    });
  },
});

const unitsMs = { days: 86_400_000, hours: 3_600_000, minutes: 60_000, seconds: 1_000 };

/** `2 hours 0 minutes 4 seconds`: units that are zero are left out at the beginning only. */
function inWords(durationMs: number): string {
  let rest = durationMs;
  const words: string[] = [];
  for (const [unit, unitMs] of Object.entries(unitsMs)) {
    const count = Math.floor(rest / unitMs);
    rest -= count * unitMs;
    if (count > 0 || words.length > 0 || unit === "seconds") words.push(`${count} ${unit}`);
  }
  return words.join(" ");
}
