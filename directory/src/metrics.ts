import { Counter, collectDefaultMetrics, Gauge, Registry as Metrics } from "prom-client";
import type { Registry } from "./registry.ts";
import type { Tally } from "./tally.ts";

interface Parts {
  readonly tally: Tally;
  readonly registry: Registry;
  readonly certificateExpiresAtMs: () => number;
}

/** All metrics of the directory, by name. Counts come out of the tally at the time somebody asks. */
export function declareMetrics({ tally, registry, certificateExpiresAtMs }: Parts): Metrics {
  const metrics = new Metrics();
  collectDefaultMetrics({ register: metrics });
  const registers = [metrics];

  new Counter({
    name: "directory_answers_total",
    help: "Lookups by who knew and by outcome; none is a connection closed without an answer",
    labelNames: ["source", "outcome"],
    registers,
    collect() {
      this.reset();
      for (const [source, outcomes] of Object.entries(tally.answers)) {
        for (const [outcome, count] of Object.entries(outcomes)) this.inc({ source, outcome }, count);
      }
    },
  });
  counter(
    "directory_answers_while_away_total",
    "Addresses given while the registry was away",
    () => tally.answersWhileAway,
  );
  counter(
    "directory_failed_handshakes_total",
    "TLS handshakes that failed or took too long",
    () => tally.failedHandshakes,
  );
  labelled("directory_refused_connections_total", "Connections over a limit", "limit", () => tally.refusedConnections);
  labelled("directory_ended_conversations_total", "Connections closed by us", "reason", () => tally.endedConversations);
  gauge("directory_connections", "Open connections", () => tally.openConnections);
  gauge("directory_registry_complete", "1 when the registry had all names when last heard of", () =>
    Number(registry.complete),
  );
  gauge("directory_remembered_names", "Names in memory", () => registry.remembered);
  gauge("directory_registry_away", "1 while the registry cannot be reached", () => Number(registry.away));
  gauge(
    "directory_certificate_expiry_timestamp_seconds",
    "End of the certificate's life",
    () => certificateExpiresAtMs() / 1_000,
  );
  return metrics;

  function counter(name: string, help: string, value: () => number): void {
    new Counter({
      name,
      help,
      registers,
      collect() {
        this.reset();
        this.inc(value());
      },
    });
  }

  function labelled(name: string, help: string, label: string, values: () => Readonly<Record<string, number>>): void {
    new Counter({
      name,
      help,
      labelNames: [label],
      registers,
      collect() {
        this.reset();
        for (const [key, value] of Object.entries(values())) this.inc({ [label]: key }, value);
      },
    });
  }

  function gauge(name: string, help: string, value: () => number): void {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(value());
      },
    });
  }
}
