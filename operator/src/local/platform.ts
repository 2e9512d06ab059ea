import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { AtSign } from "@atrium/protocol";
import type { Address } from "@atrium/runtime/config.ts";
import { type Log, logger } from "@atrium/runtime/log.ts";
import { type RouteFeed, routeFeed } from "../routes/feed.ts";
import { serveRoutes } from "../routes/server.ts";
import { type Reconciler, reconciler } from "../tenant/reconcile.ts";
import { type Answering, answering } from "./answering.ts";
import { type Identities, openIdentities } from "./identities.ts";
import { openLogFile } from "./log-file.ts";
import { openManifests } from "./manifests.ts";
import { isUnderLocalhost, type Options } from "./options.ts";
import { writePlatformFile } from "./platform-file.ts";
import { assertFree } from "./ports.ts";
import { greets } from "./probe.ts";
import { type RegistryPass, registryPass } from "./registry-pass.ts";
import { programOf, reachable, type Services, startServices } from "./services.ts";
import { openState, type State } from "./state.ts";
import { Tenants, type TenantView } from "./tenants.ts";

/** Everything that `npm start` runs. */
export interface LocalPlatform extends AsyncDisposable {
  /** where clients reach it; the host is a name */
  readonly directory: Address;
  readonly gateway: Address;
  readonly caFile: string;
  /** whether clients must take up the CA file again */
  readonly caIsNew: boolean;
  view(): PlatformView[];
  /** Resolves when every Atsign answers, or has a reason in its conditions why it does not. */
  readonly settled: Promise<void>;
}

export interface PlatformView extends TenantView {
  /** whether it has answered a client since it is wanted */
  readonly answered: boolean;
}

interface Listeners {
  /** a line for each event worth knowing that is not of one Atsign */
  readonly onEvent: (line: string) => void;
  /** after anything in `view` may have changed */
  readonly onChange: () => void;
}

const defaultAtSigns = ["@alice", "@bob"] as const satisfies AtSign[];
const settleTimeoutMs = 30_000;
/** Not everything that changes in the data directory is told by this system. */
const lookMs = 2_000;

/** @throws {StartError} when it cannot run here; nothing is left running then */
export async function startPlatform(options: Options, listeners: Listeners): Promise<LocalPlatform> {
  await using stack = new AsyncDisposableStack();
  const { data } = options;
  const state = stack.use(openState(data));
  rmSync(join(data, "platform.json"), { force: true });
  await assertFree(options.listen, options.directoryPort, "--directory-port");
  await assertFree(options.listen, options.gatewayPort, "--gateway-port");

  const logDirectory = join(data, "log");
  mkdirSync(logDirectory, { recursive: true, mode: 0o700 });
  const log = logger({
    name: "operator",
    level: options.logLevel,
    to: stack.use(openLogFile(join(logDirectory, "operator.log"))),
  });
  const identities = stack.use(await openIdentities(options, log));
  const feed = routeFeed();
  const listen = { host: "127.0.0.1", port: 0 };
  const routes = stack.use(await serveRoutes({ listen, tls: identities.operator(), feed, log }));
  identities.onRenewal(() => routes.renew(identities.operator()));

  let platform: Platform | undefined;
  const services = stack.use(
    await startServices({
      options,
      logDirectory,
      identities,
      routes: routes.address,
      onDirectoryUp: () => platform?.directoryForgot(),
      onEvent: listeners.onEvent,
    }),
  );
  platform = stack.use(new Platform({ options, state, identities, feed, services, log, ...listeners }));
  const { settled } = platform;
  const running = stack.move();
  return {
    directory: { host: directoryHost(options), port: services.directory.port },
    gateway: services.gateway,
    caFile: identities.certificates.caFile,
    caIsNew: identities.certificates.isNew,
    view: () => platform?.view() ?? [],
    settled,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

interface Parts extends Listeners {
  readonly options: Options;
  readonly state: State;
  readonly identities: Identities;
  readonly feed: RouteFeed;
  readonly services: Services;
  readonly log: Log;
}

/** The AtSigns of a platform whose services run. */
class Platform implements AsyncDisposable {
  readonly #parts: Parts;
  readonly #file: string;
  readonly #running = new AsyncDisposableStack();
  readonly #tenants: Tenants;
  readonly #loops: Reconciler;
  readonly #answering: Answering;
  readonly #registry: RegistryPass;
  readonly #settled = Promise.withResolvers<void>();
  #isSettled = false;
  #stopping = false;

  constructor(parts: Parts) {
    const { options, state, identities, feed, services, log, onEvent } = parts;
    this.#parts = parts;
    this.#file = join(options.data, "platform.json");
    this.#tenants = new Tenants({
      ...options,
      ...{ state, feed, certificates: identities.certificates, entry: programOf("server-image") },
      gateway: services.gateway,
      directoryAddress: services.directory,
      directory: () => services.directoryApi,
      poke: (atSign) => this.#loops.poke(atSign),
      onEvent,
      onChange: () => this.#look(),
    });
    // It all ends in reverse order. New connections end first, and the gateway itself last: it waits for those that are.
    this.#running.defer(() => services.endGateway());
    this.#running.defer(() => this.#tenants.stop());
    this.#running.defer(() => void services.endGateway());
    this.#loops = this.#running.use(reconciler({ adapter: this.#tenants, log }));
    this.#registry = this.#running.use(registryPass(log));
    this.#answering = this.#running.use(
      answering({
        greets: (host) => greets({ host, at: services.gateway, ca: identities.certificates.ca }),
        onAnswer: () => this.#look(),
      }),
    );
    const manifests = this.#running.use(
      openManifests({
        directory: join(options.data, "atsigns"),
        initial: options.atSigns.length > 0 ? options.atSigns : defaultAtSigns,
        memory: state.manifests,
        objection: (resource) => this.#tenants.objection(resource),
        onChange: (present) => this.#tenants.want(present),
        onProblem: onEvent,
      }),
    );
    for (const atSign of options.atSigns) manifests.add(atSign);
    this.#keepLooking();
  }

  get settled(): Promise<void> {
    return this.#settled.promise;
  }

  directoryForgot(): void {
    this.#tenants.forgetListings();
  }

  view(): PlatformView[] {
    return this.#tenants.view().map((view) => ({ ...view, answered: this.#answering.has(view.atSign) }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping = true;
    // First of all: the file would send clients to something that ends.
    rmSync(this.#file, { force: true });
    await this.#running.disposeAsync();
  }

  #keepLooking(): void {
    this.#look();
    const timer = setInterval(() => this.#look(), lookMs);
    this.#running.defer(() => clearInterval(timer));
    const patience = setTimeout(() => this.#settle(), settleTimeoutMs);
    this.#running.defer(() => clearTimeout(patience));
  }

  /** Compares what people and tools were told with what is. */
  #look(): void {
    if (this.#stopping) return;
    this.#registry.look(this.#parts.services.directoryApi, this.#tenants.allListed);
    this.#answering.look(this.#tenants.view());
    if (!this.#isSettled && this.view().every((view) => view.answered || isStuck(view))) this.#settle();
    if (this.#isSettled) this.#write();
    this.#parts.onChange();
  }

  #settle(): void {
    this.#isSettled = true;
    this.#write();
    this.#settled.resolve();
  }

  #write(): void {
    const { options, services, identities, log } = this.#parts;
    const directory = { host: directoryHost(options), port: services.directory.port };
    const atSigns = this.view().filter(({ answered }) => answered);
    const content = { zone: options.zone, directory, gateway: services.gateway, ca: identities.certificates.caFile };
    try {
      writePlatformFile(this.#file, { ...content, atSigns });
    } catch (error) {
      // For instance a full disk: at the next look again.
      log.error({ error: String(error) }, "the platform file cannot be written");
    }
  }
}

/** Whether there is a reason not to wait for it. */
function isStuck({ conditions }: TenantView): boolean {
  const told = (type: string, reasons: readonly string[]) =>
    conditions.some((condition) => condition.type === type && reasons.includes(condition.reason));
  return told("Ready", ["Suspended", "Unclaimed"]) || told("Degraded", ["CrashLoop"]);
}

/** The name under which clients dial the directory: one that resolves here without further ado, where that is possible. */
function directoryHost({ zone, listen }: Pick<Options, "zone" | "listen">): string {
  if (isUnderLocalhost(zone)) return zone;
  return reachable(listen) === "127.0.0.1" ? "localhost" : zone;
}
