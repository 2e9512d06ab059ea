import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { median } from "../alternate.ts";
import { Resources } from "../resources.ts";
import { forEach, type KubernetesObject } from "./api.ts";
import { storedBytes } from "./etcd.ts";
import { atSignOf, boundVolume, conditionHolds, creatable, hostOf, type Name, namesOf } from "./objects.ts";
import { type Operator, Platform } from "./platform.ts";
import { between, requestsOf, textOf, total, writesOf } from "./requests.ts";
import { RouteStream } from "./route-stream.ts";
import { concurrency, type SimulatedCluster, startSimulatedCluster } from "./simulated-cluster.ts";

export interface Sizes {
  readonly atSigns: number;
  readonly namespaces: number;
  readonly restSeconds: number;
}

/** All that one run shows. Times are in seconds, sizes in bytes. */
export interface ScaleResults {
  readonly conditions: string;
  readonly readySeconds: { readonly operator: number; readonly bareClient: number };
  /** quietSeconds: after all were Ready, what was still told in events */
  readonly rest: { readonly writes: number; readonly what: string; readonly quietSeconds: number };
  readonly operatorBytes: { readonly empty: number; readonly full: number };
  readonly restart: {
    readonly seconds: number;
    readonly writes: number;
    readonly requests: number;
    readonly what: string;
  };
  readonly etcdBytes: Readonly<Record<"atSign" | "claim" | "secret" | "pod", number>>;
  readonly gatewayBytes: number;
  readonly routeDelayMs: { readonly median: number; readonly slowest: number };
}

type Say = (progress: string) => void;

/** Longer than anything takes that is not broken. */
const readyDeadlineMs = 1_800_000;
/** Without a write for so long, what was begun has ended. */
const quietMs = 10_000;
const quietDeadlineMs = 600_000;

/** Once with the operator, then with a client that makes the same objects in a cluster of its own. */
export async function runAtScale(sizes: Sizes, say: Say): Promise<ScaleResults> {
  const names = namesOf(sizes.atSigns, sizes.namespaces);
  const { objects, operatorSeconds, ...results } = await withOperator(names, sizes, say);
  const bareClient = await withBareClient(names, sizes, objects, say);
  return {
    ...results,
    readySeconds: { operator: operatorSeconds, bareClient },
    conditions:
      `${sizes.atSigns} AtSigns in ${sizes.namespaces} namespaces, volumes bound beforehand, kwok's nodes, ` +
      `${concurrency} requests at a time`,
  };
}

async function open(resources: Resources, names: readonly Name[], sizes: Sizes, say: Say): Promise<SimulatedCluster> {
  const namespaces = Array.from({ length: sizes.namespaces }, (_, n) => `tenant-${n}`);
  const cluster = await startSimulatedCluster(resources, { pods: names.length, namespaces, say });
  say(`binding ${names.length} volumes`);
  await forEach(names, concurrency, (name) => bindVolume(cluster, name));
  return cluster;
}

async function bindVolume({ api }: SimulatedCluster, name: Name): Promise<void> {
  const { volume, claim } = boundVolume(name);
  const claims = `/api/v1/namespaces/${name.namespace}/persistentvolumeclaims`;
  const madeVolume = (await api.create("/api/v1/persistentvolumes", volume)) as KubernetesObject;
  const madeClaim = (await api.create(claims, claim)) as KubernetesObject;
  const { status } = volume;
  await api.replace(`/api/v1/persistentvolumes/${volume.metadata.name}/status`, { ...madeVolume, status });
  await api.replace(`${claims}/${claim.metadata.name}/status`, { ...madeClaim, status: claim.status });
}

async function withOperator(names: readonly Name[], sizes: Sizes, say: Say) {
  await using resources = new Resources();
  const cluster = await open(resources, names, sizes, say);
  const { api, plane } = cluster;
  const platform = await Platform.open(resources, cluster);
  let operator = await platform.startOperator();
  resources.use({ [Symbol.asyncDispose]: () => operator[Symbol.asyncDispose]() });
  await platform.startDirectory();
  const gateway = await platform.startGateway();
  const stream = resources.use(await RouteStream.open(platform.routesUrl, await platform.gatewayIdentity()));
  const empty = residentBytes(operator.pid);

  say(`applying ${names.length} AtSigns`);
  const podReadyAt = new Map<string, number>();
  const path = "/apis/atrium.dev/v1alpha1/atsigns";
  using _pods = watching(cluster, "/api/v1/pods", ({ metadata, ...pod }) => {
    const name = metadata.name.replace(/-atserver$/, "");
    if (conditionHolds({ metadata, ...pod }, "Ready") && !podReadyAt.has(name)) podReadyAt.set(name, performance.now());
  });
  const operatorSeconds = await timeUntilReady(cluster, path, names, say, (name) =>
    api.create(`/apis/atrium.dev/v1alpha1/namespaces/${name.namespace}/atsigns`, atSignOf(name)),
  );
  say(`all Ready after ${operatorSeconds.toFixed(1)} s`);
  await until(async () => (await gateway.routes()) === names.length, 60_000);
  await until(async () => names.every((name) => stream.servingAt.has(hostOf(name))), 60_000);
  const delays = names.map((name) =>
    Math.max(0, (stream.servingAt.get(hostOf(name)) ?? 0) - (podReadyAt.get(name.name) ?? 0)),
  );

  const quietSeconds = await untilQuiet(cluster);
  say(`nothing is written any more after ${quietSeconds.toFixed(0)} s; at rest for ${sizes.restSeconds} s`);
  const atRest = await requestsOf(api);
  await delay(sizes.restSeconds * 1_000);
  const restWrites = writesOf(between(atRest, await requestsOf(api)));
  const full = residentBytes(operator.pid);
  const gatewayBytes = residentBytes(gateway.pid);

  say("starting the operator again");
  await operator[Symbol.asyncDispose]();
  const beforeRestart = await requestsOf(api);
  const began = performance.now();
  operator = await platform.startOperator();
  await until(() => isSteady(operator, names.length), 300_000);
  const seconds = (performance.now() - began) / 1_000;
  const restart = between(beforeRestart, await requestsOf(api));

  const stored = (prefix: string) => storedBytes(plane, prefix);
  return {
    operatorSeconds,
    objects: await objectsOf(cluster),
    rest: { writes: total(restWrites), what: textOf(restWrites), quietSeconds },
    operatorBytes: { empty, full },
    restart: { seconds, writes: total(writesOf(restart)), requests: total(restart), what: textOf(restart) },
    etcdBytes: {
      atSign: await stored("/registry/atrium.dev/atsigns/"),
      claim: await stored("/registry/persistentvolumeclaims/"),
      secret: await stored("/registry/secrets/tenant-"),
      pod: await stored("/registry/pods/"),
    },
    gatewayBytes,
    routeDelayMs: { median: median(delays), slowest: Math.max(...delays) },
  };
}

/** @returns seconds until the first write-free stretch began */
async function untilQuiet({ api }: SimulatedCluster): Promise<number> {
  const began = performance.now();
  const deadline = AbortSignal.timeout(quietDeadlineMs);
  for (let before = await requestsOf(api); ; ) {
    const from = performance.now();
    await delay(quietMs, undefined, { signal: deadline });
    const after = await requestsOf(api);
    if (total(writesOf(between(before, after))) === 0) return (from - began) / 1_000;
    before = after;
  }
}

/** Whether it leads and has looked at everything. */
async function isSteady(operator: Operator, atSigns: number): Promise<boolean> {
  const done = await operator.metric("operator_reconcile_duration_seconds_count");
  return done >= atSigns && (await operator.metric("operator_queue_length")) === 0;
}

/** What the operator has made, ready to be made by somebody else. */
async function objectsOf({ api }: SimulatedCluster): Promise<ReadonlyMap<string, readonly KubernetesObject[]>> {
  const byName = new Map<string, KubernetesObject[]>();
  for (const kind of ["secrets", "pods"]) {
    for (const object of await api.list(`/api/v1/${kind}`)) {
      const { name, namespace = "" } = object.metadata;
      if (!namespace.startsWith("tenant-")) continue;
      const key = name.replace(/-(?:atserver|activation)$/, "");
      const made = creatable({ apiVersion: "v1", kind: kind === "pods" ? "Pod" : "Secret", ...object });
      byName.set(key, [...(byName.get(key) ?? []), made]);
    }
  }
  return byName;
}

async function withBareClient(
  names: readonly Name[],
  sizes: Sizes,
  objects: ReadonlyMap<string, readonly KubernetesObject[]>,
  say: Say,
): Promise<number> {
  await using resources = new Resources();
  const cluster = await open(resources, names, sizes, say);
  const { api } = cluster;
  say("a bare client makes the same objects");
  const seconds = await timeUntilReady(cluster, "/api/v1/pods", names, say, async (name) => {
    const { namespace } = name;
    await api.create(`/apis/atrium.dev/v1alpha1/namespaces/${namespace}/atsigns`, atSignOf(name));
    for (const object of objects.get(name.name) ?? []) {
      await api.create(`/api/v1/namespaces/${namespace}/${object.kind === "Pod" ? "pods" : "secrets"}`, object);
    }
  });
  say(`all Ready after ${seconds.toFixed(1)} s`);
  return seconds;
}

/** @returns seconds from the first object made until as many objects at `path` are Ready as there are names */
async function timeUntilReady(
  cluster: SimulatedCluster,
  path: string,
  names: readonly Name[],
  say: Say,
  make: (name: Name) => Promise<unknown>,
): Promise<number> {
  const ready = new Set<string>();
  const { promise: allReady, resolve } = Promise.withResolvers<void>();
  using watch = watching(cluster, path, (object) => {
    if (conditionHolds(object, "Ready")) ready.add(object.metadata.name);
    if (ready.size === names.length) resolve();
  });
  const progress = setInterval(() => say(`${ready.size} Ready`), 15_000);
  const began = performance.now();
  try {
    await forEach(names, concurrency, make);
    await Promise.race([allReady, watch.failed, late(readyDeadlineMs)]);
  } finally {
    clearInterval(progress);
  }
  return (performance.now() - began) / 1_000;
}

function watching({ api }: SimulatedCluster, path: string, onObject: (object: KubernetesObject) => void) {
  const stop = new AbortController();
  const failed = api.watch(path, stop.signal, onObject);
  failed.catch(() => undefined); // whoever waits is told
  return { failed, [Symbol.dispose]: () => stop.abort() };
}

async function late(ms: number): Promise<never> {
  await delay(ms, undefined, { ref: false });
  throw new Error(`not done in ${ms / 1_000} s`);
}

async function until(holds: () => Promise<boolean>, withinMs: number): Promise<void> {
  const deadline = AbortSignal.timeout(withinMs);
  while (!(await holds())) await delay(100, undefined, { signal: deadline });
}

/** Memory that a process has now, shared files included. @returns bytes */
function residentBytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1]) * 1_024;
}
