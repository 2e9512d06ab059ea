import { fileURLToPath } from "node:url";
import type { Address } from "@atrium/runtime/config.ts";
import type { Resources } from "../resources.ts";
import { addressOf, startOurs } from "./process.ts";

/** What both gateways lead to: see load/upstream.ts. */
export async function startUpstream(resources: Resources): Promise<{ echo: Address; stream: Address }> {
  const script = fileURLToPath(new URL("../load/upstream.ts", import.meta.url));
  const args = ["--disable-warning=ExperimentalWarning", script];
  const { addresses } = resources.use(
    await startOurs({ name: "upstream", command: process.execPath, args, role: "upstream" }),
  );
  return { echo: addressOf(addresses, "echo"), stream: addressOf(addresses, "stream") };
}
