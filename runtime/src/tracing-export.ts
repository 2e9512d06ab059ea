/**
 * Loaded before a program, with `--import`, to send its traces to a collector over OTLP/HTTP. Does and loads nothing unless
 * OTEL_EXPORTER_OTLP_ENDPOINT is set. OTEL_SERVICE_NAME and OTEL_EXPORTER_OTLP_HEADERS are read as OpenTelemetry says.
 *
 * A collector that is away costs at most 2,048 spans of memory: what comes then is dropped. What ended within the last
 * second before the end of the process is lost.
 *
 * @see https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { type Context, type ContextManager, context, ROOT_CONTEXT, trace } from "@opentelemetry/api";

const { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_SERVICE_NAME: service = "atrium" } = process.env;

if (endpoint !== undefined && endpoint !== "") await begin(service);

async function begin(serviceName: string): Promise<void> {
  const { BatchSpanProcessor, TracerProvider } = await import("@opentelemetry/sdk-trace");
  const { OTLPTraceExporter } = await import("@opentelemetry/exporter-trace-otlp-http");
  const exporter = new OTLPTraceExporter({ timeoutMillis: 5_000 });
  const processor = new BatchSpanProcessor({ exporter, scheduledDelayMillis: 1_000, exportTimeoutMillis: 5_000 });
  const attributes = {
    "service.name": serviceName,
    "service.instance.id": process.env.HOSTNAME ?? String(process.pid),
    "process.pid": process.pid,
  };
  const resource = { attributes, merge: () => resource, getRawAttributes: () => Object.entries(attributes) };
  context.setGlobalContextManager(new AsyncContexts());
  trace.setGlobalTracerProvider(new TracerProvider({ resource, spanProcessors: [processor] }));
}

/** Which span is the present one, through everything asynchronous. */
class AsyncContexts implements ContextManager {
  readonly #storage = new AsyncLocalStorage<Context>();

  active(): Context {
    return this.#storage.getStore() ?? ROOT_CONTEXT;
  }

  with<A extends unknown[], F extends (...args: A) => ReturnType<F>>(
    active: Context,
    work: F,
    self?: ThisParameterType<F>,
    ...args: A
  ): ReturnType<F> {
    return this.#storage.run(active, () => work.apply(self, args));
  }

  bind<T>(active: Context, target: T): T {
    if (typeof target !== "function") return target;
    return ((...args: unknown[]) => this.with(active, () => target(...args))) as T;
  }

  enable(): this {
    return this;
  }

  disable(): this {
    this.#storage.disable();
    return this;
  }
}
