import type { IncomingMessage } from "node:http";
import type { NameRecord, Outcome, Refusal, Registry } from "../registry.ts";
import { readJson } from "./body.ts";
import { Problem } from "./problem.ts";
import { parseHandover, parseList, parseMark, parseName, parsePut, parseRelease } from "./requests.ts";

interface Request {
  /** what the path has in the place of `{…}`, decoded */
  readonly item: string;
  readonly query: URLSearchParams;
  body(): Promise<unknown>;
}

interface Route {
  readonly path: RegExp;
  readonly methods: Readonly<Record<string, (request: Request, registry: Registry) => Promise<object>>>;
}

const routes: readonly Route[] = [
  {
    path: /^\/v1\/records()$/,
    methods: {
      GET: async ({ query }, registry) => {
        const { claimPrefix, cursor } = parseList(query);
        const { records, next } = await registry.list(claimPrefix, cursor);
        return { records: records.map(show), next: next ?? null };
      },
    },
  },
  {
    path: /^\/v1\/records\/([^/]+)$/,
    methods: {
      GET: async ({ item }, registry) => {
        const record = await registry.read(parseName(item));
        if (record === undefined) throw new Problem(404, "nobody holds this name", { reason: "absent" });
        return show(record);
      },
      PUT: async ({ item, body }, registry) => {
        const { record, held } = parsePut(parseName(item), await body());
        return result(await registry.put(record, held));
      },
      DELETE: async ({ item, query }, registry) => result(await registry.release(parseRelease(parseName(item), query))),
    },
  },
  {
    path: /^\/v1\/records\/([^/]+)\/handover$/,
    methods: {
      POST: async ({ item, body }, registry) =>
        result(await registry.handOver(parseHandover(parseName(item), await body()))),
    },
  },
  {
    path: /^\/v1\/registry()$/,
    methods: { GET: async (_request, registry) => registry.state() },
  },
  {
    path: /^\/v1\/cells\/([^/]+)$/,
    methods: {
      PUT: async ({ item, body }, registry) => {
        const marked = await registry.markCell(item, parseMark(await body()));
        if (marked === "unknown-cell") throw new Problem(404, "this directory knows no such cell", { reason: marked });
        if (marked === "other-registry") {
          throw new Problem(409, "the registry has another id by now: write the names again", { reason: marked });
        }
        return registry.state();
      },
    },
  },
];

/**
 * @returns the document to answer with
 * @throws {Problem} for what is refused
 * @throws {RegistryAway}
 */
export function handle(request: IncomingMessage, registry: Registry): Promise<object> {
  const { pathname, query } = parseTarget(request.url ?? "");
  for (const { path, methods } of routes) {
    const match = path.exec(pathname);
    if (match === null) continue;
    const method = Object.hasOwn(methods, request.method ?? "") ? methods[request.method ?? ""] : undefined;
    if (method === undefined) {
      throw new Problem(405, "this resource has no such method", {
        headers: { allow: Object.keys(methods).join(", ") },
      });
    }
    return method({ item: decode(match[1] ?? ""), query, body: () => readJson(request) }, registry);
  }
  throw new Problem(404, "there is no such resource");
}

function parseTarget(target: string): { pathname: string; query: URLSearchParams } {
  const [pathname = "", query = ""] = target.split(/\?(.*)/s);
  return { pathname, query: new URLSearchParams(query) };
}

function decode(item: string): string {
  try {
    return decodeURIComponent(item);
  } catch (error) {
    throw new Problem(400, "the path is not percent-encoded UTF-8", { cause: error });
  }
}

const refusals: Readonly<Record<Refusal, readonly [status: number, detail: string]>> = {
  claimed: [409, "another claim holds the name"],
  "host-taken": [409, "another name has that host"],
  "stale-generation": [409, "a newer generation has written the record"],
  absent: [404, "nobody holds this name"],
  incomplete: [503, "the registry lacks names: a new one waits until every cell has written its own again"],
};

function result(outcome: Outcome): object {
  if (!("refused" in outcome)) return outcome;
  const [status, detail] = refusals[outcome.refused];
  throw new Problem(status, detail, {
    reason: outcome.refused,
    ...(status === 503 && { headers: { "retry-after": "1" } }),
  });
}

function show({ name, claim, generation, address }: NameRecord): object {
  return { name: `@${name}`, host: address?.host ?? null, port: address?.port ?? null, claim, generation };
}
