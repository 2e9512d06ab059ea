import { writeFileSync } from "node:fs";
import { request } from "node:https";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { type KubernetesObject, pathOf } from "../controller/api.ts";
import { lines } from "../controller/lines.ts";
import { type AtSign, atSigns } from "../resources/at-sign.ts";
import { atSignClasses, standardClass } from "../resources/at-sign-class.ts";
import type { Route } from "../tenant/observe.ts";
import { type Pod, pods, secrets } from "./kubernetes-objects.ts";
import { networkPolicies } from "./network-policies.ts";
import { type Cell, list, patch, patchStatus, read, remove, startCell, system, told, until } from "./testing/cell.ts";
import type { OperatorProcess } from "./testing/operator-process.ts";
import { clear, messageOf, newTenant, type Tenant } from "./testing/tenant.ts";

const policy = { podSelector: {}, policyTypes: ["Ingress"], ingress: [{ ports: [{ port: 6464, protocol: "TCP" }] }] };
const deletionMs = 3_000;

let cell: Cell;
let tenant: Tenant;
const operators = new Map<string, OperatorProcess>();

beforeAll(async () => {
  cell = await startCell();
  writeFileSync(join(cell.plane.directory, "policy.json"), JSON.stringify(policy));
  await start("one");
  await start("two");
}, 60_000);

afterAll(async () => await cell[Symbol.asyncDispose]());

beforeEach(async () => {
  tenant = await newTenant(cell);
});

afterEach(() => clear(cell));

async function start(name: string): Promise<void> {
  const environment = {
    OPERATOR_POD_NAME: name,
    OPERATOR_DELETION_MS: String(deletionMs),
    OPERATOR_TENANT_NETWORK_POLICY: join(cell.plane.directory, "policy.json"),
  };
  operators.set(name, await cell.startOperator(environment));
}

async function leader(): Promise<string> {
  const leases = { group: "coordination.k8s.io", version: "v1", plural: "leases" };
  const lease = await read<KubernetesObject & { spec: { holderIdentity: string } }>(cell.client, leases, {
    ...{ namespace: system, name: "atrium-operator" },
  });
  return lease?.spec.holderIdentity ?? "";
}

/** What a gateway is told of the present routes by one replica. */
async function routesOf(name: string): Promise<Route[]> {
  const secret = await read<KubernetesObject & { data: Record<string, string> }>(cell.client, secrets, {
    ...{ namespace: system, name: "atrium-gateway-tls" },
  });
  const pem = (key: string) => Buffer.from(secret?.data[key] ?? "", "base64").toString();
  const { host, port } = operators.get(name)?.addresses.routes ?? { host: "", port: 0 };
  const routes: Route[] = [];
  return await new Promise((resolve, reject) => {
    const asking = request({
      ...{ host, port, path: "/v1/routes", servername: "operator.atrium.internal", agent: false },
      ...{ cert: pem("certificate.pem"), key: pem("key.pem"), ca: pem("trust.pem") },
    });
    asking.once("error", reject);
    asking.once("response", async (response) => {
      for await (const line of lines(response, 65_536)) {
        const { route, cursor } = JSON.parse(line);
        if (route !== undefined) routes.push(route);
        if (cursor !== undefined) break;
      }
      asking.destroy();
      resolve(routes);
    });
    asking.end();
  });
}

test("every replica tells the gateways the same, whoever leads", async () => {
  await tenant.apply("alice");
  const made = await tenant.serving("alice");
  await tenant.apply("bob", { runPolicy: "Suspended" });
  await tenant.becomes("bob", "Listed", "True:Listed");
  const host = `${tenant.inDirectory("alice")}.at.test`;
  for (const name of operators.keys()) {
    const routes = await until(
      () => routesOf(name),
      (seen) => seen.length === 2,
    );
    expect(routes).toContainEqual({
      ...{ host, state: "Serving", address: "10.1.2.3", port: 6464, uid: made.metadata.uid },
      epoch: (await tenant.atSign("alice"))?.status?.epoch,
    });
    expect(routes).toContainEqual(expect.objectContaining({ state: "Suspended" }));
  }
  await tenant.setReady(made, "False");
  for (const name of operators.keys()) {
    await until(
      () => routesOf(name),
      (seen) => seen.length === 1,
    );
  }
});

test("another replica goes on when the leader is killed, and what is there is left alone", async () => {
  await tenant.apply("alice");
  await tenant.serving("alice");
  await until(
    () => tenant.atSign("alice"),
    (seen) => told(seen, "Ready") === "True:Serving",
  );
  const before = await tenant.atSign("alice");
  const first = await leader();
  await operators.get(first)?.kill();
  await tenant.apply("bob");
  await until(leader, (name) => name !== first, 20_000);
  await tenant.started("bob");
  expect((await tenant.atSign("alice"))?.metadata.resourceVersion).toBe(before?.metadata.resourceVersion);
  await start(first);
}, 40_000);

test("a change of the class replaces a few pods at a time, and no more when those do not start", async () => {
  const standard = standardClass();
  const changing = { ...standard, metadata: { name: "changing" } };
  await cell.client.request({ method: "POST", path: pathOf(atSignClasses), body: changing });
  const names = Array.from({ length: 14 }, (_, i) => `many-${i}`);
  for (const name of names) await tenant.apply(name, { className: "changing" });
  for (const name of names) await tenant.serving(name);
  const uids = new Set((await list<Pod>(cell.client, pods, tenant.namespace)).map(({ metadata }) => metadata.uid));
  await patch(cell.client, atSignClasses, changing, { spec: { limits: { connections: 300 } } });
  const isNew = ({ metadata }: Pod) => !uids.has(metadata.uid);
  const replaced = async () => (await list<Pod>(cell.client, pods, tenant.namespace)).filter(isNew);
  await until(replaced, (seen) => seen.length === 10);
  await delay(500);
  expect(await replaced()).toHaveLength(10);
  for (const { metadata } of await replaced()) await tenant.serving(metadata.name.replace("-atserver", ""));
  await until(replaced, (seen) => seen.length === 14);
}, 40_000);

test("a deletion ends in time though the directory is away, and says what it may have left", async () => {
  await tenant.apply("alice", { deletionPolicy: "Delete" });
  await tenant.serving("alice");
  await cell.stopDirectory();
  const began = performance.now();
  await remove(cell.client, atSigns, { namespace: tenant.namespace, name: "alice" });
  await until(
    () => tenant.atSign("alice"),
    (seen) => seen === undefined,
  );
  expect(performance.now() - began).toBeGreaterThan(deletionMs - 1_000);
  const events = { group: "events.k8s.io", version: "v1", plural: "events" };
  const told = await until(
    () => list<KubernetesObject & { reason: string; note: string }>(cell.client, events, tenant.namespace),
    (seen) => seen.some(({ reason }) => reason === "DeletionIncomplete"),
  );
  expect(told.find(({ reason }) => reason === "DeletionIncomplete")?.note).toContain("its name in the directory");
  await cell.restartDirectory();
});

test("the activation secret goes once the owner has activated", async () => {
  await tenant.apply("alice");
  await tenant.serving("alice");
  const seen = (await tenant.atSign("alice")) as AtSign;
  const others = seen.status?.conditions?.filter(({ type }) => type !== "Activated") ?? [];
  const activated = { type: "Activated", status: "True", reason: "Activated", message: "as the identity service says" };
  await patchStatus(
    cell.client,
    atSigns,
    { namespace: tenant.namespace, name: "alice" },
    {
      conditions: [...others, { ...activated, lastTransitionTime: new Date().toISOString() }],
    },
  );
  const after = await until(
    () => tenant.atSign("alice"),
    (found) => found?.status?.activationSecret === undefined,
  );
  expect(told(after, "Activated")).toBe("True:Activated");
  const secret = { namespace: tenant.namespace, name: "alice-activation" };
  expect(await read(cell.client, secrets, secret)).toBeUndefined();
  // Of another pod, too.
  await remove(cell.client, pods, { namespace: tenant.namespace, name: "alice-atserver" });
  await tenant.serving("alice");
  expect(await read(cell.client, secrets, secret)).toBeUndefined();
  expect(messageOf(await tenant.atSign("alice"), "Ready")).toBe("");
});

test("a namespace has its network policy for as long as it has AtSigns", async () => {
  const find = () =>
    read<KubernetesObject & { spec: object }>(cell.client, networkPolicies, {
      ...{ namespace: tenant.namespace, name: "atrium-atservers" },
    });
  await tenant.apply("alice");
  const made = await until(find, (seen) => seen !== undefined);
  expect(made?.spec).toMatchObject(policy);
  await patch(cell.client, networkPolicies, made as KubernetesObject, { spec: { ingress: [] } });
  await until(find, (seen) => JSON.stringify(seen?.spec).includes("6464"));
  await remove(cell.client, networkPolicies, { namespace: tenant.namespace, name: "atrium-atservers" });
  await until(find, (seen) => seen !== undefined);
  await remove(cell.client, atSigns, { namespace: tenant.namespace, name: "alice" });
  await until(find, (seen) => seen === undefined);
});
