import { BlockList, isIP, isIPv6 } from "node:net";
import { fileURLToPath } from "node:url";
import {
  address,
  integer,
  oneOf,
  optionalAddress,
  optionalText,
  type readSettings,
  setting,
} from "@atrium/runtime/config.ts";
import { logLevels } from "@atrium/runtime/log.ts";

/** Where the routes come from. */
export type RoutesLocation =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "stream"; readonly url: URL };

/** The gateway's environment. All times are in milliseconds. */
export const settings = {
  listen: address("GATEWAY_LISTEN", { fallback: { host: "0.0.0.0", port: 6464 } }),
  /** a second listener with the same behaviour, for atServers that call each other */
  clusterListen: optionalAddress("GATEWAY_CLUSTER_LISTEN"),
  healthListen: address("GATEWAY_HEALTH_LISTEN", { fallback: { host: "0.0.0.0", port: 9464 } }),
  routes: setting("GATEWAY_ROUTES", parseRoutes),
  /** directory with certificate.pem, key.pem and trust.pem; needed for a routes stream */
  tls: optionalText("GATEWAY_TLS"),
  /** who begins with a PROXY header: a list of networks, `10.0.0.0/8,fd00::/8` */
  proxyProtocolFrom: setting("GATEWAY_PROXY_PROTOCOL_FROM", parseNetworks, { fallback: new BlockList() }),
  logLevel: oneOf("GATEWAY_LOG_LEVEL", logLevels, { fallback: "info" }),
  /** plain: only the public API of Node, at a higher cost */
  sockets: oneOf("GATEWAY_SOCKETS", ["fast", "plain"], { fallback: "fast" }),

  maxConnections: integer("GATEWAY_MAX_CONNECTIONS", { fallback: 20_000, min: 1 }),
  maxPerAddress: integer("GATEWAY_MAX_CONNECTIONS_PER_ADDRESS", { fallback: 2_000, min: 1 }),
  maxPerAtSign: integer("GATEWAY_MAX_CONNECTIONS_PER_ATSIGN", { fallback: 1_000, min: 1 }),
  /** memory for bytes that clients and atServers are slow to take, all together */
  maxKeptBytes: integer("GATEWAY_MAX_KEPT_BYTES", { fallback: 268_435_456, min: 1_048_576 }),

  helloMs: integer("GATEWAY_HELLO_TIMEOUT_MS", { fallback: 5_000, min: 1 }),
  connectMs: integer("GATEWAY_CONNECT_TIMEOUT_MS", { fallback: 2_000, min: 1 }),
  rerouteMs: integer("GATEWAY_REROUTE_WAIT_MS", { fallback: 1_000, min: 1 }),
  firstByteMs: integer("GATEWAY_FIRST_BYTE_TIMEOUT_MS", { fallback: 10_000, min: 1 }),
  idleMs: integer("GATEWAY_IDLE_TIMEOUT_MS", { fallback: 900_000, min: 1 }),
  halfClosedMs: integer("GATEWAY_HALF_CLOSED_TIMEOUT_MS", { fallback: 30_000, min: 1 }),
  drainMs: integer("GATEWAY_DRAIN_MS", { fallback: 20_000 }),
};

export type Config = ReturnType<typeof readSettings<typeof settings>>;

function parseRoutes(text: string): RoutesLocation {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === "file:") return { kind: "file", path: fileURLToPath(url) };
  if (url?.protocol === "https:") return { kind: "stream", url };
  throw new Error("must be file:///… or https://…");
}

function parseNetworks(text: string): BlockList {
  const networks = new BlockList();
  for (const network of text.split(",").map((part) => part.trim())) {
    const [, host = "", bits = ""] = /^([0-9A-Fa-f:.]+)\/(\d{1,3})$/.exec(network) ?? [];
    const family = isIP(host);
    if (family === 0 || Number(bits) > (family === 4 ? 32 : 128)) {
      throw new Error("must be a list of networks like 10.0.0.0/8,fd00::/8");
    }
    networks.addSubnet(host, Number(bits), isIPv6(host) ? "ipv6" : "ipv4");
  }
  return networks;
}

/** @returns whether an address is in one of the networks; IPv4 addresses may come in their IPv6 form */
export function networkTest(networks: BlockList): (address: string) => boolean {
  if (networks.rules.length === 0) return () => false;
  return (address) => {
    const plain = address.replace(/^::ffff:(?=\d+\.)/i, "");
    const family = isIP(plain);
    return family !== 0 && networks.check(plain, family === 4 ? "ipv4" : "ipv6");
  };
}
