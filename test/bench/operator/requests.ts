import type { Api } from "./api.ts";

/** Requests that the API server has answered, by `VERB resource`. */
export type Requests = ReadonlyMap<string, number>;

const writing = /^(?:POST|PUT|PATCH|APPLY|DELETE|DELETECOLLECTION) /;
/** Nodes and leases live by being written to: kwok's nodes, and the lease of who leads. */
const heartbeats = /^\w+ (?:leases|nodes)$/;

export async function requestsOf(api: Api): Promise<Requests> {
  const requests = new Map<string, number>();
  for (const line of (await api.metrics()).split("\n")) {
    if (!line.startsWith("apiserver_request_total{")) continue;
    const label = (name: string) => new RegExp(`[{,]${name}="([^"]*)"`).exec(line)?.[1] ?? "";
    const resource = label("resource");
    if (resource === "") continue;
    const key = `${label("verb")} ${resource}`;
    requests.set(key, (requests.get(key) ?? 0) + Number(line.split(" ").at(-1)));
  }
  return requests;
}

/** What came between two looks, heartbeats left out. */
export function between(before: Requests, after: Requests): Requests {
  const entries = [...after].map(([key, count]) => [key, count - (before.get(key) ?? 0)] as const);
  return new Map(entries.filter(([key, count]) => count > 0 && !heartbeats.test(key)));
}

export function writesOf(requests: Requests): Requests {
  return new Map([...requests].filter(([key]) => writing.test(key)));
}

export function total(requests: Requests): number {
  return [...requests.values()].reduce((sum, count) => sum + count, 0);
}

export function textOf(requests: Requests): string {
  return [...requests].map(([key, count]) => `${count} ${key}`).join(", ") || "none";
}
