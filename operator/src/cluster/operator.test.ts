import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { type KubernetesObject, pathOf, type Resource } from "../controller/api.ts";
import { type AtSign, atSigns } from "../resources/at-sign.ts";
import { atSignClasses, standardClass } from "../resources/at-sign-class.ts";
import {
  namespaces,
  type Pod,
  pods,
  secrets,
  type Volume,
  type VolumeClaim,
  volumeClaims,
  volumes,
} from "./kubernetes-objects.ts";
import {
  applyAtSign,
  type Cell,
  list,
  makeNamespace,
  makeReady,
  patchStatus,
  read,
  remove,
  startCell,
  told,
  until,
} from "./testing/cell.ts";
import type { OperatorProcess } from "./testing/operator-process.ts";

let cell: Cell;
let operator: OperatorProcess;
/** of the present test */
let namespace: string;
let count = 0;

beforeAll(async () => {
  cell = await startCell();
  operator = await cell.startOperator();
}, 60_000);

afterAll(async () => await cell[Symbol.asyncDispose]());

beforeEach(async () => {
  namespace = `tenant-${count++}`;
  await makeNamespace(cell.client, namespace);
});

/** Nothing of a test goes on in the next one. */
afterEach(async () => {
  for (const { metadata } of await list<AtSign>(cell.client, atSigns)) {
    const { name, namespace: of = "" } = metadata;
    await remove(cell.client, atSigns, { namespace: of, name });
  }
  await until(
    () => list<AtSign>(cell.client, atSigns),
    (left) => left.length === 0,
  );
  await until(
    () => list<Pod>(cell.client, pods),
    (left) => left.length === 0,
  );
});

/** Names are taken for as long as somebody's data is retained: each test has its own. */
const inDirectory = (name: string) => `${name}-${namespace}`;
const atSignOf = (name: string) => `@${inDirectory(name)}` as AtSign["spec"]["atSign"];

function apply(
  of: string,
  name: string,
  spec: Partial<AtSign["spec"]> = {},
  annotations?: Readonly<Record<string, string>>,
) {
  return applyAtSign(cell.client, of, name, { atSign: atSignOf(name), ...spec }, annotations);
}

const atSign = (name: string, of = namespace) => read<AtSign>(cell.client, atSigns, { namespace: of, name });
const pod = (name: string, of = namespace) => read<Pod>(cell.client, pods, { namespace: of, name: `${name}-atserver` });
const claim = (name: string) => read<VolumeClaim>(cell.client, volumeClaims, { namespace, name: `${name}-data` });

/** Waits for the pod that the status names. */
async function started(name: string, of = namespace, notUid?: string): Promise<Pod> {
  const found = await until(
    async () => ({ pod: await pod(name, of), atSign: await atSign(name, of) }),
    (seen) =>
      seen.pod !== undefined &&
      seen.pod.metadata.uid !== notUid &&
      seen.atSign?.status?.pod?.uid === seen.pod.metadata.uid,
  );
  return found.pod as Pod;
}

async function serving(name: string, of = namespace): Promise<Pod> {
  const found = await started(name, of);
  await makeReady(cell.client, found);
  await becomes(name, "Ready", "True:Serving", of);
  return found;
}

function becomes(name: string, type: string, what: string, of = namespace): Promise<AtSign | undefined> {
  return until(
    () => atSign(name, of),
    (seen) => told(seen, type) === what,
  );
}

function message(of: AtSign | undefined, type: string): string {
  return of?.status?.conditions?.find((condition) => condition.type === type)?.message ?? "";
}

/** As a volume controller does. */
async function bind(name: string): Promise<string> {
  const found = (await until(
    () => claim(name),
    (seen) => seen !== undefined,
  )) as VolumeClaim;
  const volume = `volume-${found.metadata.uid}`;
  const spec = {
    capacity: { storage: "1Gi" },
    accessModes: ["ReadWriteOncePod"],
    persistentVolumeReclaimPolicy: "Delete",
    hostPath: { path: "/nowhere" },
  };
  const body = { apiVersion: "v1", kind: "PersistentVolume", metadata: { name: volume }, spec };
  await cell.client.request({ method: "POST", path: pathOf(volumes), body });
  await patch(volumeClaims, found, { spec: { volumeName: volume } });
  await patchStatus(cell.client, volumeClaims, { namespace, name: found.metadata.name }, { phase: "Bound" });
  return volume;
}

async function patch(resource: Resource, { metadata }: KubernetesObject, body: object): Promise<void> {
  const { namespace: of, name } = metadata;
  const contentType = "application/merge-patch+json";
  await cell.client.request({ method: "PATCH", path: pathOf(resource, { namespace: of, name }), contentType, body });
}

describe("an AtSign", () => {
  test("gets claim, volume, pod and record, and is served once its pod is ready", async () => {
    await apply(namespace, "alice");
    const made = await started("alice");
    const seen = await becomes("alice", "Ready", "False:Starting");
    expect(seen?.status).toMatchObject({
      ...{ host: `${inDirectory("alice")}.at.test`, port: 443, activationSecret: "alice-activation" },
      pod: { name: "alice-atserver", uid: made.metadata.uid },
    });
    expect(made.metadata.annotations).toMatchObject({ "atrium.dev/epoch": String(seen?.status?.epoch) });
    expect(made.metadata.ownerReferences).toMatchObject([{ kind: "AtSign", name: "alice", controller: true }]);
    expect(made.spec).toMatchObject({ enableServiceLinks: false, automountServiceAccountToken: false });
    expect(await read(cell.client, secrets, { namespace, name: "alice-activation" })).toBeDefined();
    expect((await claim("alice"))?.metadata.ownerReferences).toBeUndefined();
    expect(await cell.record(inDirectory("alice"))).toMatchObject({
      body: { host: `${inDirectory("alice")}.at.test`, port: 443, generation: seen?.status?.epoch },
    });
    await makeReady(cell.client, made);
    await becomes("alice", "Ready", "True:Serving");
  });

  test("is left alone when nothing changes", async () => {
    for (const name of ["rest-1", "rest-2", "rest-3"]) {
      await apply(namespace, name);
      await serving(name);
    }
    const quiet = async () => [await list(cell.client, atSigns), await list(cell.client, pods)].flat().map(versionOf);
    await delay(500);
    const before = await quiet();
    await delay(4_000);
    expect(await quiet()).toEqual(before);
  });

  test("is restarted by nothing but an operator's restart: that writes nothing", async () => {
    await apply(namespace, "alice");
    await serving("alice");
    const before = versionOf((await atSign("alice")) as AtSign);
    await operator.kill();
    operator = await cell.startOperator();
    await until(
      () => cell.isRegistryComplete(),
      (isComplete) => isComplete,
    );
    await delay(1_000);
    expect(versionOf((await atSign("alice")) as AtSign)).toBe(before);
  });

  test("is of one of two that ask for its name; the other has it when it is free", async () => {
    const other = `${namespace}-other`;
    await makeNamespace(cell.client, other);
    await apply(namespace, "alice", { deletionPolicy: "Delete" });
    await serving("alice");
    await apply(other, "also-alice", { atSign: atSignOf("alice") });
    const second = await becomes("also-alice", "Ready", "False:Unclaimed", other);
    expect(told(second, "Claimed")).toBe("False:NameTaken");
    expect(await pod("also-alice", other)).toBeUndefined();
    await remove(cell.client, atSigns, { namespace, name: "alice" });
    await started("also-alice", other);
  });

  test("gives its name to whom the annotation names", async () => {
    const other = `${namespace}-other`;
    await makeNamespace(cell.client, other);
    await apply(namespace, "alice");
    await serving("alice");
    await apply(other, "heir", { atSign: atSignOf("alice") });
    await becomes("heir", "Ready", "False:Unclaimed", other);
    await apply(namespace, "alice", {}, { "atrium.dev/release-to": `${other}/heir` });
    await becomes("alice", "Claimed", "False:Released");
    await started("heir", other);
    expect(await pod("alice")).toBeUndefined();
  });

  test("that is suspended keeps name and data, and has no pod", async () => {
    await apply(namespace, "alice");
    await serving("alice");
    await apply(namespace, "alice", { runPolicy: "Suspended" });
    await until(
      () => pod("alice"),
      (seen) => seen === undefined,
    );
    const seen = await becomes("alice", "Ready", "False:Suspended");
    expect(told(seen, "Listed")).toBe("True:Listed");
    expect(await claim("alice")).toBeDefined();
    await apply(namespace, "alice", { runPolicy: "Always" });
    await serving("alice");
  });

  test("that goes is parked, its volume is retained, and it is there again when it comes back", async () => {
    await apply(namespace, "alice");
    await serving("alice");
    const volume = await bind("alice");
    await becomes("alice", "Provisioned", "True:Provisioned");
    const retained = await until(
      () => read<Volume>(cell.client, volumes, { name: volume }),
      (seen) => seen !== undefined,
    );
    expect(retained?.spec?.persistentVolumeReclaimPolicy).toBe("Retain");
    const epoch = (await atSign("alice"))?.status?.epoch ?? 0;
    await remove(cell.client, atSigns, { namespace, name: "alice" });
    await until(
      () => cell.record(inDirectory("alice")),
      ({ body }) => body.host === null,
    );
    expect(await claim("alice")).toBeDefined();
    await apply(namespace, "alice");
    await started("alice");
    expect((await atSign("alice"))?.status?.epoch).toBeGreaterThan(epoch);
    await until(
      () => cell.record(inDirectory("alice")),
      ({ body }) => body.host === `${inDirectory("alice")}.at.test`,
    );
  });

  test("that goes with Delete leaves nothing", async () => {
    await apply(namespace, "alice", { deletionPolicy: "Delete" });
    await serving("alice");
    const volume = await bind("alice");
    await becomes("alice", "Provisioned", "True:Provisioned");
    await remove(cell.client, atSigns, { namespace, name: "alice" });
    await until(
      () => atSign("alice"),
      (seen) => seen === undefined,
    );
    expect((await claim("alice"))?.metadata.deletionTimestamp).toBeDefined();
    expect((await read<Volume>(cell.client, volumes, { name: volume }))?.spec?.persistentVolumeReclaimPolicy).toBe(
      "Delete",
    );
    expect(await cell.record(inDirectory("alice"))).toMatchObject({ status: 404 });
  });
});

describe("a pod", () => {
  test("that is deleted is made again, with a newer epoch", async () => {
    await apply(namespace, "alice");
    const first = await serving("alice");
    const epoch = (await atSign("alice"))?.status?.epoch ?? 0;
    await remove(cell.client, pods, { namespace, name: "alice-atserver" });
    await started("alice", namespace, first.metadata.uid);
    expect((await atSign("alice"))?.status?.epoch).toBeGreaterThan(epoch);
  });

  test("that keeps ending is replaced, later and later, and says so", async () => {
    await apply(namespace, "alice");
    let last: Pod | undefined;
    for (let ends = 1; ends <= 3; ends++) {
      last = await started("alice", namespace, last?.metadata.uid);
      await crashes(last, { exitCode: 1, reason: "Error" });
    }
    const seen = await becomes("alice", "Degraded", "True:CrashLoop");
    expect(told(seen, "Ready")).toBe("False:Restarting");
    await started("alice", namespace, last?.metadata.uid);
  });

  test("that needed too much memory says so, with its limit", async () => {
    await apply(namespace, "alice");
    await crashes(await started("alice"), { exitCode: 137, reason: "OOMKilled" });
    const seen = await becomes("alice", "Degraded", "True:OutOfMemory");
    expect(message(seen, "Degraded")).toContain("128Mi");
  });

  test("whose image cannot be pulled says so, and goes on when the class is corrected", async () => {
    const standard = standardClass();
    const broken = { ...standard, metadata: { name: "broken" }, spec: { ...standard.spec, image: "nowhere/none:1" } };
    await cell.client.request({ method: "POST", path: pathOf(atSignClasses), body: broken });
    await apply(namespace, "alice", { className: "broken" });
    const first = await started("alice");
    const waiting = { reason: "ImagePullBackOff", message: 'Back-off pulling image "nowhere/none:1"' };
    await setContainer(first, { state: { waiting } });
    const seen = await becomes("alice", "Ready", "False:ImageNotPulled");
    expect(message(seen, "Ready")).toContain("nowhere/none:1");
    await patch(atSignClasses, broken, { spec: { image: "somewhere/some:1" } });
    const second = await started("alice", namespace, first.metadata.uid);
    expect(second.spec).toMatchObject({ containers: [{ image: "somewhere/some:1" }] });
  });

  test("of a node that is lost is left alone", async () => {
    const node = `node-${namespace}`;
    const body = { apiVersion: "v1", kind: "Node", metadata: { name: node } };
    const nodes = { group: "", version: "v1", plural: "nodes" };
    await cell.client.request({ method: "POST", path: pathOf(nodes), body });
    await patchStatus(cell.client, nodes, { name: node }, { conditions: [{ type: "Ready", status: "True" }] });
    await apply(namespace, "alice");
    const made = await started("alice");
    const binding = {
      ...{ apiVersion: "v1", kind: "Binding", metadata: { name: "alice-atserver", namespace } },
      target: { apiVersion: "v1", kind: "Node", name: node },
    };
    const path = pathOf(pods, { namespace, name: "alice-atserver", subresource: "binding" });
    await cell.client.request({ method: "POST", path, body: binding });
    await makeReady(cell.client, made);
    await becomes("alice", "Ready", "True:Serving");
    await patchStatus(cell.client, nodes, { name: node }, { conditions: [{ type: "Ready", status: "Unknown" }] });
    await setReady(made, "False");
    const seen = await becomes("alice", "Degraded", "True:NodeLost");
    expect(message(seen, "Degraded")).toContain("out-of-service");
    await delay(500);
    expect((await pod("alice"))?.metadata).toMatchObject({ uid: made.metadata.uid });
    expect((await pod("alice"))?.metadata.deletionTimestamp).toBeUndefined();
    // As the garbage collector does for a node that is gone.
    await remove(cell.client, nodes, { name: node });
    await remove(cell.client, pods, { namespace, name: "alice-atserver" });
    await started("alice", namespace, made.metadata.uid);
  });

  test("that somebody else made under our labels never counts", async () => {
    await apply(namespace, "alice", { runPolicy: "Suspended" });
    const seen = await becomes("alice", "Ready", "False:Suspended");
    const forged = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: {
        ...{ name: "alice-atserver", namespace, labels: { "atrium.dev/atsign": "alice" } },
        annotations: { "atrium.dev/epoch": "1" },
        ownerReferences: [
          {
            apiVersion: "atrium.dev/v1alpha1",
            kind: "AtSign",
            name: "alice",
            uid: seen?.metadata.uid,
            controller: true,
          },
        ],
      },
      spec: { containers: [{ name: "atserver", image: "mine" }] },
    };
    const made = await cell.client.request<Pod>({ method: "POST", path: pathOf(pods, { namespace }), body: forged });
    await until(
      () => pod("alice"),
      (seen) => seen === undefined,
    );
    await apply(namespace, "alice");
    expect((await started("alice")).metadata.uid).not.toBe(made.metadata.uid);
  });
});

describe("what is in the way is said:", () => {
  test("a class that is not there", async () => {
    await apply(namespace, "alice", { className: "missing" });
    const seen = await becomes("alice", "Ready", "False:ClassNotFound");
    expect(message(seen, "Ready")).toContain("missing");
    expect(await cell.record(inDirectory("alice"))).toMatchObject({ status: 404 });
  });

  test("a class that this namespace may not use, until it may", async () => {
    const standard = standardClass();
    const allowedNamespaces = { selector: { matchLabels: { plan: namespace } } };
    const spec = { ...standard.spec, allowedNamespaces };
    const gold = { ...standard, metadata: { name: `gold-${namespace}` }, spec };
    await cell.client.request({ method: "POST", path: pathOf(atSignClasses), body: gold });
    await apply(namespace, "alice", { className: gold.metadata.name });
    await becomes("alice", "Ready", "False:ClassNotAllowed");
    await patch(namespaces, { metadata: { name: namespace } }, { metadata: { labels: { plan: namespace } } });
    await started("alice");
  });

  test("a quota", async () => {
    const quotas = { group: "", version: "v1", plural: "resourcequotas" };
    const spec = { hard: { pods: "0" } };
    const body = { apiVersion: "v1", kind: "ResourceQuota", metadata: { name: "none", namespace }, spec };
    await cell.client.request({ method: "POST", path: pathOf(quotas, { namespace }), body });
    await patchStatus(cell.client, quotas, { namespace, name: "none" }, { ...spec, used: { pods: "0" } });
    await apply(namespace, "alice");
    const seen = await becomes("alice", "Ready", "False:QuotaExceeded");
    expect(message(seen, "Ready")).toContain("exceeded quota: none");
  });

  test("a volume that was deleted", async () => {
    await apply(namespace, "alice");
    await serving("alice");
    const volume = await bind("alice");
    await becomes("alice", "Provisioned", "True:Provisioned");
    const { metadata } = (await claim("alice")) as VolumeClaim;
    await patch(volumeClaims, { metadata }, { metadata: { finalizers: null } });
    await remove(cell.client, volumeClaims, { namespace, name: metadata.name });
    await becomes("alice", "Degraded", "True:VolumeLost");
    await remove(cell.client, pods, { namespace, name: "alice-atserver" });
    const seen = await becomes("alice", "Ready", "False:VolumeLost");
    expect(message(seen, "Provisioned")).toContain(volume);
    expect(await claim("alice")).toBeUndefined();
    expect(await pod("alice")).toBeUndefined();
  });
});

describe("the directory", () => {
  test("that lost everything is told it again", async () => {
    await apply(namespace, "alice");
    await serving("alice");
    await apply(namespace, "bob");
    await serving("bob");
    await bind("bob");
    await remove(cell.client, atSigns, { namespace, name: "bob" });
    await until(
      () => cell.record(inDirectory("bob")),
      ({ body }) => body.host === null,
    );
    await cell.restartDirectory();
    await until(
      () => cell.isRegistryComplete(),
      (isComplete) => isComplete,
    );
    expect(await cell.record(inDirectory("alice"))).toMatchObject({
      body: { host: `${inDirectory("alice")}.at.test` },
    });
    // Its data is there yet: nobody else may have the name.
    expect(await cell.record(inDirectory("bob"))).toMatchObject({ status: 200, body: { host: null } });
  });

  test("that is away stops nobody who has a name", async () => {
    await apply(namespace, "alice");
    const first = await serving("alice");
    await cell.stopDirectory();
    await remove(cell.client, pods, { namespace, name: "alice-atserver" });
    await started("alice", namespace, first.metadata.uid);
    await serving("alice");
    await apply(namespace, "carol");
    await becomes("carol", "Claimed", "False:DirectoryUnreachable");
    expect(await pod("carol")).toBeUndefined();
    await cell.restartDirectory();
    await started("carol");
    expect(told(await atSign("alice"), "Claimed")).toBe("True:Claimed");
  });
});

test("an operator that is killed again and again converges", async () => {
  const names = Array.from({ length: 12 }, (_, i) => `many-${i}`);
  const applying = (async () => {
    for (const name of names) {
      await apply(namespace, name, { deletionPolicy: "Delete" });
      await delay(60);
    }
  })();
  for (let times = 0; times < 5; times++) {
    await delay(150 + times * 70);
    await operator.kill();
    operator = await cell.startOperator();
  }
  await applying;
  for (const name of names) await serving(name);
  const seen = await list<AtSign>(cell.client, atSigns, namespace);
  const all = await list<Pod>(cell.client, pods, namespace);
  expect(all.map(({ metadata }) => metadata.uid).sort()).toEqual(seen.map(({ status }) => status?.pod?.uid).sort());
  expect(readFileSync(cell.log, "utf8")).not.toContain('"level":"error"');
}, 60_000);

function versionOf({ metadata: { name, resourceVersion } }: KubernetesObject): string {
  return `${name} ${resourceVersion}`;
}

/** As a kubelet that has started it twice in vain. */
async function crashes(of: Pod, end: { exitCode: number; reason: string }): Promise<void> {
  const finishedAt = new Date().toISOString().replace(/\.\d+Z$/, "Z");
  await setContainer(of, {
    state: { waiting: { reason: "CrashLoopBackOff", message: "back-off 10s" } },
    lastState: { terminated: { ...end, startedAt: finishedAt, finishedAt } },
    restartCount: 1,
  });
}

async function setContainer({ metadata: { name } }: Pod, of: object): Promise<void> {
  const container = { name: "atserver", image: "", imageID: "", ready: false, restartCount: 0, ...of };
  await patchStatus(cell.client, pods, { namespace, name }, { phase: "Pending", containerStatuses: [container] });
}

async function setReady({ metadata: { name } }: Pod, status: "True" | "False"): Promise<void> {
  await patchStatus(cell.client, pods, { namespace, name }, { conditions: [{ type: "Ready", status }] });
}
