import { members, parseEpoch, parseHost, parseRoute } from "./form.ts";
import type { Route, RouteTable } from "./table.ts";

interface Options {
  /** milliseconds that only grow */
  readonly now?: () => number;
  /** how long a route is kept that a whole table lacks */
  readonly keepMissingMs?: number;
}

/**
 * Takes the lines of a routes stream into a table: after `reset` they are gathered, and take effect together with the
 * next `cursor`; else each takes effect at once.
 *
 * A whole table may come from an operator that is behind the one before. What it has of older epochs is refused. What it
 * lacks stays until the operator has had time to see it, and says that it has seen newer epochs than that route's: a
 * route that leads nowhere costs one attempt, one that is missing costs an Atsign.
 */
export class Changes {
  readonly #table: RouteTable;
  readonly #now: () => number;
  readonly #keepMissingMs: number;
  /** hosts that the last whole table lacked, and the epochs of their routes */
  #missing = new Map<string, number>();
  #missingSince = 0;
  #gathered: Map<string, Route> | undefined;
  #cursor: string | undefined;

  constructor(table: RouteTable, { now = () => performance.now(), keepMissingMs = 30_000 }: Options = {}) {
    this.#table = table;
    this.#now = now;
    this.#keepMissingMs = keepMissingMs;
  }

  /** Where a new stream may go on; undefined as long as a whole table is needed. */
  get cursor(): string | undefined {
    return this.#cursor;
  }

  /** A new stream begins: half a table is of no use. */
  begin(): void {
    this.#gathered = undefined;
  }

  /**
   * @param line `{"reset":true}`, `{"route":{…}}`, `{"gone":{"host":…,"epoch":…}}` or `{"cursor":"…","epoch":…}`, epoch being how far
   *   the operator has seen; others are left alone, so that an operator may be newer than its gateways
   * @returns what was worth knowing
   * @throws {Error} when the line cannot be right
   */
  take(line: string): { refused: Route[]; complete: boolean } {
    const { reset, route, gone, cursor, epoch } = members(JSON.parse(line));
    let refused: Route[] = [];
    if (reset === true) this.#gathered = new Map();
    if (route !== undefined) refused = this.#put(parseRoute(route));
    if (gone !== undefined) this.#remove(members(gone));
    const complete = this.#gathered !== undefined && cursor !== undefined;
    if (cursor !== undefined) {
      refused = this.#commit(cursor);
      if (this.#missing.size > 0)
        this.#removeMissing(epoch === undefined ? Number.POSITIVE_INFINITY : parseEpoch(epoch));
    }
    return { refused, complete };
  }

  #put(route: Route): Route[] {
    if (this.#gathered === undefined) {
      if (!this.#table.ready) throw new Error("a route before the first reset");
      if (!this.#table.put(route)) return [route];
      this.#missing.delete(route.host);
      return [];
    }
    const known = this.#gathered.get(route.host);
    if (known !== undefined && route.epoch < known.epoch) return [route];
    this.#gathered.set(route.host, route);
    return [];
  }

  #remove({ host, epoch }: Record<string, unknown>): void {
    const [name, least] = [parseHost(host), parseEpoch(epoch)];
    if (this.#gathered === undefined) this.#table.remove(name, least);
    else if (least >= (this.#gathered.get(name)?.epoch ?? 0)) this.#gathered.delete(name);
  }

  #commit(cursor: unknown): Route[] {
    if (typeof cursor !== "string") throw new Error("cursor must be text");
    const refused = this.#gathered === undefined ? [] : this.#replace(this.#gathered);
    this.#gathered = undefined;
    if (this.#table.ready) this.#cursor = cursor;
    return refused;
  }

  #replace(gathered: Map<string, Route>): Route[] {
    const missing: Route[] = [];
    for (const route of this.#table.values()) if (!gathered.has(route.host)) missing.push(route);
    this.#missing = new Map(missing.map(({ host, epoch }) => [host, epoch]));
    this.#missingSince = this.#now();
    return this.#table.replace([...gathered.values(), ...missing]);
  }

  /** @param seen how far the operator has seen */
  #removeMissing(seen: number): void {
    if (this.#now() - this.#missingSince < this.#keepMissingMs) return;
    for (const [host, epoch] of this.#missing) {
      if (epoch > seen) continue;
      this.#table.remove(host, epoch);
      this.#missing.delete(host);
    }
  }
}
