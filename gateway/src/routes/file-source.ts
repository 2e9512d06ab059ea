import { readFileSync } from "node:fs";
import type { Log } from "@atrium/runtime/log.ts";
import { parseRoute } from "./form.ts";
import type { Route, RoutesSource, RouteTable } from "./table.ts";

interface Options {
  /** a JSON array of routes */
  readonly path: string | URL;
  readonly table: RouteTable;
  readonly log: Log;
  readonly periodMs?: number;
}

/**
 * Keeps the table like a file, for use by hand: read again when its content changes. A file that is missing or wrong
 * leaves the table as it is, and is told of once.
 */
export function fileSource({ path, table, log, periodMs = 1_000 }: Options): RoutesSource {
  let seen: string | undefined;
  let problem: string | undefined;

  const look = () => {
    try {
      const content = readFileSync(path, "utf8");
      if (content === seen) return;
      const routes = parseRoutes(content);
      const refused = table.replace(routes);
      log.info({ routes: table.size, refused: refused.map(({ host }) => host) }, "routes read");
      seen = content;
      problem = undefined;
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      if (text !== problem) log.error({ path: String(path), problem: text }, "routes not read");
      problem = text;
    }
  };

  look();
  const timer = setInterval(look, periodMs).unref();
  return {
    get connected() {
      return problem === undefined;
    },
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
    },
  };
}

function parseRoutes(content: string): Route[] {
  const json: unknown = JSON.parse(content);
  if (!Array.isArray(json)) throw new Error("must be a JSON array of routes");
  const routes = json.map(parseRoute);
  const hosts = new Set<string>();
  for (const { host } of routes) {
    if (hosts.has(host)) throw new Error(`${host} has two routes`);
    hosts.add(host);
  }
  return routes;
}
