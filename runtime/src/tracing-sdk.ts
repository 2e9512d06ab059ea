import { AsyncLocalStorage } from "node:async_hooks";
import { type Context, type ContextManager, context, ROOT_CONTEXT, trace } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { BatchSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";

/**
 * Sends the traces of this process to the collector that the environment names.
 *
 * @param service what the collector is told that this process is
 */
export function exportTraces(service: string): void {
  const exporter = new OTLPTraceExporter({ timeoutMillis: 5_000 });
  const processor = new BatchSpanProcessor({ exporter, scheduledDelayMillis: 1_000, exportTimeoutMillis: 5_000 });
  const attributes = {
    "service.name": service,
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
