import { Counter, Gauge, Histogram, Registry } from "prom-client";

/** What is asked for at each scrape instead of being counted twice. */
interface Sources {
  readonly leads: () => boolean;
  readonly atSigns: () => number;
  readonly routes: () => number;
  readonly queueLength: () => number;
  /** answers so far by HTTP status */
  readonly identityAnswers: () => ReadonlyMap<number, number>;
  readonly directoryAway: () => boolean;
}

export interface OperatorMetrics {
  text(): Promise<string>;
  /** of one piece of the leader's work */
  worked(work: { readonly waitedMs: number; readonly tookMs: number; readonly failed: boolean }): void;
}

const seconds = [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60];

/** All metrics of the operator. Names of AtSigns are in the log only. */
export function operatorMetrics(sources: Sources): OperatorMetrics {
  const register = new Registry();
  const registers = [register];
  const gauge = (name: string, help: string, value: () => number) =>
    new Gauge({
      ...{ name, help, registers },
      collect() {
        this.set(value());
      },
    });
  gauge("operator_leader", "1 while this replica leads", () => Number(sources.leads()));
  gauge("operator_atsigns", "AtSigns in the cluster", sources.atSigns);
  gauge("operator_routes", "Hosts that gateways are told of", sources.routes);
  gauge("operator_queue_length", "Keys that wait to be worked on, and those worked on", sources.queueLength);
  gauge("operator_directory_away", "1 while the leader cannot write to the directory", () =>
    Number(sources.directoryAway()),
  );
  new Counter({
    ...{ name: "operator_identity_answers_total", help: "Answers of the identity service", registers },
    labelNames: ["status"],
    collect() {
      this.reset();
      for (const [status, count] of sources.identityAnswers()) this.inc({ status: String(status) }, count);
    },
  });
  const waited = new Histogram({
    ...{ name: "operator_reconcile_wait_seconds", help: "How long keys waited to be worked on", registers },
    buckets: seconds,
  });
  const took = new Histogram({
    ...{ name: "operator_reconcile_duration_seconds", help: "How long work on a key took", registers },
    ...{ buckets: seconds, labelNames: ["outcome"] as const },
  });
  return {
    text: () => register.metrics(),
    worked({ waitedMs, tookMs, failed }) {
      waited.observe(waitedMs / 1000);
      took.observe({ outcome: failed ? "failed" : "done" }, tookMs / 1000);
    },
  };
}
