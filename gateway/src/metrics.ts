import { Counter, Gauge, Registry } from "prom-client";
import { type Refusal, refusals } from "./connection.ts";
import { type PipeOutcome, pipeOutcomes, type Traffic } from "./pipe.ts";

/** What is asked for at each scrape instead of being counted twice. */
interface Sources {
  readonly traffic: Traffic;
  readonly connections: () => number;
  readonly routes: () => number;
  readonly routesConnected: () => boolean;
}

/** All metrics of the gateway. Names of hosts and addresses are in the log only. */
export function gatewayMetrics({ traffic, connections, routes, routesConnected }: Sources) {
  const register = new Registry();
  const registers = [register];
  const gauge = (name: string, help: string, value: () => number) =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(value());
      },
    });
  gauge("gateway_connections", "Client connections that are open", connections);
  gauge("gateway_routes", "Hosts that have a route", routes);
  gauge("gateway_routes_connected", "1 while the source of the routes is there", () => Number(routesConnected()));
  new Counter({
    name: "gateway_copied_bytes_total",
    help: "Bytes passed on, by where they came from",
    labelNames: ["from"],
    registers,
    collect() {
      this.reset();
      this.inc({ from: "client" }, traffic.fromClients);
      this.inc({ from: "upstream" }, traffic.fromUpstreams);
    },
  });
  const ended = new Counter({
    name: "gateway_connections_ended_total",
    help: "Connections that were served, by how they ended",
    labelNames: ["outcome"],
    registers,
  });
  const refused = new Counter({
    name: "gateway_connections_refused_total",
    help: "Connections that ended before the first byte of an atServer's answer",
    labelNames: ["reason"],
    registers,
  });
  const rerouted = new Counter({
    name: "gateway_connections_rerouted_total",
    help: "Connections that were routed a second time, because the upstream was not there",
    registers,
  });
  for (const outcome of pipeOutcomes) ended.inc({ outcome }, 0);
  for (const reason of refusals) refused.inc({ reason: label(reason) }, 0);
  return {
    text: () => register.metrics(),
    onEnd: (outcome: PipeOutcome) => ended.inc({ outcome }),
    onRefused: (reason: Refusal) => refused.inc({ reason: label(reason) }),
    onRerouted: () => rerouted.inc(),
  };
}

function label(reason: Refusal): string {
  return reason.toLowerCase().replaceAll(" ", "_");
}
