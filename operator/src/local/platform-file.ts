import type { Address } from "@atrium/runtime/config.ts";
import { readOptional, writeAtomically } from "./files.ts";
import type { TenantView } from "./tenants.ts";

interface PlatformFile {
  readonly zone: string;
  readonly directory: Address;
  readonly gateway: Address;
  /** file with the root that signs everybody's certificate */
  readonly ca: string;
  readonly atSigns: readonly TenantView[];
}

/**
 * Tells clients and tools where everything is. Written only when it changes, for those who watch it.
 *
 * @throws {Error} when it cannot be written; what was there stays then
 */
export function writePlatformFile(file: string, { zone, directory, gateway, ca, atSigns: views }: PlatformFile): void {
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
