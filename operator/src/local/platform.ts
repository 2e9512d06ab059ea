import { mkdirSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { AtSign } from "@atrium/protocol";
import { type Address, formatAddress } from "@atrium/runtime/config.ts";
import type { Log } from "@atrium/runtime/log.ts";
import { routeFeed } from "../routes/feed.ts";
import { serveRoutes } from "../routes/server.ts";
import { type Reconciler, reconciler } from "../tenant/reconcile.ts";
import { openCertificates } from "./certificates.ts";
import { type DirectoryClient, directoryClient } from "./directory-client.ts";
import { openManifests } from "./manifests.ts";
import type { Options } from "./options.ts";
import { writePlatformFile } from "./platform-file.ts";
import { greets } from "./probe.ts";
import { addressOf } from "./process.ts";
import { StartError } from "./start-error.ts";
import { openState } from "./state.ts";
import { type Supervised, supervise } from "./supervised.ts";
import { Tenants, type TenantView } from "./tenants.ts";

/** Everything that `npm start` runs. */
export interface LocalPlatform extends AsyncDisposable {
  readonly directory: Address;
  readonly gateway: Address;
  readonly caFile: string;
  /** whether clients must take up the CA file again */
  readonly caIsNew: boolean;
  view(): TenantView[];
  /** Resolves when every Atsign answers, or has a reason in its conditions why it does not. */
  readonly settled: Promise<void>;
}

/** This platform has one cell. */
const cell = "local";
const settleTimeoutMs = 30_000;
const probeMs = 100;

/**
 * @param onEvent a line for each event worth knowing
 * @param onChange after anything in `view` changed
 * @throws {StartError} when it cannot run here; nothing is left running then
 */
export async function startPlatform(
  options: Options,
  { log, onEvent, onChange }: { log: Log; onEvent: (line: string) => void; onChange: () => void },
): Promise<LocalPlatform> {
  const { data, zone, listen } = options;
  await using stack = new AsyncDisposableStack();
  const state = stack.use(openState(data));
  const logDirectory = directoryIn(data, "log");
  const file = join(data, "platform.json");
  rmSync(file, { force: true });
  await assertFree(listen, options.directoryPort, "--directory-port");
  await assertFree(listen, options.gatewayPort, "--gateway-port");

  const directoryNames = [zone, "localhost", "directory.atrium.internal", ...options.directoryNames];
  const permitted = [zone, "localhost", "atrium.internal", ...options.directoryNames];
  const certificates = stack.use(await openCertificates({ data, permitted, log }));
  const identities = {
    directory: join(data, "identity", "directory"),
    gateway: join(data, "identity", "gateway"),
    operator: join(data, "identity", "operator"),
  };
  await certificates.provide(identities.directory, { dnsNames: directoryNames, client: false });
  await certificates.provide(identities.gateway, { dnsNames: ["gateway.atrium.internal"], client: true });
  await certificates.provide(identities.operator, { dnsNames: ["operator.atrium.internal"], client: true });
  const operatorTls = () => certificates.read(identities.operator);

  const feed = routeFeed();
  const routes = stack.use(
    await serveRoutes({ listen: { host: "127.0.0.1", port: 0 }, tls: operatorTls(), feed, log }),
  );
  const renewal = setInterval(() => routes.renew(operatorTls()), 600_000).unref();
  stack.defer(() => clearInterval(renewal));

  let directoryApi: DirectoryClient | undefined;
  stack.defer(() => directoryApi?.[Symbol.dispose]());
  let loops: Reconciler | undefined;
  let stopping = false;

  const directoryUp = () => {
    directoryApi?.[Symbol.dispose]();
    directoryApi = directoryClient(addressOf(directory.addresses, "admin"), operatorTls);
    tenants.forgetListings();
  };
  const service = (
    name: string,
    entry: string,
    environment: Parameters<typeof supervise>[0]["environment"],
    onUp: () => void,
  ) =>
    supervise({
      name,
      entry: entryOf(entry),
      logDirectory,
      environment,
      onUp() {
        onEvent(`the ${name} runs again`);
        onUp();
      },
      onDown(how) {
        if (name === "directory") directoryApi = undefined;
        onEvent(`the ${name} ended (${how}); starting it again`);
      },
    }).catch((cause) => {
      throw new StartError(`the ${name} does not start: ${cause instanceof Error ? cause.message : cause}`, { cause });
    });

  const directory: Supervised = stack.use(
    await service(
      "directory",
      "directory",
      (before) => ({
        DIRECTORY_LISTEN: formatAddress(before.main ?? { host: listen, port: options.directoryPort }),
        DIRECTORY_TLS: identities.directory,
        DIRECTORY_ADMIN_LISTEN: "127.0.0.1:0",
        DIRECTORY_ADMIN_CA: certificates.caFile,
        DIRECTORY_HEALTH_LISTEN: "127.0.0.1:0",
        DIRECTORY_REGISTRY: "memory:",
        DIRECTORY_CELLS: cell,
      }),
      () => directoryUp(),
    ),
  );
  const directoryAddress = addressOf(directory.addresses, "main");

  let gatewayAddress: Address = { host: reachable(listen), port: options.gatewayPort };
  const tenants = new Tenants({
    data,
    zone,
    gateway: () => gatewayAddress,
    directoryAddress: () => ({ host: reachable(directoryAddress.host), port: directoryAddress.port }),
    directory: () => directoryApi,
    state,
    certificates,
    feed,
    entry: entryOf("server-image"),
    poke: (atSign) => loops?.poke(atSign),
    onChange: () => changed(),
  });
  const gateway = stack.use(
    await service(
      "gateway",
      "gateway",
      (before) => ({
        GATEWAY_LISTEN: formatAddress(before.main ?? { host: listen, port: options.gatewayPort }),
        GATEWAY_ROUTES: `https://${formatAddress(routes.address)}/v1/routes`,
        GATEWAY_TLS: identities.gateway,
        GATEWAY_HEALTH_LISTEN: "127.0.0.1:0",
      }),
      () => undefined,
    ),
  );
  gatewayAddress = { host: reachable(listen), port: addressOf(gateway.addresses, "main").port };

  // Everything ends in reverse order. The atServers before the gateway: it waits until connections have ended.
  stack.defer(() => tenants.stop());
  loops = stack.use(reconciler({ adapter: tenants, log }));
  directoryUp();

  const settled = Promise.withResolvers<void>();
  const answering = new Set<AtSign>();
  let isSettled = false;
  let marked: DirectoryClient | undefined;
  const changed = () => {
    if (stopping) return;
    if (directoryApi !== undefined && marked !== directoryApi && tenants.allListed) void completeRegistry(directoryApi);
    const views = tenants.view();
    if (!isSettled && views.every((view) => answering.has(view.atSign) || isStuck(view))) {
      isSettled = true;
      settled.resolve();
    }
    if (isSettled) {
      writePlatformFile(file, {
        zone,
        directory: { host: directoryHost(options), port: directoryAddress.port },
        gateway: gatewayAddress,
        ca: certificates.caFile,
        views,
      });
    }
    onChange();
  };
  const completeRegistry = async (client: DirectoryClient) => {
    marked = client;
    try {
      const { id } = await client.registry();
      await client.markComplete(cell, id);
    } catch (error) {
      log.warn({ error: String(error) }, "the registry could not be marked complete");
      marked = undefined;
      setTimeout(changed, 500).unref();
    }
  };

  const manifests = stack.use(
    openManifests({
      directory: join(data, "atsigns"),
      onChange: () => tenants.want(manifests.present),
      onProblem: onEvent,
    }),
  );
  const missing =
    manifests.present.size === 0 && options.atSigns.length === 0 && state.isNew ? defaultAtSigns : options.atSigns;
  for (const atSign of missing) manifests.add(atSign);
  tenants.want(manifests.present);

  const probe = setInterval(() => {
    for (const { atSign, host, conditions } of tenants.view()) {
      const ready = conditions.some(({ type, status }) => type === "Ready" && status);
      if (!ready || answering.has(atSign)) continue;
      void greets({ host, at: gatewayAddress, caFile: certificates.caFile }).then((answers) => {
        if (answers) answering.add(atSign);
        changed();
      });
    }
    if (isSettled) clearInterval(probe);
  }, probeMs);
  const patience = setTimeout(() => {
    isSettled = true;
    settled.resolve();
    changed();
  }, settleTimeoutMs);
  void settled.promise.then(() => clearTimeout(patience));
  stack.defer(() => {
    clearInterval(probe);
    clearTimeout(patience);
  });
  stack.defer(() => {
    // First of all when it stops: the file would send clients to something that ends.
    stopping = true;
    rmSync(file, { force: true });
  });

  const running = stack.move();
  return {
    directory: directoryAddress,
    gateway: gatewayAddress,
    caFile: certificates.caFile,
    caIsNew: certificates.isNew,
    view: () => tenants.view(),
    settled: settled.promise,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

const defaultAtSigns = ["@alice", "@bob"] as const satisfies AtSign[];

/** Whether there is a reason not to wait for it. */
function isStuck({ conditions }: TenantView): boolean {
  const ready = conditions.find(({ type }) => type === "Ready");
  return ready !== undefined && !ready.status && ready.reason !== "Starting";
}

function directoryIn(data: string, name: string): string {
  const directory = join(data, name);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  return directory;
}

function entryOf(app: string): string {
  return resolve(fileURLToPath(import.meta.url), "../../../..", app, "src/main.ts");
}

/** What to connect to for what listens on all addresses. */
function reachable(listen: string): string {
  return listen === "0.0.0.0" || listen === "::" ? "127.0.0.1" : listen;
}

/** The name under which clients dial the directory: one that resolves here without further ado, where that is possible. */
export function directoryHost({ zone, listen }: Pick<Options, "zone" | "listen">): string {
  if (/(?:^|\.)localhost$/.test(zone)) return zone;
  return reachable(listen) === "127.0.0.1" ? "localhost" : zone;
}

async function assertFree(host: string, port: number, option: string): Promise<void> {
  const server = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, host, resolve);
    });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EADDRINUSE")
      throw new StartError(`port ${port} is in use. Stop what uses it, or choose another one with ${option} PORT.`);
    if (code === "EACCES")
      throw new StartError(`port ${port} needs rights that you do not have. Choose another one with ${option} PORT.`);
    throw new StartError(
      `cannot listen on ${host}, port ${port}: ${code ?? error}. Choose another address with --listen ADDRESS.`,
    );
  } finally {
    server.close();
  }
}
