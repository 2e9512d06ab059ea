import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "@jest/globals";
import { type KubernetesObject, leastValues, render } from "./helm.ts";
import { valueSets } from "./value-sets.ts";

/** What each value of the chart changes in what is installed. That the parts then do it is shown by their own tests. */

const root = fileURLToPath(new URL("../..", import.meta.url));
const parts = ["operator", "gateway", "directory"] as const;
type Part = (typeof parts)[number];

interface EnvironmentEntry {
  readonly name: string;
  readonly value?: string;
}

const installations = new Map<string, readonly KubernetesObject[]>();
beforeAll(async () => {
  for (const [name, values] of Object.entries(valueSets)) installations.set(name, await render(values));
}, 60_000);

function installed(name: string): readonly KubernetesObject[] {
  const objects = installations.get(name);
  if (objects === undefined) throw new Error(`there is no set of values ${name}`);
  return objects;
}

function only(objects: readonly KubernetesObject[], kind: string, name: string): KubernetesObject {
  const [found, another] = objects.filter((each) => each.kind === kind && each.metadata.name === name);
  if (found === undefined || another !== undefined) throw new Error(`not exactly one ${kind} ${name}`);
  return found;
}

const deployment = (objects: readonly KubernetesObject[], part: Part) => only(objects, "Deployment", `atrium-${part}`);
const podSpec = (objects: readonly KubernetesObject[], part: Part) => deployment(objects, part).spec.template.spec;

function environment(objects: readonly KubernetesObject[], part: Part): Readonly<Record<string, string | undefined>> {
  const entries: readonly EnvironmentEntry[] = podSpec(objects, part).containers[0].env;
  return Object.fromEntries(entries.map(({ name, value }) => [name, value]));
}

/** Pods of all kinds, by what makes them. */
function podSpecs(objects: readonly KubernetesObject[]): readonly (readonly [string, Record<string, unknown>])[] {
  return objects.flatMap(({ kind, metadata, spec }) => {
    if (kind === "Pod") return [[`${kind} ${metadata.name}`, spec] as const];
    return spec?.template?.spec === undefined ? [] : [[`${kind} ${metadata.name}`, spec.template.spec] as const];
  });
}

const all = "everything switched on";
const least = "the zone alone";

describe("the environment of", () => {
  test.each(parts)("%s has settings that the program reads, and none twice", (part) => {
    const read = readFileSync(join(root, part, "src/config.ts"), "utf8");
    const exporter = readFileSync(join(root, "runtime/src/tracing-export.ts"), "utf8");
    for (const [, objects] of installations) {
      const names = podSpec(objects, part).containers[0].env.map(({ name }: EnvironmentEntry) => name);
      expect(names).toEqual([...new Set(names)]);
      expect(names.filter((name: string) => !`${read}${exporter}`.includes(name))).toEqual([]);
    }
  });

  test.each<readonly [Part, Readonly<Record<string, string>>]>([
    [
      "operator",
      {
        OPERATOR_PLATFORM_ID: "6f1c",
        OPERATOR_CELL: "eu1",
        OPERATOR_ATSERVER_IMAGE: "registry.example.org/atrium/atrium-atserver:0.1.0",
        OPERATOR_ATSERVER_PRIORITY_CLASS: "atrium-atserver",
        OPERATOR_DIRECTORY_HOSTS: "directory.example.org,atrium-directory.atrium-system.svc",
        OPERATOR_PRIVATE_ADDRESSES: "10.20.0.0/16,fd00:20::/64",
        OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector.tracing.svc:4318",
        OTEL_SERVICE_NAME: "atrium-operator",
      },
    ],
    [
      "gateway",
      {
        GATEWAY_PROXY_PROTOCOL_FROM: "10.0.0.0/8,fd00::/8",
        OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector.tracing.svc:4318",
        OTEL_SERVICE_NAME: "atrium-gateway",
      },
    ],
    [
      "directory",
      {
        DIRECTORY_CELLS: "eu1,us1",
        DIRECTORY_UPSTREAM: "root.atsign.org:64",
        DIRECTORY_UPSTREAM_CA: "/etc/atrium/upstream-ca/ca.crt",
        DIRECTORY_NAMED_TLS: "/etc/atrium/named-tls",
        OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector.tracing.svc:4318",
        OTEL_SERVICE_NAME: "atrium-directory",
      },
    ],
  ])("%s says what was switched on", (part, wanted) => {
    expect(environment(installed(all), part)).toMatchObject(wanted);
  });

  test.each(parts)("%s says nothing of what was not", (part) => {
    const names = Object.keys(environment(installed(least), part));
    const optional = /^OTEL_|PLATFORM_ID|PRIVATE_ADDRESSES|PROXY_PROTOCOL|UPSTREAM|NAMED_TLS|REDIS_CA/;
    expect(names.filter((name) => optional.test(name))).toEqual([]);
  });
});

describe("files", () => {
  test.each(Object.keys(valueSets))("that containers mount are of volumes that there are, with %s", (name) => {
    for (const [pod, spec] of podSpecs(installed(name))) {
      const { containers, volumes = [] } = spec as {
        readonly containers: readonly { readonly volumeMounts?: readonly { readonly name: string }[] }[];
        readonly volumes?: readonly { readonly name: string }[];
      };
      const mounted = containers.flatMap(({ volumeMounts = [] }) => volumeMounts.map((mount) => mount.name));
      const there = [...volumes.map((volume) => volume.name), ...(pod.startsWith("StatefulSet") ? ["data"] : [])];
      expect([pod, mounted.sort()]).toEqual([pod, there.sort()]);
    }
  });

  const volume = (name: string, of: string) =>
    podSpec(installed(of), "directory").volumes.find((each: { name: string }) => each.name === name)?.secret;

  test("a certificate of one's own comes as the directory reads it", () => {
    expect(volume("named-tls", all)).toEqual({
      secretName: "directory-public",
      items: [
        { key: "tls.crt", path: "certificate.pem" },
        { key: "tls.key", path: "key.pem" },
      ],
    });
  });

  test("the CA of the upstream directory is the key that was named", () => {
    expect(volume("upstream-ca", all)).toEqual({
      secretName: "upstream-ca",
      items: [{ key: "bundle.pem", path: "ca.crt" }],
    });
  });

  test("an external Redis is dialled with its own password and CA, and there is no built-in one", () => {
    const objects = installed("a Redis of one's own");
    expect(environment(objects, "directory")).toMatchObject({
      DIRECTORY_REGISTRY: "rediss://redis.example.org:6380",
      DIRECTORY_REDIS_PASSWORD_FILE: "/etc/atrium/redis/password",
      DIRECTORY_REDIS_CA: "/etc/atrium/redis-ca/ca.crt",
    });
    const own = "a Redis of one's own";
    expect(volume("redis", own)).toEqual({ secretName: "redis-account", items: [{ key: "secret", path: "password" }] });
    expect(volume("redis-ca", own)).toEqual({ secretName: "redis-ca", items: [{ key: "ca.pem", path: "ca.crt" }] });
    const named = objects.filter(({ metadata }) => metadata.name.startsWith("atrium-redis"));
    expect(named.map(({ kind }) => kind)).toEqual([]);
    const builtIn = installed(least).filter(({ metadata }) => metadata.name.startsWith("atrium-redis"));
    expect(builtIn.map(({ kind }) => kind)).toEqual(expect.arrayContaining(["StatefulSet", "Service", "Secret"]));
  });
});

describe("pods", () => {
  test("are pulled with the Secrets that were named, all of them", () => {
    const secrets = podSpecs(installed(all)).map(([pod, spec]) => [pod, spec.imagePullSecrets]);
    expect(secrets).toHaveLength(5);
    for (const [pod, named] of secrets) expect([pod, named]).toEqual([pod, [{ name: "registry" }]]);
  });

  test("have the digest that was given instead of the tag", () => {
    const image = (part: Part) => podSpec(installed(all), part).containers[0].image;
    expect(image("gateway")).toBe(`registry.example.org/atrium/atrium-gateway@sha256:${"0a".repeat(32)}`);
    expect(image("directory")).toBe("registry.example.org/atrium/atrium-directory:0.1.0");
  });

  test("of the platform go before atServers, unless somebody else sees to that", () => {
    const classOf = (name: string) => parts.map((part) => podSpec(installed(name), part).priorityClassName);
    expect(classOf(least)).toEqual(parts.map(() => "atrium-platform"));
    const value = (name: string): number => only(installed(least), "PriorityClass", name).value;
    expect(value("atrium-platform")).toBeGreaterThan(value("atrium-atserver"));

    expect(classOf("a small machine")).toEqual(parts.map(() => undefined));
    expect(installed("a small machine").map(({ kind }) => kind)).not.toContain("PriorityClass");
    expect(environment(installed("a small machine"), "operator").OPERATOR_ATSERVER_PRIORITY_CLASS).toBeUndefined();
  });

  test.each(parts)("of %s are spread over nodes and zones, and disrupted one at a time", (part) => {
    const { template, selector } = deployment(installed(least), part).spec;
    expect(template.metadata.labels).toEqual(selector.matchLabels);
    const spread: readonly { readonly topologyKey: string; readonly labelSelector: object }[] =
      template.spec.topologySpreadConstraints;
    expect(spread.map(({ topologyKey }) => topologyKey)).toEqual([
      "kubernetes.io/hostname",
      "topology.kubernetes.io/zone",
    ]);
    for (const { labelSelector } of spread) expect(labelSelector).toEqual(selector);
    const { spec: budget } = only(installed(least), "PodDisruptionBudget", `atrium-${part}`);
    expect(budget).toEqual({ maxUnavailable: 1, unhealthyPodEvictionPolicy: "AlwaysAllow", selector });
  });
});

describe("Services", () => {
  test.each(Object.keys(valueSets))("lead to ports of pods that there are, with %s", (name) => {
    const objects = installed(name);
    const pods = objects.flatMap(({ spec }) => (spec?.template === undefined ? [] : [spec.template]));
    for (const { metadata, spec } of objects.filter(({ kind }) => kind === "Service")) {
      const wanted = Object.entries(spec.selector);
      const selected = pods.filter((pod) => wanted.every(([label, value]) => pod.metadata.labels[label] === value));
      const ports = selected.flatMap((pod) => pod.spec.containers[0].ports.map((port: { name: string }) => port.name));
      const targets = spec.ports.map(({ targetPort }: { targetPort: string }) => targetPort);
      expect([metadata.name, targets.filter((target: string) => !ports.includes(target))]).toEqual([metadata.name, []]);
    }
  });

  test("are as the values say", () => {
    const service = (name: string, of: string) => only(installed(of), "Service", name);
    expect(service("atrium-gateway", all).metadata.annotations).toEqual({ "example.org/lb": "internal" });
    expect(service("atrium-gateway", all).spec).toMatchObject({
      type: "LoadBalancer",
      externalTrafficPolicy: "Local",
      loadBalancerSourceRanges: ["203.0.113.0/24"],
    });
    const small = "a small machine";
    expect(service("atrium-gateway", small).spec).toMatchObject({
      type: "NodePort",
      ports: [{ port: 6464, nodePort: 30_443 }],
    });
    expect(environment(installed(small), "operator").OPERATOR_GATEWAY_PORT).toBe("6464");
    expect(service("atrium-directory", small).spec).toMatchObject({ type: "ClusterIP", externalIPs: ["192.0.2.10"] });
  });
});

describe("a ServiceMonitor", () => {
  test("reads the metrics of every part, through a Service that selects them", () => {
    const objects = installed(all);
    const { metadata, spec } = only(objects, "ServiceMonitor", "atrium");
    expect(metadata.labels).toMatchObject({ release: "prometheus" });
    const services = objects.filter(
      ({ kind, metadata: { labels = {} } }) =>
        kind === "Service" &&
        Object.entries(spec.selector.matchLabels).every(([label, value]) => labels[label] === value),
    );
    expect(services.map((service) => service.metadata.name)).toEqual(["atrium-metrics"]);
    const [service] = services;
    const [{ port, interval }] = spec.endpoints;
    expect(interval).toBe("30s");
    expect(service?.spec.ports).toEqual([expect.objectContaining({ name: port, targetPort: "health" })]);
    for (const part of parts) {
      const { metadata: pod, spec: does } = deployment(objects, part).spec.template;
      expect(pod.labels).toMatchObject(service?.spec.selector);
      expect(does.containers[0].ports).toContainEqual({ name: "health", containerPort: 9464 });
    }
  });

  test("is not there unless it was asked for", () => {
    expect(installed(least).map(({ kind }) => kind)).not.toContain("ServiceMonitor");
  });
});

test("the rights of tenants' editors are added to Kubernetes' own roles, unless that is switched off", async () => {
  const added = (objects: readonly KubernetesObject[]) =>
    ["edit", "view"].map((what) => {
      const { metadata } = only(objects, "ClusterRole", `atrium-atsigns-${what}`);
      return metadata.labels?.[`rbac.authorization.k8s.io/aggregate-to-${what}`];
    });
  expect(added(installed(least))).toEqual(["true", "true"]);
  const without = await render({ ...leastValues, tenantRoles: { aggregate: false } });
  expect(added(without)).toEqual([undefined, undefined]);
});
