import { createHash, randomBytes } from "node:crypto";
import { existsSync, type FSWatcher, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type AtSign, hostLabel, hostOf } from "@atrium/protocol";
import { type Address, formatAddress } from "@atrium/runtime/config.ts";
import type { LogLevel } from "@atrium/runtime/log.ts";
import { type AtSignResource, ownerOf } from "../at-sign-resource.ts";
import type { DirectoryClient } from "../directory-client.ts";
import type { RouteFeed } from "../routes/feed.ts";
import type { Condition } from "../tenant/conditions.ts";
import type { Action, Plan } from "../tenant/desired.ts";
import type { Failure, Listing, Observed, Server, Wanted } from "../tenant/observe.ts";
import type { Adapter } from "../tenant/reconcile.ts";
import { routeOf, sameRoute } from "../tenant/route.ts";
import type { Certificates } from "./certificates.ts";
import { isAbsent, readOptional, watchDirectory, writeAtomically } from "./files.ts";
import { openLogFile } from "./log-file.ts";
import { addressOf, type ServiceProcess, startService } from "./process.ts";
import type { State } from "./state.ts";

/** As its image starts it: with them it gives memory back. See docs/decisions/0003-one-file-per-app-and-few-megabytes.md. */
const atServerNodeOptions = ["--single-threaded", "--max-semi-space-size=1", "--use-openssl-ca", "--expose-gc"];

/** What is known of one AtSign while the platform runs. */
interface Tenant {
  readonly atSign: AtSign;
  wanted: Wanted;
  listing: Listing;
  server: Server;
  process: ServiceProcess | undefined;
  /** the last end that nobody asked for, until it was well for a while */
  failure: Failure | undefined;
  conditions: readonly Condition[];
  watcher: FSWatcher | undefined;
}

/** What people see of an AtSign. */
export interface TenantView {
  readonly atSign: AtSign;
  readonly host: string;
  readonly activated: boolean;
  /** while it is not activated */
  readonly activationSecret: string | undefined;
  readonly conditions: readonly Condition[];
}

interface Parts {
  readonly data: string;
  readonly zone: string;
  /** of the atServers' logs */
  readonly logLevel: LogLevel;
  /** where the gateway listens: its port is part of every record */
  readonly gateway: Address;
  /** where the directory listens, also while it is being started again */
  readonly directoryAddress: Address;
  /** undefined while the directory does not run */
  readonly directory: () => DirectoryClient | undefined;
  readonly state: State;
  readonly certificates: Certificates;
  readonly feed: RouteFeed;
  /** the atServer's program, a file */
  readonly entry: string;
  /** asks for another look at an AtSign */
  readonly poke: (atSign: AtSign) => void;
  /** a line for what cannot be seen in the views */
  readonly onEvent: (line: string) => void;
  /** after anything that people may want to see */
  readonly onChange: () => void;
}

/** An atServer that ran so long is taken to be well: its earlier ends do not count. */
const healthyMs = 60_000;

/** AtSigns as processes of this machine. */
export class Tenants implements Adapter {
  readonly #parts: Parts;
  readonly #tenants = new Map<AtSign, Tenant>();
  /** what the manifests said last; undefined until they were read */
  #resources: ReadonlyMap<AtSign, AtSignResource> | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  hostOf(atSign: AtSign): string {
    return hostOf(atSign, this.#parts.zone);
  }

  /** @returns why a resource cannot have its atSign: somebody else's data are kept under that name */
  objection(resource: AtSignResource): string | undefined {
    const { atSign } = resource.spec;
    const owner = this.#parts.state.tenant(atSign)?.owner;
    if (owner === undefined || owner === ownerOf(resource)) return undefined;
    return `${atSign} and its data are kept for the AtSign ${owner}; use that namespace and name to have them again`;
  }

  /** Takes up what the manifests say now, and withdraws what they do not say any more. */
  want(resources: ReadonlyMap<AtSign, AtSignResource>): void {
    for (const resource of resources.values()) this.#wantOne(resource);
    // After what may fail and is then done again.
    const isFirst = this.#resources === undefined;
    this.#resources = resources;
    if (isFirst) this.#withdrawStored();
    for (const atSign of this.#tenants.keys()) {
      if (!resources.has(atSign)) this.#withdraw(atSign);
    }
  }

  /** What went while nobody looked, and what is parked: the directory forgets both when it ends. */
  #withdrawStored(): void {
    for (const { atSign } of this.#parts.state.tenants()) {
      if (this.#resources?.has(atSign) === false) this.#withdraw(atSign);
    }
  }

  #wantOne(resource: AtSignResource): void {
    const { state, poke } = this.#parts;
    const { atSign, runPolicy: run, deletionPolicy } = resource.spec;
    const before = state.tenant(atSign);
    // Kept with the rest: it holds for a manifest that goes while nobody looks, too.
    if (before?.deletionPolicy !== deletionPolicy) {
      const fresh = { atSign, owner: ownerOf(resource), epoch: 0, activationIssued: false };
      state.save({ ...fresh, ...before, deletionPolicy });
    }
    this.#tenantOf({ atSign, run, deletionPolicy });
    poke(atSign);
  }

  #withdraw(atSign: AtSign): void {
    const stored = this.#parts.state.tenant(atSign);
    if (stored === undefined) return;
    this.#tenantOf({ atSign, run: "Withdrawn", deletionPolicy: stored.deletionPolicy });
    this.#parts.poke(atSign);
  }

  #tenantOf(wanted: Wanted): void {
    const tenant = this.#tenants.get(wanted.atSign);
    if (tenant !== undefined) {
      tenant.wanted = wanted;
      return;
    }
    this.#tenants.set(wanted.atSign, {
      atSign: wanted.atSign,
      wanted,
      listing: { state: "unknown" },
      server: { state: "absent" },
      process: undefined,
      failure: undefined,
      conditions: [],
      watcher: undefined,
    });
  }

  /** The directory knows nothing any more: it was started again. Parked names are told to it, too. */
  forgetListings(): void {
    this.#withdrawStored();
    for (const tenant of this.#tenants.values()) {
      tenant.listing = { state: "unknown" };
      this.#parts.poke(tenant.atSign);
    }
  }

  /** Whether the directory has answered for every AtSign since it was started. */
  get allListed(): boolean {
    return [...this.#tenants.values()].every(({ listing }) => listing.state !== "unknown");
  }

  view(): TenantView[] {
    return [...this.#tenants.values()]
      .filter(({ wanted }) => wanted.run !== "Withdrawn")
      .map(({ atSign, conditions }) => ({
        atSign,
        host: this.hostOf(atSign),
        activated: this.#isActivated(atSign),
        activationSecret: this.#activationSecret(atSign),
        conditions,
      }))
      .sort((a, b) => (a.atSign < b.atSign ? -1 : 1));
  }

  /** Ends every atServer; what was acknowledged is on the disk already. */
  async stop(): Promise<void> {
    for (const { watcher } of this.#tenants.values()) watcher?.close();
    await Promise.all([...this.#tenants.values()].map(({ process }) => process?.stop()));
  }

  observe(atSign: AtSign, now: number): Observed | undefined {
    const tenant = this.#tenants.get(atSign);
    if (tenant === undefined) return undefined;
    return {
      now,
      wanted: tenant.wanted,
      epoch: this.#parts.state.tenant(atSign)?.epoch ?? 0,
      volume: existsSync(this.#dataOf(atSign)) ? "present" : "absent",
      listing: tenant.listing,
      server: tenant.server,
      activated: this.#isActivated(atSign),
    };
  }

  report(atSign: AtSign, observed: Observed, { conditions }: Plan): void {
    const tenant = this.#tenants.get(atSign);
    if (tenant === undefined) return;
    this.#route(observed);
    tenant.conditions = conditions;
    this.#parts.onChange();
  }

  async apply(atSign: AtSign, action: Action): Promise<void> {
    const tenant = this.#tenants.get(atSign);
    if (tenant === undefined) return;
    switch (action.do) {
      case "list":
        return this.#list(tenant, action.generation, action.parked);
      case "release":
        return this.#release(tenant);
      case "start":
        return this.#start(tenant, action.epoch);
      case "stop":
        return this.#stop(tenant);
      case "hand-over":
        throw new Error("there is nobody to give a name to on one machine");
      case "delete-data":
        return this.#deleteData(atSign);
      case "forget":
        return this.#forget(tenant);
    }
  }

  #route(observed: Observed): void {
    const { feed } = this.#parts;
    const host = this.hostOf(observed.wanted.atSign);
    const route = routeOf(observed, host);
    if (sameRoute(route, feed.get(host))) return;
    if (route === undefined) feed.remove(host);
    else feed.set(route);
  }

  async #list(tenant: Tenant, generation: number, parked: boolean): Promise<void> {
    const { atSign } = tenant;
    const directory = this.#directory();
    const host = parked ? undefined : { host: this.hostOf(atSign), port: this.#parts.gateway.port };
    // Who has a name here is decided here.
    const listing = await directory.put({ atSign, host, claim: this.#claimOf(atSign), generation, held: true });
    // An answer of a directory that has ended meanwhile says nothing of the one that runs now.
    if (directory !== this.#parts.directory()) return;
    tenant.listing = listing;
    // A refusal is looked at again at the time that the plan says.
    if (listing.state === "ours") this.#parts.poke(atSign);
    this.#parts.onChange();
  }

  async #release({ atSign }: Tenant): Promise<void> {
    const generation = this.#parts.state.tenant(atSign)?.epoch ?? 0;
    await this.#directory().release({ atSign, claim: this.#claimOf(atSign), generation });
  }

  #directory(): DirectoryClient {
    const directory = this.#parts.directory();
    if (directory === undefined) throw new Error("the directory does not run");
    return directory;
  }

  async #start(tenant: Tenant, epoch: number): Promise<void> {
    const { atSign } = tenant;
    const { state, certificates, entry } = this.#parts;
    const before = state.tenant(atSign);
    if (before === undefined) throw new Error("nothing is known of this AtSign");
    const identity = this.#identityOf(atSign);
    await certificates.provide(identity, { dnsNames: [this.hostOf(atSign)], client: true });
    // Without data there are no keys, whatever there was before: the owner begins anew.
    const data = this.#dataOf(atSign);
    if (!before.activationIssued || !existsSync(data)) this.#issueActivation(identity);
    mkdirSync(data, { recursive: true, mode: 0o700 });
    // The epoch is on the disk before anything runs with it.
    state.save({ ...before, epoch, activationIssued: true });
    this.#watchActivation(tenant, identity);

    const startedAt = performance.now();
    const log = openLogFile(join(this.#parts.data, "log", `@${hostLabel(atSign)}.log`));
    const environment = this.#environment(atSign, epoch);
    const process = startService({ entry, nodeOptions: atServerNodeOptions, environment, log });
    tenant.process = process;
    tenant.server = { state: "starting", epoch, ...(tenant.failure && { after: tenant.failure }) };
    void process.ended.then(({ how }) => {
      log[Symbol.dispose]();
      tenant.process = undefined;
      this.#ended(tenant, how, performance.now() - startedAt);
    });
    void process.ready.then(
      (addresses) => this.#ready(tenant, epoch, process, addresses),
      () => undefined, // it has ended, or is made to: `ended` tells
    );
  }

  #ready(tenant: Tenant, epoch: number, process: ServiceProcess, addresses: Readonly<Record<string, Address>>): void {
    // It may have been told to stop meanwhile.
    if (tenant.server.state !== "starting") return;
    const { host: address, port } = addressOf(addresses, "main");
    tenant.server = { state: "ready", epoch, uid: `${process.pid}`, address, port };
    this.#parts.poke(tenant.atSign);
  }

  #ended(tenant: Tenant, how: string, ranMs: number): void {
    if (tenant.server.state === "stopping") {
      tenant.failure = undefined;
      tenant.server = { state: "absent" };
    } else {
      const before = ranMs >= healthyMs ? 0 : (tenant.failure?.failures ?? 0);
      tenant.failure = { failures: before + 1, endedAt: Date.now(), how };
      tenant.server = { state: "failed", ...tenant.failure };
    }
    this.#parts.poke(tenant.atSign);
  }

  async #stop(tenant: Tenant): Promise<void> {
    if (tenant.process === undefined || !("epoch" in tenant.server)) return;
    tenant.server = { state: "stopping", epoch: tenant.server.epoch };
    await tenant.process.stop();
  }

  #deleteData(atSign: AtSign): void {
    const home = this.#home(atSign);
    if (!existsSync(home)) return;
    rmSync(home, { recursive: true, force: true });
    this.#parts.onEvent(`${atSign}   is deleted, with its data`);
  }

  #forget(tenant: Tenant): void {
    const { atSign, wanted, watcher } = tenant;
    // Wanted again while it was being withdrawn.
    if (wanted.run !== "Withdrawn") return;
    watcher?.close();
    this.#parts.certificates.forget(this.#identityOf(atSign));
    // What is retained keeps its claim and its epoch.
    if (wanted.deletionPolicy === "Delete" || this.#parts.state.tenant(atSign)?.epoch === 0) {
      this.#parts.state.remove(atSign);
    }
    this.#tenants.delete(atSign);
    this.#parts.onChange();
  }

  #environment(atSign: AtSign, epoch: number): Record<string, string> {
    const { zone, certificates, gateway, directoryAddress, logLevel } = this.#parts;
    return {
      MALLOC_ARENA_MAX: "1",
      MALLOC_TRIM_THRESHOLD_: "65536",
      ATSERVER_ATSIGN: atSign,
      ATSERVER_HOST: this.hostOf(atSign),
      ATSERVER_PORT: String(gateway.port),
      ATSERVER_DATA: this.#dataOf(atSign),
      ATSERVER_EPOCH: String(epoch),
      ATSERVER_IDENTITY: pathToFileURL(this.#identityOf(atSign)).href,
      ATSERVER_PLATFORM_CA: certificates.caFile,
      ATSERVER_ZONES: `${zone}=${formatAddress(gateway)}`,
      ATSERVER_PRIVATE_ADDRESSES: "127.0.0.0/8,::1",
      ATSERVER_DIRECTORY: formatAddress(directoryAddress),
      ATSERVER_LISTEN: "127.0.0.1:0",
      ATSERVER_HEALTH_LISTEN: "127.0.0.1:0",
      ATSERVER_LOG_LEVEL: logLevel,
    };
  }

  #home(atSign: AtSign): string {
    return join(this.#parts.data, "tenants", hostLabel(atSign));
  }

  #dataOf(atSign: AtSign): string {
    return join(this.#home(atSign), "data");
  }

  #identityOf(atSign: AtSign): string {
    return join(this.#home(atSign), "identity");
  }

  #issueActivation(identity: string): void {
    const file = join(identity, "activation");
    if (readOptional(file) === undefined) writeAtomically(file, randomBytes(64).toString("hex"));
  }

  /** The atServer removes the file with the secret once it is used up. */
  #isActivated(atSign: AtSign): boolean {
    const issued = this.#parts.state.tenant(atSign)?.activationIssued ?? false;
    return issued && isAbsent(this.#activationFile(atSign));
  }

  /** What somebody has made unreadable is nobody's secret; it must not end the platform. */
  #activationSecret(atSign: AtSign): string | undefined {
    try {
      return readOptional(this.#activationFile(atSign))?.trim();
    } catch {
      return undefined; // the atServer says why, when it reads it
    }
  }

  #activationFile(atSign: AtSign): string {
    return join(this.#identityOf(atSign), "activation");
  }

  #watchActivation(tenant: Tenant, identity: string): void {
    if (tenant.watcher !== undefined || this.#isActivated(tenant.atSign)) return;
    tenant.watcher = watchDirectory(identity, () => {
      if (!this.#isActivated(tenant.atSign)) return;
      tenant.watcher?.close();
      this.#parts.poke(tenant.atSign);
    });
  }

  /** The claim survives a re-created resource, and says nothing about who owns an Atsign. */
  #claimOf(atSign: AtSign): string {
    const { state } = this.#parts;
    return createHash("sha256")
      .update(`${state.platformId}/${state.tenant(atSign)?.owner}`)
      .digest("hex");
  }
}
