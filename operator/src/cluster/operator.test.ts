import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { type KubernetesObject, pathOf } from "../controller/api.ts";
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
  type Cell,
  list,
  makeNamespace,
  makeReady,
  patch,
  patchStatus,
  read,
  remove,
  startCell,
  told,
  until,
} from "./testing/cell.ts";
import type { OperatorProcess } from "./testing/operator-process.ts";
import { clear, messageOf, newTenant, type Tenant } from "./testing/tenant.ts";

let cell: Cell;
let operator: OperatorProcess;
let tenant: Tenant;

beforeAll(async () => {
  cell = await startCell();
  operator = await cell.startOperator();
}, 60_000);

afterAll(async () => await cell[Symbol.asyncDispose]());

beforeEach(async () => {
  tenant = await newTenant(cell);
});

/** Nothing of a test goes on in the next one. */
afterEach(() => clear(cell));

describe("an AtSign", () => {
  test("gets claim, volume, pod and record, and is served once its pod is ready", async () => {
    await tenant.apply("alice");
    const made = await tenant.started("alice");
    const seen = await tenant.becomes("alice", "Ready", "False:Starting");
    expect(seen?.status).toMatchObject({
      ...{ host: `${tenant.inDirectory("alice")}.at.test`, port: 443, activationSecret: "alice-activation" },
      pod: { name: "alice-atserver", uid: made.metadata.uid },
    });
    expect(made.metadata.annotations).toMatchObject({ "atrium.dev/epoch": String(seen?.status?.epoch) });
    expect(made.metadata.ownerReferences).toMatchObject([{ kind: "AtSign", name: "alice", controller: true }]);
    expect(made.spec).toMatchObject({ enableServiceLinks: false, automountServiceAccountToken: false });
    expect(await read(cell.client, secrets, { namespace: tenant.namespace, name: "alice-activation" })).toBeDefined();
    expect((await tenant.claim("alice"))?.metadata.ownerReferences).toBeUndefined();
    expect(await cell.record(tenant.inDirectory("alice"))).toMatchObject({
      body: { host: `${tenant.inDirectory("alice")}.at.test`, port: 443, generation: seen?.status?.epoch },
    });
    await makeReady(cell.client, made);
    await tenant.becomes("alice", "Ready", "True:Serving");
  });

  test("is left alone when nothing changes", async () => {
    for (const name of ["rest-1", "rest-2", "rest-3"]) {
      await tenant.apply(name);
      await tenant.serving(name);
    }
    const quiet = async () => [await list(cell.client, atSigns), await list(cell.client, pods)].flat().map(versionOf);
    await delay(500);
    const before = await quiet();
    await delay(4_000);
    expect(await quiet()).toEqual(before);
  });

  test("is restarted by nothing but an operator's restart: that writes nothing", async () => {
    await tenant.apply("alice");
    await tenant.serving("alice");
    const before = versionOf((await tenant.atSign("alice")) as AtSign);
    await operator.kill();
    operator = await cell.startOperator();
    await until(
      () => cell.isRegistryComplete(),
      (isComplete) => isComplete,
    );
    await delay(1_000);
    expect(versionOf((await tenant.atSign("alice")) as AtSign)).toBe(before);
  });

  test("is of one of two that ask for its name; the other has it when it is free", async () => {
    const other = `${tenant.namespace}-other`;
    await makeNamespace(cell.client, other);
    await tenant.apply("alice", { deletionPolicy: "Delete" });
    await tenant.serving("alice");
    await tenant.apply("also-alice", { atSign: tenant.atSignOf("alice") }, {}, other);
    const second = await tenant.becomes("also-alice", "Ready", "False:Unclaimed", other);
    expect(told(second, "Claimed")).toBe("False:NameTaken");
    expect(await tenant.pod("also-alice", other)).toBeUndefined();
    await remove(cell.client, atSigns, { namespace: tenant.namespace, name: "alice" });
    await tenant.started("also-alice", { of: other });
  });

  test("gives its name to whom the annotation names", async () => {
    const other = `${tenant.namespace}-other`;
    await makeNamespace(cell.client, other);
    await tenant.apply("alice");
    await tenant.serving("alice");
    await tenant.apply("heir", { atSign: tenant.atSignOf("alice") }, {}, other);
    await tenant.becomes("heir", "Ready", "False:Unclaimed", other);
    await tenant.apply("alice", {}, { "atrium.dev/release-to": `${other}/heir` });
    await tenant.becomes("alice", "Claimed", "False:Released");
    await tenant.started("heir", { of: other });
    expect(await tenant.pod("alice")).toBeUndefined();
  });

  test("that is suspended keeps name and data, and has no pod", async () => {
    await tenant.apply("alice");
    await tenant.serving("alice");
    await tenant.apply("alice", { runPolicy: "Suspended" });
    await until(
      () => tenant.pod("alice"),
      (seen) => seen === undefined,
    );
    const seen = await tenant.becomes("alice", "Ready", "False:Suspended");
    expect(told(seen, "Listed")).toBe("True:Listed");
    expect(await tenant.claim("alice")).toBeDefined();
    await tenant.apply("alice", { runPolicy: "Always" });
    await tenant.serving("alice");
  });

  test("that goes is parked, its volume is retained, and it is there again when it comes back", async () => {
    await tenant.apply("alice");
    await tenant.serving("alice");
    const volume = await tenant.bind("alice");
    await tenant.becomes("alice", "Provisioned", "True:Provisioned");
    const retained = await until(
      () => read<Volume>(cell.client, volumes, { name: volume }),
      (seen) => seen !== undefined,
    );
    expect(retained?.spec?.persistentVolumeReclaimPolicy).toBe("Retain");
    const epoch = (await tenant.atSign("alice"))?.status?.epoch ?? 0;
    await remove(cell.client, atSigns, { namespace: tenant.namespace, name: "alice" });
    await until(
      () => cell.record(tenant.inDirectory("alice")),
      ({ body }) => body.host === null,
    );
    expect(await tenant.claim("alice")).toBeDefined();
    await tenant.apply("alice");
    await tenant.started("alice");
    expect((await tenant.atSign("alice"))?.status?.epoch).toBeGreaterThan(epoch);
    await until(
      () => cell.record(tenant.inDirectory("alice")),
      ({ body }) => body.host === `${tenant.inDirectory("alice")}.at.test`,
    );
  });

  test("that goes with Delete leaves nothing", async () => {
    await tenant.apply("alice", { deletionPolicy: "Delete" });
    await tenant.serving("alice");
    const volume = await tenant.bind("alice");
    await tenant.becomes("alice", "Provisioned", "True:Provisioned");
    await remove(cell.client, atSigns, { namespace: tenant.namespace, name: "alice" });
    await until(
      () => tenant.atSign("alice"),
      (seen) => seen === undefined,
    );
    expect((await tenant.claim("alice"))?.metadata.deletionTimestamp).toBeDefined();
    expect((await read<Volume>(cell.client, volumes, { name: volume }))?.spec?.persistentVolumeReclaimPolicy).toBe(
      "Delete",
    );
    expect(await cell.record(tenant.inDirectory("alice"))).toMatchObject({ status: 404 });
  });
});

describe("a pod", () => {
  test("that is deleted is made again, with a newer epoch", async () => {
    await tenant.apply("alice");
    const first = await tenant.serving("alice");
    const epoch = (await tenant.atSign("alice"))?.status?.epoch ?? 0;
    await remove(cell.client, pods, { namespace: tenant.namespace, name: "alice-atserver" });
    await tenant.started("alice", { after: first.metadata.uid });
    expect((await tenant.atSign("alice"))?.status?.epoch).toBeGreaterThan(epoch);
  });

  test("that keeps ending is replaced, later and later, and says so", async () => {
    await tenant.apply("alice");
    let last: Pod | undefined;
    for (let ends = 1; ends <= 3; ends++) {
      last = await tenant.started("alice", { after: last?.metadata.uid });
      await tenant.crashes(last, { exitCode: 1, reason: "Error" });
    }
    const seen = await tenant.becomes("alice", "Degraded", "True:CrashLoop");
    expect(told(seen, "Ready")).toBe("False:Restarting");
    await tenant.started("alice", { after: last?.metadata.uid });
  });

  test("that needed too much memory says so, with its limit", async () => {
    await tenant.apply("alice");
    await tenant.crashes(await tenant.started("alice"), { exitCode: 137, reason: "OOMKilled" });
    const seen = await tenant.becomes("alice", "Degraded", "True:OutOfMemory");
    expect(messageOf(seen, "Degraded")).toContain("128Mi");
  });

  test("whose image cannot be pulled says so, and goes on when the class is corrected", async () => {
    const standard = standardClass();
    const broken = { ...standard, metadata: { name: "broken" }, spec: { ...standard.spec, image: "nowhere/none:1" } };
    await cell.client.request({ method: "POST", path: pathOf(atSignClasses), body: broken });
    await tenant.apply("alice", { className: "broken" });
    const first = await tenant.started("alice");
    const waiting = { reason: "ImagePullBackOff", message: 'Back-off pulling image "nowhere/none:1"' };
    await tenant.setContainer(first, { state: { waiting } });
    const seen = await tenant.becomes("alice", "Ready", "False:ImageNotPulled");
    expect(messageOf(seen, "Ready")).toContain("nowhere/none:1");
    await patch(cell.client, atSignClasses, broken, { spec: { image: "somewhere/some:1" } });
    const second = await tenant.started("alice", { after: first.metadata.uid });
    expect(second.spec).toMatchObject({ containers: [{ image: "somewhere/some:1" }] });
  });

  test("of a node that is lost is left alone", async () => {
    const node = `node-${tenant.namespace}`;
    const body = { apiVersion: "v1", kind: "Node", metadata: { name: node } };
    const nodes = { group: "", version: "v1", plural: "nodes" };
    await cell.client.request({ method: "POST", path: pathOf(nodes), body });
    await patchStatus(cell.client, nodes, { name: node }, { conditions: [{ type: "Ready", status: "True" }] });
    await tenant.apply("alice");
    const made = await tenant.started("alice");
    const binding = {
      ...{ apiVersion: "v1", kind: "Binding", metadata: { name: "alice-atserver", namespace: tenant.namespace } },
      target: { apiVersion: "v1", kind: "Node", name: node },
    };
    const path = pathOf(pods, { namespace: tenant.namespace, name: "alice-atserver", subresource: "binding" });
    await cell.client.request({ method: "POST", path, body: binding });
    await makeReady(cell.client, made);
    await tenant.becomes("alice", "Ready", "True:Serving");
    await patchStatus(cell.client, nodes, { name: node }, { conditions: [{ type: "Ready", status: "Unknown" }] });
    await tenant.setReady(made, "False");
    const seen = await tenant.becomes("alice", "Degraded", "True:NodeLost");
    expect(messageOf(seen, "Degraded")).toContain("out-of-service");
    await delay(500);
    expect((await tenant.pod("alice"))?.metadata).toMatchObject({ uid: made.metadata.uid });
    expect((await tenant.pod("alice"))?.metadata.deletionTimestamp).toBeUndefined();
    // As the garbage collector does for a node that is gone.
    await remove(cell.client, nodes, { name: node });
    await remove(cell.client, pods, { namespace: tenant.namespace, name: "alice-atserver" });
    await tenant.started("alice", { after: made.metadata.uid });
  });

  test("that somebody else made under our labels never counts", async () => {
    await tenant.apply("alice", { runPolicy: "Suspended" });
    const seen = await tenant.becomes("alice", "Ready", "False:Suspended");
    const forged = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: {
        ...{ name: "alice-atserver", namespace: tenant.namespace, labels: { "atrium.dev/atsign": "alice" } },
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
    const made = await cell.client.request<Pod>({
      method: "POST",
      path: pathOf(pods, { namespace: tenant.namespace }),
      body: forged,
    });
    await until(
      () => tenant.pod("alice"),
      (seen) => seen === undefined,
    );
    await tenant.apply("alice");
    expect((await tenant.started("alice")).metadata.uid).not.toBe(made.metadata.uid);
  });
});

describe("what is in the way is said:", () => {
  test("a class that is not there", async () => {
    await tenant.apply("alice", { className: "missing" });
    const seen = await tenant.becomes("alice", "Ready", "False:ClassNotFound");
    expect(messageOf(seen, "Ready")).toContain("missing");
    expect(await cell.record(tenant.inDirectory("alice"))).toMatchObject({ status: 404 });
  });

  test("a class that this tenant.namespace may not use, until it may", async () => {
    const standard = standardClass();
    const allowedNamespaces = { selector: { matchLabels: { plan: tenant.namespace } } };
    const spec = { ...standard.spec, allowedNamespaces };
    const gold = { ...standard, metadata: { name: `gold-${tenant.namespace}` }, spec };
    await cell.client.request({ method: "POST", path: pathOf(atSignClasses), body: gold });
    await tenant.apply("alice", { className: gold.metadata.name });
    await tenant.becomes("alice", "Ready", "False:ClassNotAllowed");
    await patch(
      cell.client,
      namespaces,
      { metadata: { name: tenant.namespace } },
      { metadata: { labels: { plan: tenant.namespace } } },
    );
    await tenant.started("alice");
  });

  test("a volume that nobody makes, until the class asks for another", async () => {
    const standard = standardClass();
    const metadata = { name: `storage-${tenant.namespace}` };
    const storage = { ...standard.spec.storage, storageClassName: "never-there" };
    const wrong = { ...standard, metadata, spec: { ...standard.spec, storage } };
    await cell.client.request({ method: "POST", path: pathOf(atSignClasses), body: wrong });
    await tenant.apply("alice", { className: metadata.name });
    const first = await tenant.started("alice");
    const claim = (await tenant.claim("alice")) as VolumeClaim;
    // As volume controllers do it: by then nothing uses the claim.
    const { namespace } = tenant;
    await patchStatus(cell.client, volumeClaims, { namespace, name: claim.metadata.name }, { phase: "Pending" });
    await patch(cell.client, volumeClaims, claim, { metadata: { finalizers: null } });
    await patch(cell.client, atSignClasses, { metadata }, { spec: { storage: { storageClassName: "there" } } });
    await tenant.started("alice", { after: first.metadata.uid });
    const next = await tenant.claim("alice");
    expect(next?.spec?.storageClassName).toBe("there");
    expect(next?.metadata.uid).not.toBe(claim.metadata.uid);
  });

  test("a quota", async () => {
    const quotas = { group: "", version: "v1", plural: "resourcequotas" };
    const spec = { hard: { pods: "0" } };
    const body = {
      apiVersion: "v1",
      kind: "ResourceQuota",
      metadata: { name: "none", namespace: tenant.namespace },
      spec,
    };
    await cell.client.request({ method: "POST", path: pathOf(quotas, { namespace: tenant.namespace }), body });
    await patchStatus(
      cell.client,
      quotas,
      { namespace: tenant.namespace, name: "none" },
      { ...spec, used: { pods: "0" } },
    );
    await tenant.apply("alice");
    const seen = await tenant.becomes("alice", "Ready", "False:QuotaExceeded");
    expect(messageOf(seen, "Ready")).toContain("exceeded quota: none");
  });

  test("a volume that was deleted", async () => {
    await tenant.apply("alice");
    await tenant.serving("alice");
    const volume = await tenant.bind("alice");
    await tenant.becomes("alice", "Provisioned", "True:Provisioned");
    const { metadata } = (await tenant.claim("alice")) as VolumeClaim;
    await patch(cell.client, volumeClaims, { metadata }, { metadata: { finalizers: null } });
    await remove(cell.client, volumeClaims, { namespace: tenant.namespace, name: metadata.name });
    await tenant.becomes("alice", "Degraded", "True:VolumeLost");
    await remove(cell.client, pods, { namespace: tenant.namespace, name: "alice-atserver" });
    const seen = await tenant.becomes("alice", "Ready", "False:VolumeLost");
    expect(messageOf(seen, "Provisioned")).toContain(volume);
    expect(await tenant.claim("alice")).toBeUndefined();
    expect(await tenant.pod("alice")).toBeUndefined();
  });
});

describe("the directory", () => {
  test("that lost everything is told it again", async () => {
    await tenant.apply("alice");
    await tenant.serving("alice");
    await tenant.apply("bob");
    await tenant.serving("bob");
    await tenant.bind("bob");
    await remove(cell.client, atSigns, { namespace: tenant.namespace, name: "bob" });
    await until(
      () => cell.record(tenant.inDirectory("bob")),
      ({ body }) => body.host === null,
    );
    await cell.restartDirectory();
    await until(
      () => cell.isRegistryComplete(),
      (isComplete) => isComplete,
    );
    expect(await cell.record(tenant.inDirectory("alice"))).toMatchObject({
      body: { host: `${tenant.inDirectory("alice")}.at.test` },
    });
    // Its data is there yet: nobody else may have the name.
    expect(await cell.record(tenant.inDirectory("bob"))).toMatchObject({ status: 200, body: { host: null } });
  });

  test("that lost everything gives no name to who waits for it, nor to a claim that anybody can make", async () => {
    const other = `${tenant.namespace}-other`;
    await makeNamespace(cell.client, other);
    for (const name of ["alice", "bob"]) {
      await tenant.apply(name);
      await tenant.serving(name);
      await tenant.bind(name);
      await tenant.becomes(name, "Provisioned", "True:Provisioned");
      await tenant.apply(`waits-for-${name}`, { atSign: tenant.atSignOf(name) }, {}, other);
      await tenant.becomes(`waits-for-${name}`, "Claimed", "False:NameTaken", other);
    }
    await remove(cell.client, atSigns, { namespace: tenant.namespace, name: "bob" });
    await until(
      () => cell.record(tenant.inDirectory("bob")),
      ({ body }) => body.host === null,
    );
    const { metadata, spec } = (await tenant.claim("bob")) as VolumeClaim;
    const forged = { labels: metadata.labels, annotations: { ...metadata.annotations, "atrium.dev/owner": "forged" } };
    const body = {
      ...{ apiVersion: "v1", kind: "PersistentVolumeClaim", metadata: { name: "forged-data", ...forged } },
      spec: { ...spec, volumeName: undefined },
    };
    await cell.client.request({ method: "POST", path: pathOf(volumeClaims, { namespace: other }), body });
    const before = [await cell.record(tenant.inDirectory("alice")), await cell.record(tenant.inDirectory("bob"))];
    // The new leader begins with nothing in memory, and looks at all at once.
    await operator.kill();
    await cell.restartDirectory();
    operator = await cell.startOperator();
    await until(
      () => cell.isRegistryComplete(),
      (isComplete) => isComplete,
    );
    const after = [await cell.record(tenant.inDirectory("alice")), await cell.record(tenant.inDirectory("bob"))];
    expect(after.map(({ body: { claim, host } }) => [claim, host])).toEqual(
      before.map(({ body: { claim, host } }) => [claim, host]),
    );
    await tenant.apply("newcomer");
    await tenant.started("newcomer");
    for (const name of ["alice", "bob"]) await tenant.becomes(`waits-for-${name}`, "Claimed", "False:NameTaken", other);
    expect((await tenant.atSign("alice"))?.status?.conditions).toContainEqual(
      expect.objectContaining({ type: "Claimed", status: "True" }),
    );
  });

  test("that is away stops nobody who has a name", async () => {
    await tenant.apply("alice");
    const first = await tenant.serving("alice");
    await cell.stopDirectory();
    await remove(cell.client, pods, { namespace: tenant.namespace, name: "alice-atserver" });
    await tenant.started("alice", { after: first.metadata.uid });
    await tenant.serving("alice");
    await tenant.apply("carol");
    await tenant.becomes("carol", "Claimed", "False:DirectoryUnreachable");
    expect(await tenant.pod("carol")).toBeUndefined();
    await cell.restartDirectory();
    await tenant.started("carol");
    expect(told(await tenant.atSign("alice"), "Claimed")).toBe("True:Claimed");
  });
});

test("an operator that is killed again and again converges", async () => {
  const names = Array.from({ length: 12 }, (_, i) => `many-${i}`);
  const applying = (async () => {
    for (const name of names) {
      await tenant.apply(name, { deletionPolicy: "Delete" });
      await delay(60);
    }
  })();
  for (let times = 0; times < 5; times++) {
    await delay(150 + times * 70);
    await operator.kill();
    operator = await cell.startOperator();
  }
  await applying;
  for (const name of names) await tenant.serving(name);
  const seen = await list<AtSign>(cell.client, atSigns, tenant.namespace);
  const all = await list<Pod>(cell.client, pods, tenant.namespace);
  expect(all.map(({ metadata }) => metadata.uid).sort()).toEqual(seen.map(({ status }) => status?.pod?.uid).sort());
  expect(readFileSync(cell.log, "utf8")).not.toContain('"level":"error"');
}, 60_000);

function versionOf({ metadata: { name, resourceVersion } }: KubernetesObject): string {
  return `${name} ${resourceVersion}`;
}
