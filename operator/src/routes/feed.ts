import { randomUUID } from "node:crypto";
import type { Route } from "../tenant/observe.ts";

/** One line of the stream, before it is JSON. */
export type Line =
  | { readonly reset: true }
  | { readonly route: Route }
  | { readonly gone: { readonly host: string; readonly epoch: number } }
  /**
   * Where a reader is that has read so far. `epoch`: how far this feed has seen; a route with a newer epoch that a whole
   * table of this feed lacks is not gone, the feed is behind.
   */
  | { readonly cursor: string; readonly epoch: number };

/** What the gateways shall know, and what changed when: a gateway that was away for a short time gets only the changes. */
export interface RouteFeed {
  get(host: string): Route | undefined;
  /** Refuses nothing: who calls it compares epochs. */
  set(route: Route): void;
  remove(host: string): void;
  /**
   * @param after the cursor that the reader saw last
   * @returns what it lacks, ending with the present cursor; a whole table when the cursor is unknown or too old
   */
  since(after: string | undefined): Line[];
  /** Calls `listener` after each change. @returns a function that ends this */
  onChange(listener: () => void): () => void;
}

/** So many changes are remembered for readers that come back. */
const maxChanges = 10_000;

/**
 * @param beganAt epoch milliseconds, before what fills the feed is read: epochs are times, so what had an epoch before then
 *   and is not in the feed has gone
 */
export function routeFeed(beganAt = Date.now()): RouteFeed {
  const instance = randomUUID();
  const routes = new Map<string, Route>();
  const listeners = new Set<() => void>();
  /** the change with number n is at n - 1 - dropped */
  let changes: Line[] = [];
  let dropped = 0;
  let newest = beganAt;

  const record = (line: Line) => {
    changes.push(line);
    if (changes.length > 2 * maxChanges) {
      dropped += changes.length - maxChanges;
      changes = changes.slice(-maxChanges);
    }
    for (const listener of listeners) listener();
  };
  const cursor = (): Line => ({ cursor: `${instance}:${dropped + changes.length}`, epoch: newest });

  return {
    get: (host) => routes.get(host),
    set(route) {
      routes.set(route.host, route);
      newest = Math.max(newest, route.epoch);
      record({ route });
    },
    remove(host) {
      const route = routes.get(host);
      if (route === undefined) return;
      routes.delete(host);
      record({ gone: { host, epoch: route.epoch } });
    },
    since(after) {
      const [, id, number] = /^([0-9a-f-]{36}):(\d{1,15})$/.exec(after ?? "") ?? [];
      const seen = Number(number);
      if (id === instance && seen >= dropped && seen <= dropped + changes.length) {
        return [...changes.slice(seen - dropped), cursor()];
      }
      return [{ reset: true }, ...[...routes.values()].map((route) => ({ route })), cursor()];
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
