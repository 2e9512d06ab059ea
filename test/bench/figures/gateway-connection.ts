import type { Figure } from "../figure.ts";
import type { ConnectionOptions } from "../load/connections.ts";
import { hosts } from "../servers/gateways.ts";
import { gatewayUnderLoad } from "./gateway-load.ts";

export const gatewayConnection: Figure = {
  name: "gateway-connection",
  title: "gateway: CPU per connection",
  unit: "µs",
  peer: "HAProxy",
  target: { of: "ratio", bound: "≤", value: 1.5 },
  measure: (resources, say) =>
    gatewayUnderLoad<ConnectionOptions>(resources, say, {
      script: "connections.ts",
      load: (port) => ({ port, servername: hosts.echo, concurrency: 16 }),
      processes: 2,
      value: ({ serverCpuSeconds, operations }) => (serverCpuSeconds * 1e6) / operations,
      conditions: "32 at a time; hello, 1400 bytes back, 80 bytes to and fro, close",
    }),
};
