import { type Attributes, context, ProxyTracerProvider, type Span, SpanStatusCode, trace } from "@opentelemetry/api";

/**
 * Traces, as far as code knows of them: the API of OpenTelemetry. What sends them is loaded before the program, or not at
 * all (tracing-export.ts); without it nothing here does anything.
 *
 * Names of spans and their attributes never hold secrets, stored values or names of records.
 */

/** Undefined when nobody wants traces. The exporter is there before this is loaded (`--import`), or never. */
const tracer = tracerOf(trace.getTracerProvider());

function tracerOf(provider: ReturnType<typeof trace.getTracerProvider>) {
  const off = provider instanceof ProxyTracerProvider && provider.getDelegateTracer("atrium") === undefined;
  return off ? undefined : provider.getTracer("atrium");
}

/**
 * Does `work` in a span, which ends when the work does: what it returns, or the promise of it. An error marks the span with
 * its kind, and nothing of its message, which may have the name of a record in it.
 *
 * @param outcome what the result adds to the span's attributes
 */
export function traced<T>(
  name: string,
  attributes: Attributes,
  work: () => T,
  outcome?: (result: Awaited<T>) => Attributes,
): T {
  if (tracer === undefined) return work();
  const span = tracer.startSpan(name, { attributes });
  const done = (result: Awaited<T>) => {
    if (outcome !== undefined) span.setAttributes(outcome(result));
    span.end();
  };
  const failed = (error: unknown) => {
    span.setStatus({ code: SpanStatusCode.ERROR });
    span.setAttribute("error.type", kindOf(error));
    span.end();
  };
  try {
    const result = context.with(trace.setSpan(context.active(), span), work);
    if (result instanceof Promise) result.then(done, failed);
    else done(result as Awaited<T>);
    return result;
  } catch (error) {
    failed(error);
    throw error;
  }
}

/** A span for work that is no single call. */
export interface Trace {
  /** The last thing that is said of it. */
  end(attributes: Attributes): void;
}

/** @returns undefined when nobody wants traces */
export function beginTrace(name: string): Trace | undefined {
  const span: Span | undefined = tracer?.startSpan(name);
  return (
    span && {
      end(attributes) {
        span.setAttributes(attributes);
        span.end();
      },
    }
  );
}

/** @returns a word of a closed set: a code of Node, Kubernetes or the protocol, or the class of the error */
function kindOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  const { code } = error as { code?: unknown };
  return typeof code === "string" ? code : error.name;
}
