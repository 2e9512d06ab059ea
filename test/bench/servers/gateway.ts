import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Address } from "@atrium/runtime/config.ts";
import type { Resources } from "../resources.ts";
import { bundleOf } from "./bundle.ts";
import { addressOf, type Running, startOurs } from "./process.ts";

/** The gateway with a file of routes; its limits per client are out of the way, because all load comes from one. */
export async function startGateway(
  resources: Resources,
  routes: Readonly<Record<string, Address>>,
): Promise<Running & { readonly port: number }> {
  const file = join(resources.directory(), "routes.json");
  const table = Object.entries(routes).map(([host, { host: address, port }]) => ({
    host,
    state: "Serving",
    address,
    port,
    uid: host,
    epoch: 1,
  }));
  writeFileSync(file, JSON.stringify(table));
  const gateway = await startOurs({
    name: "gateway",
    command: process.execPath,
    args: [bundleOf("gateway")],
    env: {
      GATEWAY_LISTEN: "127.0.0.1:0",
      GATEWAY_HEALTH_LISTEN: "127.0.0.1:0",
      GATEWAY_ROUTES: pathToFileURL(file).href,
      GATEWAY_MAX_CONNECTIONS_PER_ADDRESS: "20000",
      GATEWAY_MAX_CONNECTIONS_PER_ATSIGN: "20000",
      GATEWAY_LOG_LEVEL: "warn",
    },
  });
  return { ...resources.use(gateway), port: addressOf(gateway.addresses, "main").port };
}
