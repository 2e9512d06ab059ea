import type { Log } from "@atrium/runtime/log.ts";
import { type ApiClient, ApiError } from "../controller/api.ts";
import type { Term } from "../controller/term.ts";
import type { Outcome, Priority } from "../controller/work-queue.ts";
import { type Applied, Writer } from "../controller/writer.ts";
import { type AtSign, atSigns } from "../resources/at-sign.ts";
import type { Condition } from "../tenant/conditions.ts";
import { type Action, desired, type Plan } from "../tenant/desired.ts";
import type { Observed, Obstacle } from "../tenant/observe.ts";
import { type Directory, DirectoryAwayError } from "./directory.ts";
import { type Recorder, tell } from "./happenings.ts";
import { type Pod, pods, secrets } from "./kubernetes-objects.ts";
import { type Claims, finalizer, nameAnnotation, releaseToAnnotation } from "./names.ts";
import { activationSecretOf } from "./objects/activation-secret.ts";
import { podOf, type Site } from "./objects/pod.ts";
import { isSuperseded, volumeClaimOf } from "./objects/volume-claim.ts";
import { serverOf } from "./pod-state.ts";
import { Reader } from "./reader.ts";
import { RefusedError, refusalOf } from "./refusals.ts";
import { Replacements } from "./replacements.ts";
import { Restarts } from "./restarts.ts";
import { type Facts, isNamed, statusOf } from "./status.ts";
import { podFor, type Stores, volumeClaimFor } from "./stores.ts";
import { isCurrent, type View, viewOf } from "./view.ts";
import { Volumes } from "./volumes.ts";

export interface TenantsOptions {
  readonly client: Pick<ApiClient, "request">;
  /** everything is written in it; another one has other tenants */
  readonly term: Term;
  readonly stores: Stores;
  readonly directory: Directory;
  /** as it is now: the trust changes */
  readonly site: () => Site;
  readonly claims: Claims;
  readonly recorder: Recorder;
  readonly log: Log;
  /** asks for another look */
  readonly poke: (key: string, priority?: Priority) => void;
  /** after it a deletion ends, whatever is not done */
  readonly deletionMs: number;
  /** epoch milliseconds */
  readonly now?: () => number;
}

/** What became of an action: whether more can be done now, or somebody else has to do his part before. */
type Progress = "done" | "waits";

interface Refusal {
  readonly obstacle: Obstacle;
  readonly until: number;
  readonly pauseMs: number;
}

/** A watch tells of what was written long before. */
const overlayMs = 10_000;
/** What the API server refused is asked for again: soon, since somebody may be putting it right, then less often. */
const refusedMs = { first: 3_000, longest: 30_000 } as const;
const directoryAwayMs = 30_000;
const maxPasses = 6;

/**
 * AtSigns as pods of a cluster, in one term of the leader. What this process has written counts before the watches tell
 * of it; everything else is read from the stores each time.
 */
export class Tenants {
  readonly #options: TenantsOptions;
  readonly #writer: Writer;
  readonly #reader: Reader;
  readonly #volumes: Volumes;
  readonly #now: () => number;
  readonly #restarts = new Restarts();
  readonly #replacements: Replacements;
  readonly #written = new Map<string, AtSign>();
  readonly #created = new Map<string, { readonly pod: Pod; readonly until: number }>();
  readonly #refusals = new Map<string, Refusal>();
  /** those that went, until what they left is taken care of */
  readonly #gone = new Map<string, AtSign>();

  constructor(options: TenantsOptions) {
    const { client, term, poke, now = Date.now } = options;
    this.#options = options;
    this.#writer = new Writer({ client, term });
    this.#reader = new Reader(client, term);
    this.#volumes = new Volumes(this.#reader, this.#writer);
    this.#replacements = new Replacements((key) => poke(key));
    this.#now = now;
  }

  /** An AtSign is no longer there. */
  withdraw(key: string, atSign: AtSign): void {
    this.#gone.set(key, atSign);
  }

  /** Those that went, and have left something. */
  leaving(): Iterable<string> {
    return this.#gone.keys();
  }

  async reconcile(key: string): Promise<Outcome | undefined> {
    const atSign = this.#atSign(key);
    if (atSign === undefined) return await this.#leave(key);
    const overdueMs = this.#overdueMs(atSign);
    if (overdueMs !== undefined && overdueMs <= 0) return await this.#endDeletion(atSign);
    await this.#keepFinalizer(atSign);
    this.#tellMisnamed(atSign);
    const outcome = await this.#settle(key);
    if (overdueMs === undefined) return outcome;
    return { againAfterMs: Math.min(overdueMs, outcome?.againAfterMs ?? overdueMs) };
  }

  #tellMisnamed(atSign: AtSign): void {
    const { annotations, namespace = "" } = atSign.metadata;
    const to = annotations?.[releaseToAnnotation];
    if (to === undefined || this.#options.claims.named(to, namespace) !== undefined) return;
    const note = `the annotation ${releaseToAnnotation} is neither [[CELL/]NAMESPACE/]NAME of an AtSign nor a claim`;
    tell(this.#options.recorder, atSign, "Refused", note);
  }

  /** Does what can be done now, and writes down what came of it. */
  async #settle(key: string): Promise<Outcome | undefined> {
    for (let pass = 1; ; pass++) {
      const view = this.#look(key);
      if (view === undefined) return undefined;
      const plan = desired(view.observed);
      const progress = await this.#applyAll(view, plan);
      if (progress === "done" && plan.actions.length > 0 && pass < maxPasses) continue;
      const last = plan.actions.length === 0 ? view : this.#look(key);
      if (last === undefined) return undefined;
      await this.#volumes.retain(last.volumeClaim, last.observed);
      await this.#report(last);
      return this.#outcome(last, plan);
    }
  }

  #outcome({ key, observed, lookAgainAt }: View, { requeueAt }: Plan): Outcome {
    const times = [requeueAt, lookAgainAt, this.#refusal(key, observed.now)?.until, this.#created.get(key)?.until];
    const next = times.filter((time) => time !== undefined);
    return next.length === 0 ? {} : { againAfterMs: Math.max(0, Math.min(...next) - observed.now) };
  }

  #look(key: string): View | undefined {
    const atSign = this.#atSign(key);
    if (atSign === undefined) return undefined;
    const { stores, site, claims, directory } = this.#options;
    const now = this.#now();
    const pod = this.#pod(key, now);
    const view = viewOf({
      ...{ key, atSign, pod, stores, claims, now, site: site() },
      volumeClaim: volumeClaimFor(stores, key),
      listing: directory.listing(key),
      failure: this.#restarts.note(key, pod, now),
      outOfMemory: this.#restarts.outOfMemory(key, now),
      refusal: this.#refusal(key, now)?.obstacle,
      mayReplace: () => this.#replacements.mayReplace(key),
    });
    const { server, wanted } = view.observed;
    if (wanted.run !== "Always" || (server.state === "ready" && !view.isOutdated)) this.#replacements.done(key);
    if (wanted.run !== "Always" || server.state === "ready") this.#refusals.delete(key);
    return view;
  }

  /** What was refused so short a time ago that it is not asked for again yet. */
  #refusal(key: string, now: number): Refusal | undefined {
    const refusal = this.#refusals.get(key);
    return refusal !== undefined && refusal.until > now ? refusal : undefined;
  }

  /** The newest that is known of it. */
  #atSign(key: string): AtSign | undefined {
    const seen = this.#options.stores.atSigns.get(key);
    const written = this.#written.get(key);
    if (written === undefined) return seen;
    if (seen !== undefined && seen.metadata.uid === written.metadata.uid && versionOf(written) > versionOf(seen)) {
      return written;
    }
    this.#written.delete(key);
    return seen;
  }

  #pod(key: string, now: number): Pod | undefined {
    const seen = podFor(this.#options.stores, key);
    const created = this.#created.get(key);
    if (created === undefined) return seen;
    if (seen?.metadata.uid !== created.pod.metadata.uid && now < created.until) return created.pod;
    this.#created.delete(key);
    return seen;
  }

  async #applyAll(view: View, { actions, conditions }: Plan): Promise<Progress> {
    let progress: Progress = "done";
    for (const action of actions) {
      this.#options.log.debug({ atSign: view.observed.wanted.atSign, action: action.do }, "applying");
      try {
        if ((await this.#apply(view, action, conditions)) === "waits") progress = "waits";
      } catch (error) {
        // It pokes when it is back.
        if (error instanceof DirectoryAwayError) return "waits";
        if (!this.#refused(view, action, error)) throw error;
        return "waits";
      }
      if (progress === "waits" && action.do === "start") return progress;
    }
    return progress;
  }

  async #apply(view: View, action: Action, conditions: readonly Condition[]): Promise<Progress> {
    switch (action.do) {
      case "list":
        return await this.#list(view, action.generation, action.parked);
      case "release":
        return await this.#release(view.key, view.observed);
      case "hand-over":
        return await this.#handOver(view, action.to);
      case "start":
        return await this.#start(view, action.epoch, conditions);
      case "stop":
        return await this.#stop(view);
      case "delete-data":
        await this.#volumes.destroy(view.volumeClaim);
        return "done";
      case "forget":
        return await this.#forget(view.atSign);
    }
  }

  async #list({ key, host, atSign, observed }: View, generation: number, parked: boolean): Promise<Progress> {
    const { directory, recorder, site, claims } = this.#options;
    const before = observed.listing;
    const listing = await directory.put(key, {
      atSign: atSign.spec.atSign,
      host: parked ? undefined : { host, port: site().gatewayPort },
      claim: claims.of(key),
      generation,
      held: isNamed(atSign),
    });
    const isNew = before.state !== listing.state;
    if (listing.state === "refused" && isNew) {
      tell(recorder, atSign, "Unclaimed", `the directory refuses ${atSign.spec.atSign}: ${listing.reason}`);
    }
    // A refusal is looked at again at the time that the plan says.
    return listing.state === "ours" || (isNew && observed.server.state !== "absent") ? "done" : "waits";
  }

  async #release(key: string, { wanted: { atSign }, epoch }: Observed): Promise<Progress> {
    const { directory, claims } = this.#options;
    await directory.release(key, { atSign, claim: claims.of(key), generation: Math.max(epoch, this.#now()) });
    this.#pokeOthers(key, atSign);
    return "done";
  }

  async #handOver({ key, atSign }: View, to: string): Promise<Progress> {
    const { directory, claims, recorder } = this.#options;
    await directory.handOver(key, { atSign: atSign.spec.atSign, claim: claims.of(key), to });
    tell(recorder, atSign, "Released", `${atSign.spec.atSign} was given to the claim ${to}`);
    this.#pokeOthers(key, atSign.spec.atSign);
    return "done";
  }

  /** Those that wait for the name need not wait until they would ask again. */
  #pokeOthers(key: string, atSign: string): void {
    const { stores, directory, poke } = this.#options;
    for (const { metadata } of stores.atSigns.find("atSign", atSign)) {
      const other = `${metadata.namespace}/${metadata.name}`;
      if (other === key) continue;
      directory.forget(other);
      poke(other);
    }
  }

  async #start(view: View, epoch: number, conditions: readonly Condition[]): Promise<Progress> {
    const { key, atSign, pod, host, classified } = view;
    if (pod !== undefined) {
      await this.#deletePod(pod);
      tell(this.#options.recorder, atSign, "Restarted", `the atServer had ended and is started anew: ${howOf(view)}`);
      return "waits";
    }
    const { spec } = classified.class ?? {};
    if (spec === undefined) throw new Error("an atServer cannot be started without a class");
    if (view.volumeClaim === undefined) await this.#volumes.create(volumeClaimOf(atSign, spec));
    else if (isSuperseded(view.volumeClaim, spec)) {
      await this.#volumes.discard(view.volumeClaim);
      return "waits";
    }
    const activationSecret = await this.#activationSecret(view);
    const site = this.#options.site();
    const facts = { host, port: site.gatewayPort, epoch, activationSecret };
    // Nothing runs with an epoch that was not written down before.
    const named = await this.#putStatus(atSign, conditions, { ...facts, pod: undefined });
    const made = await this.#createPod(podOf({ atSign: named, spec, host, site }, epoch));
    const { name, uid = "" } = made.metadata;
    this.#created.set(key, { pod: made, until: this.#now() + overlayMs });
    await this.#putStatus(named, conditions, { ...facts, pod: { name, uid } });
    return "done";
  }

  async #createPod(pod: Applied): Promise<Pod> {
    try {
      return await this.#writer.create<Pod>(pods, pod);
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 409 && error.reason === "AlreadyExists")) throw error;
    }
    const found = await this.#reader.read<Pod>(pods, pod.metadata);
    // Ours shows up in the store soon, and then it is replaced: only what was named in the status may serve.
    if (found === undefined || found.metadata.ownerReferences?.some(({ kind }) => kind === "AtSign")) {
      throw new Error(`the Pod ${pod.metadata.name} is there already`);
    }
    throw new RefusedError("ObjectRefused", `a Pod ${pod.metadata.name} is there that is not Atrium's; delete it`);
  }

  /** @returns the name of the Secret that was made; undefined when there is no need for one */
  async #activationSecret({ atSign, observed }: View): Promise<string | undefined> {
    if (observed.activated || atSign.spec.activation !== undefined) return undefined;
    const secret = activationSecretOf(atSign);
    try {
      await this.#writer.create(secrets, secret);
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 409 && error.reason === "AlreadyExists")) throw error;
    }
    return secret.metadata.name;
  }

  async #stop(view: View): Promise<Progress> {
    const { pod, atSign, isStray, isOutdated } = view;
    if (pod === undefined) return "done";
    // Of two stores one may be behind: the pod may have been named a moment ago, by the leader before.
    if (isStray && (await this.#isCurrent(pod, atSign))) throw new Error("the stores are behind");
    await this.#deletePod(pod);
    const why = isStray ? "is not the one that the AtSign names" : isOutdated ? "is not as its class asks" : undefined;
    if (why !== undefined) tell(this.#options.recorder, atSign, "Replaced", `the Pod ${pod.metadata.name} ${why}`);
    else tell(this.#options.recorder, atSign, "Stopped", `the Pod ${pod.metadata.name} was ended`);
    return "waits";
  }

  async #isCurrent(pod: Pod, { metadata }: AtSign): Promise<boolean> {
    const found = await this.#reader.read<AtSign>(atSigns, metadata);
    return found !== undefined && isCurrent(pod, found);
  }

  async #deletePod({ metadata: { name, namespace, uid } }: Pod): Promise<void> {
    // Whatever became of it meanwhile: its UID is enough.
    await this.#writer.delete(pods, { metadata: { name, ...(namespace && { namespace }), ...(uid && { uid }) } });
  }

  async #forget(atSign: AtSign): Promise<Progress> {
    if (atSign.metadata.finalizers?.includes(finalizer) === true) await this.#setFinalizer(atSign, false);
    return "waits";
  }

  /** Only what deletes data must outlive its object. */
  async #keepFinalizer(atSign: AtSign): Promise<void> {
    const { deletionTimestamp, finalizers = [] } = atSign.metadata;
    const wanted = atSign.spec.deletionPolicy === "Delete";
    if (deletionTimestamp !== undefined || finalizers.includes(finalizer) === wanted) return;
    await this.#setFinalizer(atSign, wanted);
  }

  async #setFinalizer({ metadata }: AtSign, wanted: boolean): Promise<void> {
    const { name, namespace, uid } = metadata;
    const identity = { name, ...(namespace && { namespace }), ...(uid && { uid }) };
    const object = {
      apiVersion: "atrium.dev/v1alpha1",
      kind: "AtSign",
      metadata: { ...identity, ...(wanted && { finalizers: [finalizer] }) },
    };
    const written = await this.#writer.apply<AtSign>(atSigns, object).catch((error) => {
      // Without a finalizer left it is gone with this very request.
      if (!wanted && error instanceof ApiError && (error.status === 404 || error.status === 409)) return undefined;
      throw error;
    });
    if (written !== undefined) this.#written.set(`${namespace}/${name}`, written);
  }

  /** @returns how long its deletion may still take; undefined when it is not being deleted */
  #overdueMs({ metadata: { deletionTimestamp, finalizers = [] } }: AtSign): number | undefined {
    if (deletionTimestamp === undefined || !finalizers.includes(finalizer)) return undefined;
    return Date.parse(deletionTimestamp) + this.#options.deletionMs - this.#now();
  }

  /** Somebody waits for the end of it: what could not be done is said, and tried once more. */
  async #endDeletion(atSign: AtSign): Promise<undefined> {
    const { namespace, name } = atSign.metadata;
    const key = `${namespace}/${name}`;
    const view = this.#look(key);
    if (view === undefined) return undefined;
    const attempts: Readonly<Record<string, () => Promise<unknown>>> = {
      "its Pod": async () => view.pod && (await this.#deletePod(view.pod)),
      "its data": () => this.#volumes.destroy(view.volumeClaim),
      "its name in the directory": () => this.#release(key, view.observed),
    };
    const left: string[] = view.pod === undefined ? [] : ["its Pod"];
    for (const [what, attempt] of Object.entries(attempts)) {
      try {
        await attempt();
      } catch (error) {
        this.#options.log.error({ key, what, error: String(error) }, "a deletion stays incomplete");
        if (!left.includes(what)) left.push(what);
      }
    }
    if (left.length > 0) {
      const note = `it took too long and was ended, though this may be left: ${left.join(", ")}`;
      tell(this.#options.recorder, atSign, "DeletionIncomplete", note);
    }
    await this.#setFinalizer(atSign, false);
    return undefined;
  }

  /** Takes care of what an AtSign has left that is no longer there. */
  async #leave(key: string): Promise<Outcome | undefined> {
    const { stores, directory, claims } = this.#options;
    this.#written.delete(key);
    this.#refusals.delete(key);
    this.#replacements.done(key);
    const gone = this.#gone.get(key);
    const claim = volumeClaimFor(stores, key);
    const pod = this.#pod(key, this.#now());
    const atSign = (gone?.spec.atSign ?? claim?.metadata.annotations?.[nameAnnotation]) as
      | AtSign["spec"]["atSign"]
      | undefined;
    const server = serverOf(pod);
    if (pod !== undefined && server.state !== "stopping") await this.#deletePod(pod);
    // It was taken care of before it went.
    const isDone = gone?.metadata.finalizers?.includes(finalizer) === true;
    if (atSign === undefined || isDone) return this.#left(key);
    if (pod !== undefined) return undefined;
    // Anybody in the namespace can make a claim, and write on it whose data it is said to have.
    if (gone === undefined && (claim === undefined || !(await this.#volumes.proves(claim, atSign)))) {
      directory.pass(key);
      return this.#left(key);
    }
    const epoch = gone?.status?.epoch ?? 0;
    const deletionPolicy = epoch === 0 && claim === undefined ? "Delete" : "Retain";
    const observed: Observed = {
      ...{ now: this.#now(), epoch, listing: directory.listing(key), activated: false },
      wanted: { atSign, run: "Withdrawn", deletionPolicy },
      volume: claim === undefined ? "absent" : "present",
      server: { state: "absent" },
    };
    for (const action of desired(observed).actions) {
      try {
        if (action.do === "list") {
          const { generation } = action;
          const record = { atSign, host: undefined, claim: claims.of(key), generation };
          await directory.put(key, { ...record, held: gone === undefined || isNamed(gone) });
        }
        if (action.do === "release") await this.#release(key, observed);
      } catch (error) {
        if (error instanceof DirectoryAwayError) return { againAfterMs: directoryAwayMs };
        throw error;
      }
    }
    return this.#left(key);
  }

  #left(key: string): undefined {
    this.#gone.delete(key);
    this.#restarts.forget(key);
    if (volumeClaimFor(this.#options.stores, key) === undefined) this.#options.directory.forget(key);
    return undefined;
  }

  async #report(view: View): Promise<void> {
    const { atSign, host, pod, isStray, observed } = view;
    const { conditions } = desired(observed);
    const { status } = atSign;
    const activationSecret = await this.#secretLeft(view);
    const current =
      pod !== undefined && !isStray ? { name: pod.metadata.name, uid: pod.metadata.uid ?? "" } : undefined;
    const facts: Facts = {
      ...{ host, port: this.#options.site().gatewayPort, epoch: status?.epoch, activationSecret },
      pod: current,
    };
    this.#tellNews(view, conditions);
    await this.#putStatus(atSign, conditions, facts);
  }

  /** Once the owner has activated, nobody needs the secret. @returns its name while it is there */
  async #secretLeft({ atSign, observed }: View): Promise<string | undefined> {
    const name = atSign.status?.activationSecret;
    if (name === undefined || !observed.activated) return name;
    const { namespace } = atSign.metadata;
    const secret = await this.#reader.read<{ metadata: AtSign["metadata"] }>(secrets, {
      name,
      ...(namespace && { namespace }),
    });
    if (secret !== undefined) await this.#writer.delete(secrets, { metadata: secret.metadata });
    return undefined;
  }

  #tellNews({ atSign, observed: { before = [] } }: View, conditions: readonly Condition[]): void {
    const { recorder } = this.#options;
    for (const { type, status, reason, message = "" } of conditions) {
      const known = before.find((condition) => condition.type === type);
      if (known?.reason === reason && known.status === status) continue;
      if (type === "Degraded" && status) tell(recorder, atSign, "Degraded", `${reason}: ${message}`);
      if (type === "Claimed" && status) tell(recorder, atSign, "Claimed", `${atSign.spec.atSign} is this AtSign's`);
      if (type === "Ready" && status) tell(recorder, atSign, "Started", `${atSign.spec.atSign} is served`);
    }
  }

  /** Nothing is written when nothing is new. @throws {ApiError} 409 when somebody else wrote it */
  async #putStatus(atSign: AtSign, conditions: readonly Condition[], facts: Facts): Promise<AtSign> {
    const status = statusOf(atSign, conditions, facts, this.#now());
    if (status === atSign.status) return atSign;
    const { namespace, name } = atSign.metadata;
    const written = await this.#writer.putStatus<AtSign>(atSigns, { ...atSign, ...typed, status });
    this.#written.set(`${namespace}/${name}`, written);
    return written;
  }

  /** What the API server does not take whatever one does is told to people, and tried again later. */
  #refused({ key, atSign }: View, action: Action, error: unknown): boolean {
    if (action.do !== "start") return false;
    const obstacle = refusalOf(error);
    if (obstacle === undefined) return false;
    const before = this.#refusals.get(key)?.pauseMs ?? refusedMs.first / 2;
    const pauseMs = Math.min(refusedMs.longest, 2 * before);
    this.#refusals.set(key, { obstacle, until: this.#now() + pauseMs, pauseMs });
    tell(this.#options.recorder, atSign, "Refused", obstacle.message);
    return true;
  }
}

/** What the stores hold has neither. */
const typed = { apiVersion: "atrium.dev/v1alpha1", kind: "AtSign" } as const;

function howOf({ observed: { server } }: View): string {
  return server.state === "failed" ? server.how : "it had to be replaced";
}

function versionOf({ metadata }: AtSign): number {
  return Number(metadata.resourceVersion ?? 0);
}
