import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type ApiServer, startApiServer } from "./api-server.ts";
import { leastValues, render, template } from "./helm.ts";
import { valueSets } from "./value-sets.ts";

let server: ApiServer;

beforeAll(async () => {
  server = await startApiServer();
  await server.runWell("kubectl", ["apply", "-f", "-"], JSON.stringify(serviceMonitors));
  const established = ["wait", "--for=condition=Established", "crd/servicemonitors.monitoring.coreos.com"];
  await server.runWell("kubectl", [...established, "--timeout=20s"]);
});
afterAll(async () => server[Symbol.asyncDispose]());

describe("the API server takes the chart, and warns of nothing", () => {
  test.each(Object.entries(valueSets))("%s", async (_name, values) => {
    const { output: manifests } = await template(values);
    const { code, output, errors } = await server.run("kubectl", ["apply", "--dry-run=server", "-f", "-"], manifests);
    // Where a field is unknown, or a pod is not restricted, it says so here.
    expect(errors).toBe("");
    expect(code).toBe(0);
    expect(output).toMatch(/deployment.apps\/atrium-gateway created \(server dry run\)/);
  });
});

describe("the policy of tenants is one, and the API server adds nothing to it that the operator would see as a change", () => {
  test.each(Object.entries(valueSets))("%s", async (_name, values) => {
    const objects = await render(values);
    const specs = objects.flatMap(({ data }) =>
      data?.["spec.json"] === undefined ? [] : [JSON.parse(data["spec.json"])],
    );
    for (const spec of specs) {
      const policy = { apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy", metadata: { name: "tenant" }, spec };
      const args = ["create", "--dry-run=server", "-o", "json", "-f", "-"];
      const taken = await server.runWell("kubectl", args, JSON.stringify(policy));
      expect(JSON.parse(taken).spec).toEqual(spec);
    }
    expect(specs).toHaveLength(values === valueSets["a small machine"] ? 0 : 1);
  });
});

test("a pod that is not restricted would have been noticed", async () => {
  const { output: manifests } = await template(leastValues);
  const less = manifests.replaceAll("allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true");
  const { errors } = await server.run("kubectl", ["apply", "--dry-run=server", "-f", "-"], less);
  expect(errors).toMatch(/would violate PodSecurity "restricted:latest": allowPrivilegeEscalation/);
});

describe("a release", () => {
  const secret = (key: string) =>
    server.runWell("kubectl", ["get", "secret", "atrium-redis", "-o", `jsonpath={.data.${key}}`]);
  const manifest = () => server.runWell("helm", ["get", "manifest", "atrium"]);

  test("is installed with the zone alone, and says what to do next", async () => {
    const said = await server.helm("install", leastValues);
    expect(said).toContain("STATUS: deployed");
    expect(said).toContain("*.at.example.org  ->  atrium-gateway, port 443");
  });

  test("keeps the password of Redis over an upgrade, which changes nothing when no value did", async () => {
    const before = { password: await secret("password"), manifest: await manifest() };
    expect(Buffer.from(before.password, "base64").toString()).toMatch(/^[A-Za-z0-9]{48}$/);
    await server.helm("upgrade", leastValues);
    expect(await secret("password")).toBe(before.password);
    expect(await manifest()).toBe(before.manifest);
  });

  test("can have its values changed by an upgrade", async () => {
    for (const name of ["everything switched on", "a small machine", "the zone alone"]) {
      await server.helm("upgrade", valueSets[name] ?? {});
    }
    expect(await server.runWell("helm", ["history", "atrium", "-o", "json"])).not.toContain("failed");
  });

  test("is uninstalled without the definitions, and so without AtSigns", async () => {
    const alice = {
      apiVersion: "atrium.dev/v1alpha1",
      kind: "AtSign",
      metadata: { name: "alice", namespace: "default" },
      spec: { atSign: "@alice" },
    };
    const manifests = JSON.stringify(alice);
    await server.runWell("kubectl", ["create", "-n", "default", "-f", "-"], manifests);
    await server.runWell("helm", ["uninstall", "atrium"]);
    const left = await server.runWell("kubectl", ["get", "atsigns", "-A", "-o", "name"]);
    expect(left).toBe("atsign.atrium.dev/alice\n");
    const ours = "deployments,statefulsets,services,serviceaccounts,secrets,networkpolicies";
    const selected = ["-l", "app.kubernetes.io/instance=atrium"];
    expect(await server.runWell("kubectl", ["get", ours, ...selected, "-o", "name"])).toBe("");
    const cluster = "clusterroles,clusterrolebindings,priorityclasses,validatingadmissionpolicies";
    const names = await server.runWell("kubectl", ["get", cluster, "-o", "name"]);
    expect(names).not.toContain("atrium");
  });

  test("is installed again, and takes over the definitions that were kept", async () => {
    await server.helm("install", leastValues);
    const left = await server.runWell("kubectl", ["get", "atsigns", "-A", "-o", "name"]);
    expect(left).toBe("atsign.atrium.dev/alice\n");
  });
});

/** As much of the Prometheus operator's definition as the API server needs to know the kind. */
const serviceMonitors = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "servicemonitors.monitoring.coreos.com" },
  spec: {
    group: "monitoring.coreos.com",
    scope: "Namespaced",
    names: { kind: "ServiceMonitor", plural: "servicemonitors", singular: "servicemonitor" },
    versions: [
      {
        name: "v1",
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
      },
    ],
  },
};
