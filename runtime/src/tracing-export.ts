/**
 * Loaded before a program, with `--import`, to send its traces to a collector over OTLP/HTTP. Does and loads nothing unless
 * OTEL_EXPORTER_OTLP_ENDPOINT is set. OTEL_SERVICE_NAME and OTEL_EXPORTER_OTLP_HEADERS are read as OpenTelemetry says.
 *
 * A collector that is away costs at most 2,048 spans of memory: what comes then is dropped. What ended within the last
 * second before the end of the process is lost.
 *
 * @see https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
 */
const { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_SERVICE_NAME: service = "atrium" } = process.env;

if (endpoint !== undefined && endpoint !== "") {
  const { exportTraces } = await import("./tracing-sdk.ts");
  exportTraces(service);
}

export {};
