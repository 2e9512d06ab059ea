import type { Figure, Sample } from "../figure.ts";
import { LoadGroup } from "../load/group.ts";
import type { IdleOptions } from "../load/idle.ts";
import { privateBytes } from "../meters.ts";
import type { Resources } from "../resources.ts";
import { hosts, startGateways } from "../servers/gateways.ts";

const connections = 2_000;
const settleMs = 3_000;

export const gatewayIdleConnection: Figure = {
  name: "gateway-idle-connection",
  title: "gateway: memory per idle connection",
  unit: "KB",
  peer: "HAProxy",
  target: { of: "ours", bound: "≤", value: 10 },
  async measure(resources, say) {
    const { ours, peer } = await startGateways(resources);
    const samples = { ours: [] as Sample[], peer: [] as Sample[] };
    // The first of them grow the process to its working size; the next ones show what one more costs.
    for (const side of ["ours", "peer"] as const) {
      const server = side === "ours" ? ours : peer;
      await hold(resources, server);
      const before = privateBytes(server.pid);
      await hold(resources, server);
      samples[side].push({ value: (privateBytes(server.pid) - before) / 1_024 / connections });
      say(`${side}: ${samples[side][0]?.value.toPrecision(4)}`);
    }
    return { ...samples, conditions: `private memory of ${connections} connections more, beside ${connections}` };
  },
};

async function hold(resources: Resources, server: { readonly port: number; readonly pid: number }): Promise<void> {
  const options: IdleOptions = { port: server.port, servername: hosts.echo, connections };
  const load = await LoadGroup.open(resources, "idle.ts", [options]);
  await load.run(server.pid, settleMs);
}
