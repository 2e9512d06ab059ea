import { isIP } from "node:net";
import type { Route } from "./table.ts";

/**
 * Reads a route as sources give it: `{ host, state, address, port, uid, epoch }`, address and port only when Serving.
 * Other members are left alone, and a state that is not known here is one that is not served: an operator may be newer
 * than its gateways.
 *
 * @throws {Error} that names the wrong member
 */
export function parseRoute(json: unknown): Route {
  const { host, state, address, port, uid, epoch } = members(json);
  if (typeof state !== "string") throw new Error("state must be text");
  if (typeof uid !== "string") throw new Error("uid must be text");
  const common = { host: parseHost(host), uid, epoch: parseEpoch(epoch) };
  return state === "Serving"
    ? { ...common, state, upstream: parseUpstream(address, port) }
    : { ...common, state: "Suspended", upstream: undefined };
}

/** @throws {Error} when `json` is not an object */
export function members(json: unknown): Record<string, unknown> {
  if (typeof json !== "object" || json === null || Array.isArray(json)) throw new Error("a route must be an object");
  return json as Record<string, unknown>;
}

/** @throws {Error} when it is not a host name */
export function parseHost(host: unknown): string {
  if (typeof host === "string" && host.length <= 253 && /^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/i.test(host)) {
    return host.toLowerCase();
  }
  throw new Error("host must be a host name");
}

/** @throws {Error} when it is not a whole number */
export function parseEpoch(epoch: unknown): number {
  if (typeof epoch === "number" && Number.isSafeInteger(epoch) && epoch >= 0) return epoch;
  throw new Error("epoch must be a whole number");
}

function parseUpstream(address: unknown, port: unknown): Route["upstream"] {
  if (typeof address !== "string" || isIP(address) === 0) throw new Error("address must be an IP address");
  if (typeof port !== "number" || !Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new Error("port must be a whole number from 1 to 65535");
  }
  return { host: address, port };
}
