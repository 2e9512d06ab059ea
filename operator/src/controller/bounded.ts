/** A signal for one piece of work. */
export interface Bound extends Disposable {
  readonly signal: AbortSignal;
  abort(reason: Error): void;
}

/**
 * A signal that is aborted with any of others; nothing of it is left on them when it is disposed of. (`AbortSignal.any` of
 * a signal that lives as long as the process keeps what was made of it for long.)
 */
export function bounded(others: readonly (AbortSignal | undefined)[]): Bound {
  const controller = new AbortController();
  const removals = others.map((other) => {
    const pass = () => controller.abort(other?.reason);
    if (other?.aborted === true) pass();
    other?.addEventListener("abort", pass, { once: true });
    return () => other?.removeEventListener("abort", pass);
  });
  return {
    signal: controller.signal,
    abort: (reason) => controller.abort(reason),
    [Symbol.dispose]() {
      for (const remove of removals) remove();
    },
  };
}

/** The same with a deadline. */
export function boundedInTime(
  ms: number,
  reason: string,
  others: readonly (AbortSignal | undefined)[],
): Bound & { remainingMs(): number } {
  const bound = bounded(others);
  const endMs = performance.now() + ms;
  const timer = setTimeout(() => bound.abort(new Error(reason)), ms);
  return {
    ...bound,
    remainingMs: () => Math.max(0, endMs - performance.now()),
    [Symbol.dispose]() {
      clearTimeout(timer);
      bound[Symbol.dispose]();
    },
  };
}
