import type { Failure } from "../tenant/observe.ts";
import type { Pod } from "./kubernetes-objects.ts";
import { endedOf, isReady } from "./pod-state.ts";

/** An atServer that ran so long was well: its earlier ends do not count. */
const healthyMs = 60_000;

/** Ends in a row of the atServers that keep ending, by key; what serves well for a while is forgotten. */
export class Restarts {
  readonly #known = new Map<string, Failure & { readonly id: string }>();

  /** Takes up what a pod shows. @returns its ends in a row, if there are any */
  note(key: string, pod: Pod | undefined, now: number): Failure | undefined {
    const known = this.#known.get(key);
    if (pod === undefined) return undefined;
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

  forget(key: string): void {
    this.#known.delete(key);
  }
}

function failureOf({ failures, endedAt, how }: Failure): Failure {
  return { failures, endedAt, how };
}

function readySince({ status }: Pod, now: number): number {
  const ready = status?.conditions?.find(({ type }) => type === "Ready");
  return Date.parse(ready?.lastTransitionTime ?? "") || now;
}
