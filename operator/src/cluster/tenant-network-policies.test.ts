import { setTimeout as delay } from "node:timers/promises";
import { logger } from "@atrium/runtime/log.ts";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { type ApiClient, type KubernetesObject, pathOf, type RequestParts, type Resource } from "../controller/api.ts";
import type { Term } from "../controller/term.ts";
import {
  createNamespace,
  listed,
  startTestControlPlane,
  type TestControlPlane,
} from "../controller/testing/control-plane.ts";
import { TenantNetworkPolicies } from "./tenant-network-policies.ts";

const networkPolicies: Resource = { group: "networking.k8s.io", version: "v1", plural: "networkpolicies" };
const gateway = { matchLabels: { "app.kubernetes.io/component": "gateway" } };
const spec = {
  podSelector: { matchExpressions: [{ key: "atrium.dev/atsign", operator: "Exists" }] },
  policyTypes: ["Ingress", "Egress"],
  ingress: [{ from: [{ namespaceSelector: {}, podSelector: gateway }], ports: [{ port: 6464, protocol: "TCP" }] }],
  egress: [
    {
      to: [{ ipBlock: { cidr: "0.0.0.0/0", except: ["10.0.0.0/8"] } }],
      ports: [{ port: 1, endPort: 65_535, protocol: "TCP" }],
    },
  ],
};

let plane: TestControlPlane;
beforeAll(async () => {
  plane = await startTestControlPlane();
  for (const name of ["customer-a", "customer-b"]) await createNamespace(plane.client(), name);
}, 60_000);
afterAll(async () => plane[Symbol.asyncDispose]());

interface Policy extends KubernetesObject {
  readonly spec: unknown;
}

const inNamespace = (name: string) => listed<Policy>(plane.client(), networkPolicies, name);

/** Leads until it is disposed of, with AtSigns in these namespaces. */
function start(namespaces: Set<string>, client = plane.client()) {
  const stop = new AbortController();
  const term: Term = { signal: stop.signal, over: stop.signal, remainingMs: () => 60_000 };
  const policies = new TenantNetworkPolicies({
    client,
    spec,
    namespaces: () => namespaces,
    log: logger({ name: "test", level: "fatal" }),
  });
  const led = policies.lead(term);
  return {
    policies,
    term,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await led;
      await policies[Symbol.asyncDispose]();
    },
  };
}

async function until<T>(look: () => Promise<T | undefined>): Promise<T> {
  const deadline = AbortSignal.timeout(10_000);
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    deadline.throwIfAborted();
    await delay(20);
  }
}

test("each namespace with AtSigns gets the policy as it is, and a namespace without loses it", async () => {
  const namespaces = new Set(["customer-a"]);
  await using running = start(namespaces);
  const [policy] = await until(async () => nonEmpty(await inNamespace("customer-a")));
  expect(policy?.metadata.name).toBe("atrium-atservers");
  expect(policy?.spec).toEqual(spec);
  expect(await inNamespace("customer-b")).toEqual([]);

  namespaces.delete("customer-a");
  namespaces.add("customer-b");
  for (const name of ["customer-a", "customer-b"]) running.policies.changed(name);
  await until(async () => nonEmpty(await inNamespace("customer-b")));
  await until(async () => ((await inNamespace("customer-a")).length === 0 ? true : undefined));
});

test("who edits or deletes it finds it again as it was", async () => {
  await using _running = start(new Set(["customer-a"]));
  const [policy] = await until(async () => nonEmpty(await inNamespace("customer-a")));
  const path = pathOf(networkPolicies, { namespace: "customer-a", name: policy?.metadata.name ?? "" });
  const body = { spec: { ingress: [{}] } };
  await plane.client().request({ method: "PATCH", path, body, contentType: "application/merge-patch+json" });
  await until(async () => {
    const [now] = await inNamespace("customer-a");
    return JSON.stringify(now?.spec) === JSON.stringify(policy?.spec) ? now : undefined;
  });
  await plane.client().request({ method: "DELETE", path });
  const again = await until(async () => nonEmpty(await inNamespace("customer-a")));
  expect(again[0]?.spec).toEqual(spec);
});

test("nothing is written where it is right already, at a start and before a pod", async () => {
  {
    await using _first = start(new Set(["customer-a"]));
    await until(async () => nonEmpty(await inNamespace("customer-a")));
  }
  const requests: string[] = [];
  const client = plane.client();
  const counted = {
    request: (parts: RequestParts) => {
      requests.push(parts.method);
      return client.request(parts);
    },
    stream: client.stream.bind(client),
  };
  await using running = start(new Set(["customer-a"]), counted as ApiClient);
  await running.policies.synced;
  await running.policies.ensure("customer-a", running.term);
  // What the leader had to look at was looked at before this one is.
  running.policies.changed("customer-b");
  await until(async () => ((await inNamespace("customer-b")).length === 0 ? true : undefined));
  expect(requests.filter((method) => method === "PATCH")).toEqual([]);
});

test("a policy of that name that somebody else made stays in a namespace without AtSigns", async () => {
  const theirs = {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: { name: "atrium-atservers", namespace: "customer-b", labels: {} },
    spec: { podSelector: {}, policyTypes: ["Ingress"] },
  };
  for (const policy of await inNamespace("customer-b")) {
    const name = policy.metadata.name;
    await plane
      .client()
      .request({ method: "DELETE", path: pathOf(networkPolicies, { namespace: "customer-b", name }) });
  }
  const path = pathOf(networkPolicies, { namespace: "customer-b" });
  await plane.client().request({ method: "POST", path, body: theirs });
  await using running = start(new Set(["customer-a"]));
  await until(async () => nonEmpty(await inNamespace("customer-a")));
  running.policies.changed("customer-b");
  await running.policies.ensure("customer-a", running.term);
  expect(await inNamespace("customer-b")).toHaveLength(1);
});

function nonEmpty<T>(list: readonly T[]): readonly T[] | undefined {
  return list.length > 0 ? list : undefined;
}
