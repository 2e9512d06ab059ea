import { readSettings, SettingsError } from "@atrium/runtime/config.ts";
import { serveHealth } from "@atrium/runtime/health.ts";
import { announce, exitCode, terminated } from "@atrium/runtime/lifecycle.ts";
import { type Log, logger } from "@atrium/runtime/log.ts";
import { type TlsFilesWatch, watchTlsFiles } from "@atrium/runtime/tls-files.ts";
import { type Config, networkTest, type RoutesLocation, settings } from "./config.ts";
import { Limits } from "./limits.ts";
import { gatewayMetrics } from "./metrics.ts";
import { type HandleLink, handleNet } from "./net/handle-net.ts";
import { openLibuv } from "./net/libuv.ts";
import type { Net } from "./net/link.ts";
import { socketNet } from "./net/socket-net.ts";
import type { Traffic } from "./pipe.ts";
import { fileSource } from "./routes/file-source.ts";
import { streamSource } from "./routes/stream-source.ts";
import { type RoutesSource, RouteTable } from "./routes/table.ts";
import { type Entrance, serveGateway } from "./server.ts";

/** @returns the exit code, once everything has been closed */
async function serve(): Promise<number> {
  const config = readSettings(settings, process.env);
  const log = logger({ name: "gateway", level: config.logLevel });
  const ending = terminated();

  await using tls = config.tls === undefined ? undefined : watchTlsFiles({ directory: config.tls, log });
  const table = new RouteTable();
  await using source = openSource(config.routes, { tls, table, log });
  const limits = new Limits({
    total: config.maxConnections,
    perAddress: config.maxPerAddress,
    perHost: config.maxPerAtSign,
  });
  const traffic: Traffic = { fromClients: 0, fromUpstreams: 0 };
  const metrics = gatewayMetrics({
    traffic,
    connections: () => limits.total,
    routes: () => table.size,
    routesConnected: () => source.connected,
  });

  let draining = false;
  await using health = await serveHealth({
    listen: config.healthListen,
    live: {},
    ready: { routes: () => table.ready, draining: () => !draining },
    metrics: metrics.text,
  });
  await using gateway = await serveGateway({
    ...config,
    entrances: entrancesOf(config),
    net: openNet(config, log),
    routes: table,
    limits,
    traffic,
    log,
    periodMs: 250,
    lingerMs: 1_000,
    ...metrics,
  });

  const [main = config.listen, cluster] = gateway.addresses;
  const addresses = { main, ...(cluster && { cluster }), health: health.address };
  log.info(addresses, "listening");
  announce(addresses);
  const end = await ending;
  log.info({ end }, "ending");
  draining = true;
  return exitCode(end); // leaving this scope drains the gateway; the health server goes after it
}

/** No proxy stands between the atServers of a cluster, though their addresses may be in the networks of one. */
function entrancesOf({ listen, clusterListen, proxyProtocolFrom }: Config): Entrance[] {
  const world = { address: listen, isProxy: networkTest(proxyProtocolFrom) };
  return clusterListen === undefined ? [world] : [world, { address: clusterListen, isProxy: () => false }];
}

function openSource(
  location: RoutesLocation,
  { tls, table, log }: { tls: TlsFilesWatch | undefined; table: RouteTable; log: Log },
): RoutesSource {
  if (location.kind === "file") return fileSource({ path: location.path, table, log });
  if (tls === undefined) throw new SettingsError(["GATEWAY_TLS is not set, but GATEWAY_ROUTES is https"]);
  return streamSource({ url: location.url, tls: () => tls.current, table, log });
}

function openNet({ sockets, maxKeptBytes }: { sockets: "fast" | "plain"; maxKeptBytes: number }, log: Log): Net {
  if (sockets === "plain") return socketNet;
  const libuv = openLibuv<HandleLink>();
  if (libuv !== undefined) return handleNet(libuv, { maxKeptBytes });
  log.warn({ node: process.version }, "this Node has no handles as known here: copying costs more");
  return socketNet;
}

try {
  process.exit(await serve());
} catch (error) {
  const faults =
    error instanceof SettingsError ? error.faults : [error instanceof Error ? error.message : String(error)];
  for (const fault of faults) logger({ name: "gateway" }).fatal({ fault }, "cannot start");
  process.exit(1);
}
