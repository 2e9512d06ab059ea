import type { Figure } from "../figure.ts";
import type { RoundTripOptions } from "../load/round-trips.ts";
import { hosts } from "../servers/gateways.ts";
import { gatewayUnderLoad } from "./gateway-load.ts";

export const gatewayRoundTrip: Figure = {
  name: "gateway-round-trip",
  title: "gateway: CPU per round trip",
  unit: "µs",
  peer: "HAProxy",
  target: { of: "ratio", bound: "≤", value: 1.2 },
  measure: (resources, say) =>
    gatewayUnderLoad<RoundTripOptions>(resources, say, {
      script: "round-trips.ts",
      load: (port) => ({ port, servername: hosts.echo, connections: 64, bytes: 160 }),
      processes: 1,
      value: ({ serverCpuSeconds, operations }) => (serverCpuSeconds * 1e6) / operations,
      conditions: "64 open connections, one packet under way on each",
    }),
};
