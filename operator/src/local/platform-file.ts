import type { Address } from "@atrium/runtime/config.ts";
import { readOptional, writeAtomically } from "./files.ts";
import type { TenantView } from "./tenants.ts";

/** Tells clients and tools where everything is. Written only when it changes, for those who watch it. */
export function writePlatformFile(
  file: string,
  platform: { zone: string; directory: Address; gateway: Address; ca: string; views: readonly TenantView[] },
): void {
  const { zone, directory, gateway, ca, views } = platform;
  const atSigns = views.map(({ atSign, host, activated, activationSecret }) => ({
    atSign,
    host,
    port: gateway.port,
    activated,
    ...(activationSecret !== undefined && { activationSecret }),
  }));
  const text = `${JSON.stringify({ zone, directory, gateway, ca, atSigns }, undefined, 2)}\n`;
  if (readOptional(file) !== text) writeAtomically(file, text);
}
