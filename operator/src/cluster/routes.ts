import { type AtSign as AtSignName, hostOf } from "@atrium/protocol";
import type { AtSign } from "../resources/at-sign.ts";
import type { RouteFeed } from "../routes/feed.ts";
import type { Listing, Route } from "../tenant/observe.ts";
import { routeOf, sameRoute } from "../tenant/route.ts";
import type { Claims } from "./names.ts";
import { serverOf } from "./pod-state.ts";
import { podFor, type Stores } from "./stores.ts";
import { isCurrent, wantedOf } from "./view.ts";

interface Options {
  readonly stores: Pick<Stores, "atSigns" | "pods">;
  readonly feed: RouteFeed;
  readonly zone: string;
  readonly claims: Claims;
}

/** Tells a replica's gateways what the stores say; nothing before the stores are complete. */
export class ClusterRoutes {
  readonly #stores: Pick<Stores, "atSigns" | "pods">;
  readonly #feed: RouteFeed;
  readonly #zone: string;
  readonly #claims: Claims;
  #hosts = 0;
  #begun = false;

  constructor({ stores, feed, zone, claims }: Options) {
    this.#stores = stores;
    this.#feed = feed;
    this.#zone = zone;
    this.#claims = claims;
  }

  /** hosts that have a route */
  get size(): number {
    return this.#hosts;
  }

  /** The stores are complete. */
  begin(): void {
    this.#begun = true;
    for (const { spec } of this.#stores.atSigns.values()) this.#tell(spec.atSign);
  }

  /** Something of an AtSign has changed. @param gone what was there, when it is there no longer */
  look(key: string, gone: AtSign | undefined): void {
    if (!this.#begun) return;
    const present = this.#stores.atSigns.get(key);
    for (const atSign of new Set([present?.spec.atSign, gone?.spec.atSign])) {
      if (atSign !== undefined) this.#tell(atSign);
    }
  }

  /** Several AtSigns may ask for a name; at most one has it. */
  #tell(atSign: AtSignName): void {
    const host = hostOf(atSign, this.#zone);
    const routes = this.#stores.atSigns.find("atSign", atSign).map((each) => this.#routeOf(each, host));
    const route = routes.reduce((best, each) => ((each?.epoch ?? -1) > (best?.epoch ?? -1) ? each : best), undefined);
    const known = this.#feed.get(host);
    if (sameRoute(route, known)) return;
    this.#hosts += Number(route !== undefined) - Number(known !== undefined);
    if (route === undefined) this.#feed.remove(host);
    else this.#feed.set(route);
  }

  #routeOf(atSign: AtSign, host: string): Route | undefined {
    const { metadata, status } = atSign;
    const pod = podFor(this.#stores, `${metadata.namespace}/${metadata.name}`);
    const listing = listingOf(atSign);
    // To refuse clients is for the one who has the name.
    if (atSign.spec.runPolicy === "Suspended" && listing.state !== "ours") return undefined;
    const server = pod !== undefined && isCurrent(pod, atSign) ? serverOf(pod) : ({ state: "absent" } as const);
    return routeOf({ wanted: wantedOf(atSign, this.#claims), epoch: status?.epoch ?? 0, listing, server }, host);
  }
}

/** As the leader has written it down. */
function listingOf({ status }: AtSign): Listing {
  const claimed = status?.conditions?.find(({ type }) => type === "Claimed");
  if (claimed?.status === "True") return { state: "ours", generation: status?.epoch ?? 0, parked: false };
  const isTaken = claimed?.reason === "NameTaken" || claimed?.reason === "HostTaken" || claimed?.reason === "Released";
  return isTaken ? { state: "refused", reason: "claimed" } : { state: "unknown" };
}
