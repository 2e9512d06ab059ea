import type { Observed, Route } from "./observe.ts";

/**
 * What the gateways shall know of a host. A pure function of what was seen: every replica says the same, whoever leads.
 *
 * @returns undefined when nothing: the gateway refuses whoever asks for it
 */
export function routeOf(
  { wanted, epoch, listing, server }: Pick<Observed, "wanted" | "epoch" | "listing" | "server">,
  host: string,
): Route | undefined {
  // Who has lost the name is not the one to refuse its clients either.
  if (listing.state === "refused" && listing.reason !== "stale-generation") return undefined;
  if (wanted.run === "Suspended") return { host, state: "Suspended", uid: "", epoch };
  if (wanted.run !== "Always" || server.state !== "ready") return undefined;
  return { host, state: "Serving", address: server.address, port: server.port, uid: server.uid, epoch: server.epoch };
}

export function sameRoute(a: Route | undefined, b: Route | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.state === b.state && a.uid === b.uid && a.epoch === b.epoch && a.address === b.address && a.port === b.port;
}
