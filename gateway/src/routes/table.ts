/** Where the connections for a host go. */
export interface Route {
  /** in lower case, without trailing dot */
  readonly host: string;
  readonly state: "Serving" | "Suspended";
  /** where the atServer listens; only when Serving */
  readonly upstream: { readonly host: string; readonly port: number } | undefined;
  readonly uid: string;
  /** grows with every process that may serve the Atsign: design "Fencing" */
  readonly epoch: number;
}

/** The routes as the gateway uses them, wherever they come from. */
export interface Routes {
  /** false until there was a complete table */
  readonly ready: boolean;
  /** how many hosts there are */
  readonly size: number;
  get(host: string): Route | undefined;
  /**
   * Calls `listener` once, at the next change of this host's route.
   * @returns a function that gives up waiting
   */
  whenChanged(host: string, listener: () => void): () => void;
}

/** What fills a table, and keeps it as it should be. */
export interface RoutesSource extends AsyncDisposable {
  /** is it there now? While it is not, the table stays as it was last */
  readonly connected: boolean;
}

/** The table itself. A source fills it; while a source is away, what was there last stays. */
export class RouteTable implements Routes {
  #routes = new Map<string, Route>();
  readonly #waiting = new Map<string, Set<() => void>>();
  ready = false;

  get size(): number {
    return this.#routes.size;
  }

  get(host: string): Route | undefined {
    return this.#routes.get(host);
  }

  values(): Iterable<Route> {
    return this.#routes.values();
  }

  whenChanged(host: string, listener: () => void): () => void {
    const listeners = this.#waiting.get(host) ?? new Set();
    this.#waiting.set(host, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#waiting.get(host) === listeners) this.#waiting.delete(host);
    };
  }

  /**
   * Adds or replaces one route.
   * @returns false when it is older than the one that is there
   */
  put(route: Route): boolean {
    if (route.epoch < (this.#routes.get(route.host)?.epoch ?? 0)) return false;
    this.#routes.set(route.host, route);
    this.#changed(route.host);
    return true;
  }

  /** Removes a route; nothing happens when a newer one is there. */
  remove(host: string, epoch: number): void {
    if (epoch < (this.#routes.get(host)?.epoch ?? 0)) return;
    this.#routes.delete(host);
    this.#changed(host);
  }

  /**
   * Exchanges the whole table, and is ready from then on.
   * @returns the routes that were refused, because newer ones are there: those stay
   */
  replace(routes: Iterable<Route>): Route[] {
    const refused: Route[] = [];
    const next = new Map<string, Route>();
    for (const route of routes) {
      const known = this.#routes.get(route.host);
      const older = known !== undefined && route.epoch < known.epoch;
      if (older) refused.push(route);
      next.set(route.host, older ? known : route);
    }
    this.#routes = next;
    this.ready = true;
    for (const host of [...this.#waiting.keys()]) this.#changed(host);
    return refused;
  }

  #changed(host: string): void {
    const listeners = this.#waiting.get(host);
    this.#waiting.delete(host);
    for (const listener of listeners ?? []) listener();
  }
}
