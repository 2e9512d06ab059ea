import type { Resources } from "../resources.ts";
import { startGateway } from "./gateway.ts";
import { startHaproxy } from "./haproxy.ts";
import type { Running } from "./process.ts";
import { startUpstream } from "./upstream.ts";

/** The names that both gateways route. */
export const hosts = { echo: "alice.at.example.org", stream: "bob.at.example.org" } as const;

type Listening = Running & { readonly port: number };

/** Ours and its peer, in front of the same upstream. */
export async function startGateways(resources: Resources): Promise<{ ours: Listening; peer: Listening }> {
  const upstream = await startUpstream(resources);
  const routes = { [hosts.echo]: upstream.echo, [hosts.stream]: upstream.stream };
  return { ours: await startGateway(resources, routes), peer: await startHaproxy(resources, routes) };
}
