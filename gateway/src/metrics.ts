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
  const count = <Key extends string>(name: string, help: string, label: string, keys: readonly Key[]) => {
    const counts = new Map(keys.map((key) => [key, 0]));
    new Counter({
      name,
      help,
      labelNames: [label],
      registers,
      collect() {
        this.reset();
        for (const [key, value] of counts) this.inc({ [label]: key.toLowerCase().replaceAll(" ", "_") }, value);
      },
    });
    return (key: Key) => void counts.set(key, (counts.get(key) ?? 0) + 1);
  };
  const rerouted = new Counter({
    name: "gateway_connections_rerouted_total",
    help: "Connections that were routed a second time, because the upstream was not there",
    registers,
  });
  return {
    text: () => register.metrics(),
    onEnd: count<PipeOutcome>(
      "gateway_connections_ended_total",
      "Connections that were served, by how they ended",
      "outcome",
      pipeOutcomes,
    ),
    onRefused: count<Refusal>(
      "gateway_connections_refused_total",
      "Connections that ended before the first byte of an atServer's answer",
      "reason",
      refusals,
    ),
    onRerouted: () => rerouted.inc(),
  };
}
