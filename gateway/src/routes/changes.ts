import { members, parseEpoch, parseHost, parseRoute } from "./form.ts";
import type { Route, RouteTable } from "./table.ts";

/**
 * Takes the lines of a routes stream into a table: after `reset` they are gathered, and take effect together with the
 * next `cursor`; else each takes effect at once.
 */
export class Changes {
  readonly #table: RouteTable;
  #gathered: Map<string, Route> | undefined;
  #cursor: string | undefined;

  constructor(table: RouteTable) {
    this.#table = table;
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
   * @param line `{"reset":true}`, `{"route":{…}}`, `{"gone":{"host":…,"epoch":…}}` or `{"cursor":"…"}`; others are
   *   left alone, so that an operator may be newer than its gateways
   * @returns what was worth knowing
   * @throws {Error} when the line cannot be right
   */
  take(line: string): { refused: Route[]; complete: boolean } {
    const { reset, route, gone, cursor } = members(JSON.parse(line));
    let refused: Route[] = [];
    if (reset === true) this.#gathered = new Map();
    if (route !== undefined) refused = this.#put(parseRoute(route));
    if (gone !== undefined) this.#remove(members(gone));
    const complete = this.#gathered !== undefined && cursor !== undefined;
    if (cursor !== undefined) refused = this.#commit(cursor);
    return { refused, complete };
  }

  #put(route: Route): Route[] {
    if (this.#gathered === undefined) {
      if (!this.#table.ready) throw new Error("a route before the first reset");
      return this.#table.put(route) ? [] : [route];
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
    const refused = this.#gathered === undefined ? [] : this.#table.replace(this.#gathered.values());
    this.#gathered = undefined;
    if (this.#table.ready) this.#cursor = cursor;
    return refused;
  }
}
