import { createHash, randomBytes } from "node:crypto";
import { type FSWatcher, mkdirSync, rmSync, watch } from "node:fs";
import { join } from "node:path";
import { type AtSign, hostLabel, hostOf } from "@atrium/protocol";
import type { Address } from "@atrium/runtime/config.ts";
import type { AtSignResource } from "../at-sign-resource.ts";
import type { RouteFeed } from "../routes/feed.ts";
import type { Condition } from "../tenant/conditions.ts";
import type { Action } from "../tenant/desired.ts";
import type { Listing, Observed, Server, Wanted } from "../tenant/observe.ts";
import type { Adapter } from "../tenant/reconcile.ts";
import type { Certificates } from "./certificates.ts";
import type { DirectoryClient } from "./directory-client.ts";
import { readOptional, writeAtomically } from "./files.ts";
import { openLogFile } from "./log-file.ts";
import { addressOf, type ServiceProcess, startService } from "./process.ts";
import type { State, TenantState } from "./state.ts";

/** What is known of one AtSign while the platform runs. */
interface Tenant {
  readonly atSign: AtSign;
  readonly claim: string;
  wanted: Wanted;
  listing: Listing;
  server: Server;
  process: ServiceProcess | undefined;
  failures: number;
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
  readonly pid: number | undefined;
}

interface Parts {
  readonly data: string;
  readonly zone: string;
  /** where the gateway listens: its port is part of every record */
  readonly gateway: () => Address;
  /** where the directory listens, also while it is being started again */
  readonly directoryAddress: () => Address;
  /** undefined while the directory does not run */
  readonly directory: () => DirectoryClient | undefined;
  readonly state: State;
  readonly certificates: Certificates;
  readonly feed: RouteFeed;
  readonly entry: string;
  /** asks for another look at an AtSign */
  readonly poke: (atSign: AtSign) => void;
  /** after anything that people may want to see */
  readonly onChange: () => void;
}

/** An atServer that ran so long is taken to be well: its earlier ends do not count. */
const healthyMs = 60_000;

/** AtSigns as processes of this machine. */
export class Tenants implements Adapter {
  readonly #parts: Parts;
  readonly #tenants = new Map<AtSign, Tenant>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  hostOf(atSign: AtSign): string {
    return hostOf(atSign, this.#parts.zone);
  }

  /** Takes up what the manifests say now, and withdraws what they do not say any more. */
  want(resources: ReadonlyMap<AtSign, AtSignResource>): void {
    const { state, poke } = this.#parts;
    for (const [atSign, resource] of resources) {
      const { runPolicy: run, deletionPolicy } = resource.spec;
      const wanted = { atSign, run, deletionPolicy };
      const tenant = this.#tenants.get(atSign);
      if (tenant === undefined) this.#add(wanted, this.#claimOf(resource.metadata));
      else tenant.wanted = wanted;
      poke(atSign);
    }
    const known = new Set([...this.#tenants.keys(), ...state.tenants().map(({ atSign }) => atSign)]);
    for (const atSign of known) {
      if (!resources.has(atSign)) this.#withdraw(atSign);
    }
  }

  #withdraw(atSign: AtSign): void {
    const stored = this.#parts.state.tenant(atSign);
    const tenant = this.#tenants.get(atSign);
    if (tenant !== undefined) tenant.wanted = { ...tenant.wanted, run: "Withdrawn" };
    else if (stored !== undefined) {
      this.#add({ atSign, run: "Withdrawn", deletionPolicy: stored.deletionPolicy }, stored.claim);
    }
    this.#parts.poke(atSign);
  }

  #add(wanted: Wanted, claim: string): void {
    this.#tenants.set(wanted.atSign, {
      atSign: wanted.atSign,
      claim,
      wanted,
      listing: { state: "unknown" },
      server: { state: "absent" },
      process: undefined,
      failures: 0,
      conditions: [],
      watcher: undefined,
    });
  }

  /** The directory knows nothing any more: it was started again. */
  forgetListings(): void {
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
      .map(({ atSign, conditions, process }) => ({
        atSign,
        host: this.hostOf(atSign),
        activated: this.#isActivated(atSign),
        activationSecret: this.#activationSecret(atSign),
        conditions,
        pid: process?.pid,
      }))
      .sort((a, b) => (a.atSign < b.atSign ? -1 : 1));
  }

  /** Ends every atServer, in order; what was acknowledged is on the disk already. */
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
      listing: tenant.listing,
      server: tenant.server,
      activated: this.#isActivated(atSign),
      route: this.#parts.feed.get(this.hostOf(atSign)),
    };
  }

  report(atSign: AtSign, conditions: readonly Condition[]): void {
    const tenant = this.#tenants.get(atSign);
    if (tenant === undefined) return;
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
      case "route":
        return this.#parts.feed.set(action.route);
      case "unroute":
        return this.#parts.feed.remove(this.hostOf(atSign));
      case "delete-data":
        return rmSync(this.#home(atSign), { recursive: true, force: true });
      case "forget":
        return this.#forget(tenant);
    }
  }

  async #list(tenant: Tenant, generation: number, parked: boolean): Promise<void> {
    const { atSign, claim } = tenant;
    const host = parked ? undefined : { host: this.hostOf(atSign), port: this.#parts.gateway().port };
    tenant.listing = await this.#directory().put({ atSign, host, claim, generation });
    // A refusal is looked at again at the time that the plan says.
    if (tenant.listing.state === "ours" && !parked) this.#parts.poke(atSign);
    this.#parts.onChange();
  }

  async #release({ atSign, claim }: Tenant): Promise<void> {
    const generation = this.#parts.state.tenant(atSign)?.epoch ?? 0;
    await this.#directory().release({ atSign, claim, generation });
  }

  #directory() {
    const directory = this.#parts.directory();
    if (directory === undefined) throw new Error("the directory does not run");
    return directory;
  }

  async #start(tenant: Tenant, epoch: number): Promise<void> {
    const { atSign, claim, wanted } = tenant;
    const { state, certificates, entry } = this.#parts;
    const before = state.tenant(atSign);
    const identity = join(this.#home(atSign), "identity");
    await certificates.provide(identity, { dnsNames: [this.hostOf(atSign)], client: true });
    if (before?.activationIssued !== true) this.#issueActivation(identity);
    // The epoch is on the disk before anything runs with it.
    const { deletionPolicy } = wanted;
    state.save({ atSign, claim, epoch, deletionPolicy, activationIssued: true } satisfies TenantState);
    this.#watchActivation(tenant, identity);

    const startedAt = Date.now();
    const log = openLogFile(join(this.#parts.data, "log", `${hostLabel(atSign)}.log`));
    const process = startService({ entry, environment: this.#environment(atSign, epoch, identity), log });
    tenant.process = process;
    tenant.server = { state: "starting", epoch };
    void process.ended.then(({ how }) => {
      log[Symbol.dispose]();
      tenant.process = undefined;
      this.#ended(tenant, how, Date.now() - startedAt);
    });
    void process.ready.then(
      (addresses) => {
        const { host: address, port } = addressOf(addresses, "main");
        tenant.server = { state: "ready", epoch, uid: `${process.pid}`, address, port };
        this.#parts.poke(atSign);
      },
      () => undefined, // it has ended, or is made to: `ended` tells
    );
  }

  #ended(tenant: Tenant, how: string, ranMs: number): void {
    const { server } = tenant;
    if (server.state === "stopping") {
      tenant.failures = 0;
      tenant.server = { state: "absent" };
    } else {
      tenant.failures = ranMs >= healthyMs ? 1 : tenant.failures + 1;
      tenant.server = { state: "failed", failures: tenant.failures, endedAt: Date.now(), how };
    }
    this.#parts.poke(tenant.atSign);
  }

  async #stop(tenant: Tenant): Promise<void> {
    if (tenant.process === undefined || !("epoch" in tenant.server)) return;
    tenant.server = { state: "stopping", epoch: tenant.server.epoch };
    await tenant.process.stop();
  }

  #forget(tenant: Tenant): void {
    const { atSign, wanted, watcher } = tenant;
    // Withdrawn before it was forgotten, and wanted again meanwhile.
    if (wanted.run !== "Withdrawn") return;
    watcher?.close();
    this.#parts.certificates.forget(join(this.#home(atSign), "identity"));
    // What was retained keeps its claim and its epoch.
    if (wanted.deletionPolicy === "Delete") this.#parts.state.remove(atSign);
    this.#tenants.delete(atSign);
    this.#parts.onChange();
  }

  #environment(atSign: AtSign, epoch: number, identity: string): Record<string, string> {
    const { zone, certificates } = this.#parts;
    const gateway = this.#parts.gateway();
    const directory = this.#parts.directoryAddress();
    return {
      ATSERVER_ATSIGN: atSign,
      ATSERVER_HOST: this.hostOf(atSign),
      ATSERVER_PORT: String(gateway.port),
      ATSERVER_DATA: this.#dataOf(atSign),
      ATSERVER_EPOCH: String(epoch),
      ATSERVER_IDENTITY: `file://${identity}`,
      ATSERVER_PLATFORM_CA: certificates.caFile,
      ATSERVER_ZONES: `${zone}=${gateway.host}:${gateway.port}`,
      ATSERVER_DIRECTORY: `${directory.host}:${directory.port}`,
      ATSERVER_LISTEN: "127.0.0.1:0",
      ATSERVER_HEALTH_LISTEN: "127.0.0.1:0",
    };
  }

  #dataOf(atSign: AtSign): string {
    const directory = join(this.#home(atSign), "data");
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    return directory;
  }

  #home(atSign: AtSign): string {
    return join(this.#parts.data, "tenants", hostLabel(atSign));
  }

  #issueActivation(identity: string): void {
    const file = join(identity, "activation");
    if (readOptional(file) === undefined) writeAtomically(file, randomBytes(64).toString("hex"));
  }

  /** The atServer removes the file with the secret once it is used up. */
  #isActivated(atSign: AtSign): boolean {
    return (
      (this.#parts.state.tenant(atSign)?.activationIssued ?? false) && this.#activationSecret(atSign) === undefined
    );
  }

  #activationSecret(atSign: AtSign): string | undefined {
    return readOptional(join(this.#home(atSign), "identity", "activation"))?.trim();
  }

  #watchActivation(tenant: Tenant, identity: string): void {
    if (tenant.watcher !== undefined || this.#isActivated(tenant.atSign)) return;
    const watcher = watch(identity, () => {
      if (!this.#isActivated(tenant.atSign)) return;
      watcher.close();
      this.#parts.poke(tenant.atSign);
    });
    watcher.on("error", () => watcher.close());
    tenant.watcher = watcher;
  }

  /** @see design: the claim survives a re-created resource */
  #claimOf({ namespace, name }: AtSignResource["metadata"]): string {
    return createHash("sha256").update(`${this.#parts.state.platformId}/${namespace}/${name}`).digest("hex");
  }
}
