import type { Log } from "@atrium/runtime/log.ts";
import type { Config } from "../config.ts";
import type { Identity } from "./identity.ts";

/**
 * The identity that the settings name, once there is one. Only the code of that source is loaded.
 *
 * @param signal ends the wait
 */
export async function openIdentity(config: Config, log: Log, signal: AbortSignal): Promise<Identity> {
  const { identity: source, host } = config;
  if (source.kind === "files") {
    const { openFileIdentity } = await import("./files.ts");
    return await openFileIdentity({ directory: source.directory, host, log, signal });
  }
  const { identityToken, platformCa, data, atSign, epoch } = config;
  if (identityToken === undefined || platformCa === undefined) throw new Error("the settings have no token or no CA");
  const [{ openServiceIdentity }, { KnownTrust }] = await Promise.all([
    import("./service.ts"),
    import("./known-trust.ts"),
  ]);
  return await openServiceIdentity({
    ...{
      url: source.url,
      tokenFile: identityToken,
      platformCa,
      known: new KnownTrust({ directory: data, epoch, log }),
    },
    ...{ atSign, host, epoch, log, signal },
  });
}
