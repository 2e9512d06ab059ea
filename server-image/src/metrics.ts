import type { Counts } from "./counts.ts";

interface Sources {
  readonly counts: Counts;
  readonly verbRuns: () => readonly (readonly [verb: string, runs: number])[];
  readonly connections: () => { readonly inbound: number; readonly outbound: number };
  readonly heldBytes: () => number;
  readonly store: { readonly writable: boolean; readonly lastCommitId: number; size(): number };
  /** epoch milliseconds */
  readonly certificateExpiresAtMs: () => number;
}

/**
 * All metrics of the atServer. The library for them costs more memory than an idle atServer has to spare, so it is
 * loaded when somebody asks for the first time; until then, and after, things are counted in plain numbers.
 *
 * @returns the text of `/metrics`
 */
export function metricsText(sources: Sources): () => Promise<string> {
  let text: Promise<() => Promise<string>> | undefined;
  return async () => {
    text ??= declare(sources);
    return (await text)();
  };
}

async function declare(sources: Sources): Promise<() => Promise<string>> {
  const { Counter, collectDefaultMetrics, Gauge, Registry } = await import("prom-client");
  const register = new Registry();
  const registers = [register];
  collectDefaultMetrics({ register, prefix: "atserver_" });

  const gauge = (name: string, help: string, read: () => number) =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  const counter = (name: string, help: string, read: () => number) =>
    new Counter({
      name,
      help,
      registers,
      collect() {
        this.reset();
        this.inc(read());
      },
    });
  const labelled = <L extends string>(
    name: string,
    help: string,
    label: L,
    read: () => Iterable<readonly [string, number]>,
  ) =>
    new Counter({
      name,
      help,
      labelNames: [label],
      registers,
      collect() {
        this.reset();
        for (const [value, count] of read()) this.inc({ [label]: value } as Record<L, string>, count);
      },
    });

  const { counts, store } = sources;
  gauge("atserver_inbound_connections", "Connections of clients and other atServers", () => {
    return sources.connections().inbound;
  });
  gauge("atserver_outbound_connections", "Connections to other atServers", () => sources.connections().outbound);
  counter("atserver_accepted_connections_total", "Connections that got a session", () => counts.accepted);
  counter("atserver_refused_connections_total", "Connections beyond the limit", () => counts.refused);
  counter("atserver_idle_closed_connections_total", "Connections closed for being idle", () => counts.idleClosed);
  counter("atserver_failed_handshakes_total", "TLS handshakes that failed", () => counts.handshakesFailed);
  counter("atserver_http_requests_total", "Requests of HTTP, for WebSocket too", () => counts.httpRequests);
  labelled("atserver_commands_total", "Commands that were run", "verb", sources.verbRuns);
  counter("atserver_replies_total", "Commands that succeeded", () => counts.succeeded);
  labelled("atserver_errors_total", "Commands that were answered by an error", "code", () => counts.failures);
  gauge("atserver_held_bytes", "Reserved for large commands and replies", sources.heldBytes);
  gauge("atserver_store_bytes", "Size of the data", () => store.size());
  gauge("atserver_store_writable", "1 while writes succeed", () => Number(store.writable));
  gauge("atserver_last_commit_id", "The newest entry of the commit log", () => store.lastCommitId);
  gauge("atserver_certificate_expiry_timestamp_seconds", "When the certificate ends", () => {
    return sources.certificateExpiresAtMs() / 1000;
  });
  return () => register.metrics();
}
