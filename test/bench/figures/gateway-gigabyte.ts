import type { Figure } from "../figure.ts";
import type { BulkOptions } from "../load/bulk.ts";
import { hosts } from "../servers/gateways.ts";
import { gatewayUnderLoad } from "./gateway-load.ts";

export const gatewayGigabyte: Figure = {
  name: "gateway-gigabyte",
  title: "gateway: CPU per GB",
  unit: "s",
  peer: "HAProxy",
  target: { of: "ratio", bound: "≤", value: 1 },
  measure: (resources, say) =>
    gatewayUnderLoad<BulkOptions>(resources, say, {
      script: "bulk.ts",
      load: (port) => ({ port, servername: hosts.stream, connections: 4 }),
      processes: 1,
      value: ({ serverCpuSeconds, operations }) => (serverCpuSeconds * 1e9) / operations,
      conditions: "from the upstream to clients",
    }),
};
