import { X509Certificate } from "node:crypto";
import { formatTimestamp, info as syntax } from "@atrium/protocol";
import { protocolVersion } from "../version.ts";
import { verb } from "./verb.ts";

/** Tells what runs here and since when, and by which certificate other atServers know it. */
export const info = verb({
  syntax,
  allow: ["anonymous", "owner", "peer"],
  handle({ form }, parts, { enrollment }) {
    const { certificate } = parts.identity.current.client;
    if (form === "mtls") return JSON.stringify({ mtls_fullchain: certificate });
    if (form === "mtlsbrief") return JSON.stringify(ageOf(certificate));
    const upMs = Math.floor(parts.monotonic() - parts.startedMs);
    if (form === "brief") return JSON.stringify({ version: protocolVersion, uptimeAsMillis: upMs });
    return JSON.stringify({
      version: protocolVersion,
      uptimeAsWords: inWords(upMs),
      // An enrolled app is told what is stored of it; nobody else is.
      apkam_metadata: enrollment && parts.enrollments.find(enrollment.id),
    });
  },
});

/** The key was made for this certificate: both are as old. */
function ageOf(certificate: string): Record<string, string> {
  const since = formatTimestamp(Date.parse(new X509Certificate(certificate).validFrom));
  return { mtls_fullchain_last_modified: since, mtls_privkey_last_modified: since };
}

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
