import { SettingsError } from "@atrium/runtime/config.ts";
import { type HealthServer, serveHealth } from "@atrium/runtime/health.ts";
import { announce, exitCode, terminated } from "@atrium/runtime/lifecycle.ts";
import { type Log, logger } from "@atrium/runtime/log.ts";
import { classOf } from "./cluster/classes.ts";
import { Leading } from "./cluster/leading.ts";
import { claimsOf } from "./cluster/names.ts";
import { readPolicySpec } from "./cluster/network-policies.ts";
import type { Site } from "./cluster/objects/pod.ts";
import { ClusterRoutes } from "./cluster/routes.ts";
import { openStores } from "./cluster/stores.ts";
import { type Config, readConfig } from "./config.ts";
import { ApiClient } from "./controller/api.ts";
import { type Credentials, inClusterCredentials, kubeconfigCredentials } from "./controller/credentials.ts";
import { Leader } from "./controller/leader.ts";
import { directoryClient } from "./directory-client.ts";
import { openOperatorTls } from "./identity/operator-tls.ts";
import { openPlatformCa, type PlatformCa } from "./identity/platform-ca.ts";
import { keepPlatformCertificates } from "./identity/platform-certificates.ts";
import { type IdentityService, serveIdentity } from "./identity/service.ts";
import { operatorMetrics } from "./metrics.ts";
import { routeFeed } from "./routes/feed.ts";
import { serveRoutes } from "./routes/server.ts";

/** @returns the exit code, once everything has been closed */
async function serve(): Promise<number> {
  const config = readConfig(process.env);
  const log = logger({ name: "operator", level: config.logLevel });
  const ending = terminated();
  const end = new AbortController();
  void ending.then(() => end.abort(new Error("this process shall end")));
  const running = run(config, log, end.signal).catch((error) => {
    if (!end.signal.aborted) throw error;
  });
  await Promise.race([ending, running]);
  end.abort();
  await running;
  return exitCode(await ending);
}

/** Until the signal ends it. */
async function run(config: Config, log: Log, signal: AbortSignal): Promise<void> {
  const credentials = credentialsOf(config);
  const client = new ApiClient(credentials);
  let parts:
    | { readonly leading: Leading; readonly routes: ClusterRoutes; readonly identity: IdentityService }
    | undefined;
  let atSigns = () => 0;
  const metrics = operatorMetrics({
    atSigns: () => atSigns(),
    leads: () => parts?.leading.leads ?? false,
    routes: () => parts?.routes.size ?? 0,
    queueLength: () => parts?.leading.queueLength ?? 0,
    identityAnswers: () => parts?.identity.answers ?? new Map(),
    directoryAway: () => parts?.leading.directoryAway ?? false,
  });
  // First of all: what it waits for can be seen then.
  await using health: HealthServer = await serveHealth({
    listen: config.healthListen,
    live: {},
    ready: { stores: () => parts !== undefined, ending: () => !signal.aborted },
    metrics: metrics.text,
  });
  using ca = await openPlatformCa({ client, log, signal, ...caOptions(config) });
  using tls = await openOperatorTls({ ca, log });
  using directory = directoryClient(config.directory, () => tls.current);
  const feed = routeFeed();

  const { tenantNetworkPolicy } = config;
  const networkPolicy = tenantNetworkPolicy === undefined ? undefined : readPolicySpec(tenantNetworkPolicy);

  await using stores = openStores(
    client,
    {
      onAtSign(key, gone) {
        routes.look(key, gone);
        leading.look(key, gone);
      },
      onClasses: () => leading.lookAtAll(),
      onNetworkPolicy: (namespace) => leading.lookAtPolicy(namespace),
      onError: (error) => log.warn({ error: String(error) }, "a watch failed; it is begun anew"),
    },
    networkPolicy !== undefined,
  );
  const claims = claimsOf(ca.platformId, config.cell);
  const routes = new ClusterRoutes({ stores, feed, zone: config.zone, claims });
  const leading = new Leading({
    ...{ client, stores, synced: stores.synced, claims, cell: config.cell, directory, log },
    ...{ site: () => siteOf(config, ca), instance: config.podName, onWorked: metrics.worked },
    ...{ networkPolicy, deletionMs: config.deletionMs, sweepMs: config.sweepMs },
  });
  const unsubscribe = ca.onChange(() => leading.lookAtAll());

  await Promise.race([stores.synced, aborted(signal)]);
  signal.throwIfAborted();
  atSigns = () => stores.atSigns.size;
  routes.begin();
  await using routeServer = await serveRoutes({ listen: config.routesListen, tls: tls.current, feed, log });
  const unsubscribeTls = tls.onChange(() => routeServer.renew(tls.current));
  await using identity = await serveIdentity({
    ...{ listen: config.identityListen, tls, ca, namespace: config.namespace, log },
    client: new ApiClient(credentials),
    usesWildcard: (atSign) => {
      const { class: found, obstacle } = classOf(atSign, stores);
      return obstacle === undefined && found.spec.certificates.serving === "wildcard";
    },
  });
  parts = { leading, routes, identity };
  const addresses = { identity: identity.address, routes: routeServer.address, health: health.address };
  log.info({ ...addresses, atSigns: stores.atSigns.size }, "listening");
  announce(addresses);

  const leader = new Leader({
    ...{ client, namespace: config.namespace, name: "atrium-operator" },
    identity: config.podName,
    onError: (error) => log.warn({ error: String(error) }, "the lease could not be had"),
  });
  const { namespace, directoryHosts } = config;
  await leader.run(async (term) => {
    const certificates = keepPlatformCertificates({ client, namespace, ca, directoryHosts, log, term });
    await Promise.all([leading.lead(term), certificates]);
  }, signal);
  unsubscribe();
  unsubscribeTls();
}

function credentialsOf({ kubeconfig, kubernetesHost, kubernetesPort }: Config): Credentials {
  if (kubeconfig !== undefined) return kubeconfigCredentials(kubeconfig);
  if (kubernetesHost === undefined) throw new SettingsError(["KUBECONFIG is not set, and this is no pod of a cluster"]);
  return inClusterCredentials({ host: kubernetesHost, port: kubernetesPort });
}

function caOptions({ namespace, zone, directoryHosts, platformId }: Config) {
  const names = [zone, "atrium.internal", `${namespace}.svc`, ...directoryHosts];
  return { namespace, platformId, names: [...new Set(names)] };
}

function siteOf(config: Config, ca: PlatformCa): Site {
  const { zone, gatewayPort, identityUrl, internalGateway, privateAddresses, otlpEndpoint } = config;
  return {
    ...{ zone, gatewayPort, identityUrl, internalGateway, privateAddresses, otlpEndpoint },
    priorityClass: config.atServerPriorityClass,
    directory: config.atServerDirectory,
    image: config.atServerImage,
    trust: ca.trust,
  };
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

try {
  process.exit(await serve());
} catch (error) {
  const faults =
    error instanceof SettingsError ? error.faults : [error instanceof Error ? error.message : String(error)];
  for (const fault of faults) logger({ name: "operator" }).fatal({ fault }, "cannot start");
  process.exit(1);
}
