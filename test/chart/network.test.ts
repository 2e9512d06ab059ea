import { describe, expect, test } from "@jest/globals";
import { type KubernetesObject, leastValues, releaseNamespace, render } from "./helm.ts";
import { mayConnect, type Party, type Policy, type Service } from "./network.ts";
import { valueSets } from "./value-sets.ts";

const tcp = (...ports: readonly number[]): readonly Service[] => ports.map((port) => ({ protocol: "TCP", port }));

/** Everybody there is, with everything that they listen on. */
interface World {
  readonly [name: string]: Party & { readonly listens?: readonly Service[] };
}

/** A pod of the platform has the labels that its Deployment gives it. */
function worldOf(objects: readonly KubernetesObject[]): World {
  const part = (component: string, address: string): Party => {
    const templates = objects.map((object) => object.spec?.template ?? object).map(({ metadata }) => metadata);
    const labels = templates
      .map((metadata) => metadata?.labels ?? {})
      .find(
        (each) => each["app.kubernetes.io/component"] === component && each["app.kubernetes.io/version"] === undefined,
      );
    if (labels === undefined) throw new Error(`there are no pods of ${component}`);
    return { address, pod: { namespace: releaseNamespace, labels } };
  };
  const pod = (namespace: string, address: string, labels = {}): Party => ({ address, pod: { namespace, labels } });
  const atServer = (name: string, namespace: string, address: string) => ({
    ...pod(namespace, address, { "atrium.dev/atsign": name }),
    listens: tcp(6464, 9464),
  });
  return {
    operator: { ...part("operator", "10.1.0.1"), listens: tcp(8443, 8444, 9464) },
    gateway: { ...part("gateway", "10.1.0.2"), listens: tcp(6464, 6465, 9464) },
    directory: { ...part("directory", "10.1.0.3"), listens: tcp(6400, 8443, 9464) },
    ...(objects.some(({ kind }) => kind === "StatefulSet") && {
      redis: { ...part("redis", "10.1.0.4"), listens: tcp(6379) },
    }),
    alice: atServer("alice", "customer-a", "10.1.1.1"),
    bob: atServer("bob", "customer-a", "10.1.1.2"),
    carol: atServer("carol", "customer-b", "10.1.2.1"),
    "another pod of customer-a": { ...pod("customer-a", "10.1.1.3"), listens: tcp(80) },
    "another pod of atrium-system": { ...pod(releaseNamespace, "10.1.0.5"), listens: tcp(80) },
    DNS: { ...pod("kube-system", "10.1.3.1", { "k8s-app": "kube-dns" }), listens: [{ protocol: "UDP", port: 53 }] },
    Prometheus: pod("monitoring", "10.1.4.1"),
    collector: { ...pod("tracing", "10.1.4.2"), listens: tcp(4318) },
    "API server": { address: "10.0.0.1", listens: tcp(443, 6443) },
    kubelet: { address: "10.0.0.2", listens: tcp(10_250) },
    "metadata of the cloud": { address: "169.254.169.254", listens: tcp(80) },
    "host of the company": { address: "10.20.1.1", listens: tcp(443, 5432) },
    "public node of the cluster": { address: "203.0.113.7", listens: tcp(443) },
    Internet: { address: "198.51.100.7", listens: tcp(64, 443, 6380) },
    "Internet (IPv6)": { address: "2a00:9::7", listens: tcp(64, 443) },
    "neighbour (IPv6)": { address: "fd00:20::7", listens: tcp(443) },
  };
}

/** The chart's policies, and the operator's: one in every namespace with AtSigns. */
function policiesOf(objects: readonly KubernetesObject[]): readonly Policy[] {
  const own = objects
    .filter(({ kind }) => kind === "NetworkPolicy")
    .map(({ spec }) => ({ namespace: releaseNamespace, spec }));
  const tenants = objects
    .filter(({ metadata }) => metadata.name === "atrium-tenant-network-policy")
    .map(({ data }) => JSON.parse(data["spec.json"]))
    .flatMap((spec) => ["customer-a", "customer-b"].map((namespace) => ({ namespace, spec })));
  return [...own, ...tenants];
}

/** What each may connect to, of all connections that begin or end at a part of Atrium or an atServer. */
async function allowed(values: object): Promise<Record<string, readonly string[]>> {
  const objects = await render(values);
  const world = worldOf(objects);
  const policies = policiesOf(objects);
  const ours = (party: Party) => party.pod?.namespace === releaseNamespace || party.pod?.labels["atrium.dev/atsign"];
  const reached = (caller: string, from: Party) =>
    Object.entries(world)
      .filter(([called, to]) => called !== caller && (ours(from) || ours(to)))
      .flatMap(([called, to]) =>
        (to.listens ?? [])
          .filter((service) => mayConnect(policies, from, to, service))
          .map(({ port }) => `${called}:${port}`),
      );
  return Object.fromEntries(Object.entries(world).map(([caller, from]) => [caller, reached(caller, from)]));
}

/** What is for the world, whoever calls: their certificates and their limits are their guards. */
const theWorld = ["gateway:6464", "directory:6400"];
const anyHttps = [
  "API server:443",
  "API server:6443",
  "host of the company:443",
  "public node of the cluster:443",
  "Internet:443",
  "Internet (IPv6):443",
  "neighbour (IPv6):443",
];
const internet = ["Internet:64", "Internet:443", "Internet:6380", "Internet (IPv6):64", "Internet (IPv6):443"];
const platform = ["operator:8443", "gateway:6465", "directory:6400", "DNS:53"];

describe("who may connect to whom", () => {
  test("with the zone alone", async () => {
    const atServer = [...platform, "public node of the cluster:443", ...internet];
    expect(await allowed(leastValues)).toEqual({
      operator: ["directory:8443", "DNS:53", ...anyHttps],
      gateway: ["operator:8444", "alice:6464", "bob:6464", "carol:6464", "DNS:53"],
      directory: ["redis:6379", "DNS:53"],
      redis: [],
      alice: atServer,
      bob: atServer,
      carol: atServer,
      "another pod of customer-a": theWorld,
      "another pod of atrium-system": [],
      DNS: theWorld,
      Prometheus: theWorld,
      collector: theWorld,
      "API server": theWorld,
      kubelet: theWorld,
      "metadata of the cloud": theWorld,
      "host of the company": theWorld,
      "public node of the cluster": theWorld,
      Internet: theWorld,
      "Internet (IPv6)": theWorld,
      "neighbour (IPv6)": theWorld,
    });
  });

  test("with metrics, traces, an upstream, private networks that atServers may dial, and public ones that they may not", async () => {
    const atServer = [
      ...platform,
      ...["collector:4318", "host of the company:443", "host of the company:5432"],
      ...[...internet, "neighbour (IPv6):443"],
    ];
    const {
      operator,
      gateway,
      directory,
      redis,
      alice,
      carol,
      Prometheus,
      "another pod of customer-a": neighbour,
    } = await allowed(valueSets["everything switched on"] ?? {});
    expect({ operator, gateway, directory, redis, alice, carol, Prometheus, neighbour }).toEqual({
      operator: ["directory:8443", "DNS:53", "collector:4318", ...anyHttps],
      gateway: ["operator:8444", "alice:6464", "bob:6464", "carol:6464", "DNS:53", "collector:4318"],
      directory: ["redis:6379", "DNS:53", "collector:4318", "Internet:64", "Internet (IPv6):64"],
      redis: [],
      alice: atServer,
      carol: atServer,
      Prometheus: [
        ...["operator:9464", "gateway:6464", "gateway:9464", "directory:6400", "directory:9464"],
        ...["alice:9464", "bob:9464", "carol:9464"],
      ],
      neighbour: theWorld,
    });
  });

  test("with a Redis elsewhere the directory alone reaches it", async () => {
    const { operator, gateway, directory } = await allowed(valueSets["a Redis of one's own"] ?? {});
    expect(directory).toEqual(["DNS:53", "Internet:6380"]);
    expect([...(operator ?? []), ...(gateway ?? [])]).not.toContain("Internet:6380");
  });

  test("without network policies nothing is kept from anybody, and the operator is given none", async () => {
    const objects = await render(valueSets["a small machine"] ?? {});
    expect(policiesOf(objects)).toEqual([]);
    expect(JSON.stringify(objects)).not.toContain("OPERATOR_TENANT_NETWORK_POLICY");
  });
});
