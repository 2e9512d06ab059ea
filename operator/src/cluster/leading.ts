import type { Log } from "@atrium/runtime/log.ts";
import { type ApiClient, ApiError, type KubernetesObject } from "../controller/api.ts";
import { Controller } from "../controller/controller.ts";
import { EventRecorder } from "../controller/events.ts";
import type { Term } from "../controller/term.ts";
import type { Outcome, Priority, WorkQueueOptions } from "../controller/work-queue.ts";
import { Writer } from "../controller/writer.ts";
import type { DirectoryClient } from "../directory-client.ts";
import type { AtSign } from "../resources/at-sign.ts";
import { atSignClasses, standardClass } from "../resources/at-sign-class.ts";
import { defaultClass } from "./classes.ts";
import { Directory } from "./directory.ts";
import type { EventReason } from "./happenings.ts";
import { type Claims, ownerKeyOf, releaseToAnnotation } from "./names.ts";
import { keepNetworkPolicy } from "./network-policies.ts";
import type { Site } from "./objects/pod.ts";
import { Reader } from "./reader.ts";
import { isNamed } from "./status.ts";
import { keyOfVolumeClaim, type Stores } from "./stores.ts";
import { Sweep } from "./sweep.ts";
import { Tenants } from "./tenants.ts";

export interface LeadingOptions {
  readonly client: Pick<ApiClient, "request">;
  readonly stores: Stores;
  /** of the stores */
  readonly synced: Promise<unknown>;
  readonly site: () => Site;
  readonly claims: Claims;
  readonly cell: string;
  readonly directory: DirectoryClient;
  /** which process tells events */
  readonly instance: string;
  readonly onWorked?: WorkQueueOptions["onWorked"];
  readonly log: Log;
  /** spec of the network policy of namespaces that have AtSigns; undefined when none is kept */
  readonly networkPolicy?: unknown;
  /** after it a deletion ends, whatever is not done */
  readonly deletionMs: number;
  /** between two looks for names that belong to nothing any more */
  readonly sweepMs: number;
}

/** At the same time; much of it is waiting. */
const workers = 16;
/** The key of what belongs to no AtSign. */
const classKey = "classes";
const policyPrefix = "network-policy:";

/** What the leader alone does. */
export class Leading {
  readonly #options: LeadingOptions;
  readonly #controller: Controller;
  #tenants: Tenants | undefined;
  #directory: Directory | undefined;

  constructor(options: LeadingOptions) {
    const { synced, onWorked, log } = options;
    this.#options = options;
    this.#controller = new Controller({
      ...{ workers, synced, backoff: { minMs: 200, maxMs: 30_000 } },
      ...(onWorked && { onWorked }),
      reconcile: (key, term) => this.#reconcile(key, term),
      keys: () => this.#keys(),
      onError: (key, error) => log.warn({ key, error: String(error) }, "will try again"),
    });
  }

  get leads(): boolean {
    return this.#tenants !== undefined;
  }

  get queueLength(): number {
    return this.#controller.queue?.length ?? 0;
  }

  get directoryAway(): boolean {
    return this.#directory?.isAway ?? false;
  }

  /** Something of an AtSign has changed. @param gone what was there, when it is there no longer */
  look(key: string, gone: AtSign | undefined): void {
    if (gone !== undefined) this.#tenants?.withdraw(key, gone);
    this.#controller.add(key);
    this.lookAtPolicy(key.slice(0, key.indexOf("/")));
  }

  /** A namespace has AtSigns now, or none any more, or its policy has changed. */
  lookAtPolicy(namespace: string): void {
    if (this.#options.networkPolicy !== undefined) this.#controller.add(`${policyPrefix}${namespace}`);
  }

  /** A class or a namespace has changed. */
  lookAtAll(): void {
    this.#controller.add(classKey);
    for (const key of this.#options.stores.atSigns.keys()) this.#controller.add(key, 2);
  }

  /** For the leader election. @returns once the term shall end, and what was begun has ended */
  async lead(term: Term): Promise<void> {
    const { client, stores, site, claims, instance, log, deletionMs } = this.#options;
    log.info("leads");
    await using recorder = new EventRecorder<EventReason>({
      ...{ client, term, reporter: { controller: "atrium.dev/operator", instance } },
      onError: (error) => log.debug({ error: String(error) }, "an event was not told"),
    });
    const directory = this.#openDirectory();
    this.#directory = directory;
    this.#tenants = new Tenants({
      ...{ client, term, stores, directory, site, claims, recorder, log, deletionMs },
      poke: (key: string, priority?: Priority) => this.#controller.add(key, priority),
    });
    try {
      const sweep = this.#openSweep(term);
      await Promise.all([this.#controller.lead(term), directory.watch(term.signal), sweep.run()]);
    } finally {
      this.#tenants = undefined;
      this.#directory = undefined;
      log.info("leads no longer");
    }
  }

  #openDirectory(): Directory {
    const { directory: client, cell, log } = this.#options;
    return new Directory({
      ...{ client, cell, log },
      keys: () => this.#namedKeys(),
      onForgotten: () => {
        for (const key of this.#keys()) {
          if (this.#directory?.listing(key).state === "unknown") this.#controller.add(key, 2);
        }
      },
    });
  }

  #openSweep(term: Term): Sweep {
    const { directory, claims, client, stores, sweepMs, log } = this.#options;
    return new Sweep({
      ...{ directory, claims, term, log, everyMs: sweepMs },
      keys: () => new Set([...stores.atSigns.keys(), ...map(stores.volumeClaims.values(), keyOfVolumeClaim)]),
      reader: new Reader(client, term),
    });
  }

  /** Of AtSigns, and of what others have left. */
  *#keys(): Generator<string> {
    const { atSigns, volumeClaims, pods } = this.#options.stores;
    yield classKey;
    if (this.#options.networkPolicy !== undefined) yield* this.#policyKeys();
    yield* atSigns.keys();
    for (const key of this.#tenants?.leaving() ?? []) yield key;
    for (const key of [...map(volumeClaims.values(), keyOfVolumeClaim), ...map(pods.values(), ownerKeyOf)]) {
      if (key !== undefined && atSigns.get(key) === undefined) yield key;
    }
  }

  #policyKeys(): Set<string> {
    const { atSigns, networkPolicies } = this.#options.stores;
    const namespaces = [...map(atSigns.values(), namespaceOf), ...map(networkPolicies.values(), namespaceOf)];
    return new Set(namespaces.map((namespace) => `${policyPrefix}${namespace}`));
  }

  /** Those whose name the directory has, if it has lost nothing. */
  *#namedKeys(): Generator<string> {
    const { atSigns, volumeClaims } = this.#options.stores;
    for (const [key, atSign] of entries(atSigns)) {
      const { metadata } = atSign;
      const leaves =
        metadata.deletionTimestamp !== undefined || metadata.annotations?.[releaseToAnnotation] !== undefined;
      if (isNamed(atSign) && !leaves) yield key;
    }
    for (const claim of volumeClaims.values()) {
      const key = keyOfVolumeClaim(claim);
      if (key !== undefined && atSigns.get(key) === undefined) yield key;
    }
  }

  async #reconcile(key: string, term: Term): Promise<Outcome | undefined> {
    if (key === classKey) return await this.#keepDefaultClass(term);
    if (key.startsWith(policyPrefix)) {
      const { client, stores, networkPolicy: spec } = this.#options;
      const writer = new Writer({ client, term });
      await keepNetworkPolicy(key.slice(policyPrefix.length), { spec, stores, writer });
      return undefined;
    }
    return await this.#tenants?.reconcile(key);
  }

  /** The chart cannot bring an object of a kind that it brings itself. */
  async #keepDefaultClass(term: Term): Promise<undefined> {
    const { client, stores, log } = this.#options;
    if (defaultClass(stores.classes.values()) !== undefined) return undefined;
    const made = standardClass();
    const { name } = made.metadata;
    if (stores.classes.get(name) !== undefined) {
      log.warn({ class: name }, "no AtSignClass is the default one");
      return undefined;
    }
    try {
      await new Writer({ client, term }).create(atSignClasses, { apiVersion: "", kind: "", ...made });
      log.info({ class: name }, "the default AtSignClass was made");
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 409)) throw error;
    }
    return undefined;
  }
}

function namespaceOf({ metadata: { namespace = "" } }: KubernetesObject): string {
  return namespace;
}

function* map<A, B>(items: Iterable<A>, to: (item: A) => B): Generator<B> {
  for (const item of items) yield to(item);
}

function* entries(store: Stores["atSigns"]): Generator<[string, AtSign]> {
  for (const key of store.keys()) {
    const atSign = store.get(key);
    if (atSign !== undefined) yield [key, atSign];
  }
}
