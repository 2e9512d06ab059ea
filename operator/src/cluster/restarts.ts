import type { Failure } from "../tenant/observe.ts";
import type { Pod } from "./kubernetes-objects.ts";
import { endedOf, isReady, memoryLimitOf, outOfMemoryAt } from "./pod-state.ts";

/** An atServer that ran so long was well: its earlier ends do not count. */
const healthyMs = 60_000;
/** An end for lack of memory is told for so long, however well it runs since. */
const outOfMemoryMs = 10 * 60_000;

export interface OutOfMemory {
  /** RFC 3339 */
  readonly at: string;
  /** that the pod had; undefined when it had none */
  readonly limit: string | undefined;
  /** it is told of until then, epoch milliseconds */
  readonly until: number;
}

/** Ends in a row of the atServers that keep ending, by key; what serves well for a while is forgotten. */
export class Restarts {
  readonly #known = new Map<string, Failure & { readonly id: string }>();
  readonly #outOfMemory = new Map<string, OutOfMemory>();

  /** Takes up what a pod shows. @returns its ends in a row, if there are any */
  note(key: string, pod: Pod | undefined, now: number): Failure | undefined {
    const known = this.#known.get(key);
    if (pod === undefined) return undefined;
    const at = outOfMemoryAt(pod);
    if (at !== undefined) {
      const until = (Date.parse(at) || now) + outOfMemoryMs;
      this.#outOfMemory.set(key, { at, limit: memoryLimitOf(pod), until });
    }
    const end = endedOf(pod);
    if (end === undefined) {
      if (known !== undefined && isReady(pod) && now - readySince(pod, now) >= healthyMs) this.#known.delete(key);
      return known && failureOf(known);
    }
    if (known?.id === end.id) return failureOf(known);
    const failures = end.ranMs >= healthyMs ? 1 : (known?.failures ?? 0) + 1;
    // When it was seen, by our own clock: those of nodes may differ.
    const noted = { id: end.id, failures, endedAt: now, how: end.how };
    this.#known.set(key, noted);
    return failureOf(noted);
  }

  /** The last end for lack of memory, unless it was long ago. */
  outOfMemory(key: string, now: number): OutOfMemory | undefined {
    const known = this.#outOfMemory.get(key);
    if (known === undefined || known.until > now) return known;
    this.#outOfMemory.delete(key);
    return undefined;
  }

  forget(key: string): void {
    this.#known.delete(key);
    this.#outOfMemory.delete(key);
  }
}

function failureOf({ failures, endedAt, how }: Failure): Failure {
  return { failures, endedAt, how };
}

function readySince({ status }: Pod, now: number): number {
  const ready = status?.conditions?.find(({ type }) => type === "Ready");
  return Date.parse(ready?.lastTransitionTime ?? "") || now;
}
