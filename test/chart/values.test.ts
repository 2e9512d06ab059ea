import { describe, expect, test } from "@jest/globals";
import { leastValues, template } from "./helm.ts";
import { valueSets } from "./value-sets.ts";

test.each(Object.entries(valueSets))("helm lint has nothing against %s", async (_name, values) => {
  const { code, output } = await template(values, "lint");
  expect(output).not.toMatch(/\[(?:WARNING|ERROR)\]/);
  expect(code).toBe(0);
});

test("the zone must be given", async () => {
  const { code, errors } = await template({});
  expect(code).toBe(1);
  expect(errors).toContain("missing property 'zone'");
});

describe("refused values, and the words for it", () => {
  test.each<readonly [object, string]>([
    [{ zone: "At.Example.org" }, "at '/zone': 'At.Example.org' does not match pattern"],
    [{ zone: "localhost" }, "at '/zone': 'localhost' does not match pattern"],
    [{ gatway: {} }, "additional properties 'gatway' not allowed"],
    [{ gateway: { replica: 3 } }, "at '/gateway': additional properties 'replica' not allowed"],
    [{ gateway: { service: { port: 443 } } }, "at '/gateway/service': additional properties 'port' not allowed"],
    [{ gateway: { port: 70_000 } }, "at '/gateway/port': maximum: got 70,000, want 65,535"],
    [{ gateway: { port: "443" } }, "at '/gateway/port': got string, want integer"],
    [
      { gateway: { service: { type: "Loadbalancer" } } },
      "value must be one of 'LoadBalancer', 'NodePort', 'ClusterIP'",
    ],
    [{ gateway: { proxyProtocolFrom: ["10.0.0.1"] } }, "at '/gateway/proxyProtocolFrom/0': '10.0.0.1' does not match"],
    [{ operator: { replicas: 0 } }, "at '/operator/replicas': minimum: got 0, want 1"],
    [{ operator: { privateAddresses: "10.0.0.0/8" } }, "at '/operator/privateAddresses': got string, want array"],
    [{ directory: { hosts: [] } }, "at '/directory/hosts': minItems: got 0, want 1"],
    [{ directory: { upstream: "root.atsign.org" } }, "at '/directory/upstream': 'root.atsign.org' does not match"],
    [{ images: { digests: { gateway: "latest" } } }, "at '/images/digests/gateway': 'latest' does not match pattern"],
    [{ images: { registry: "registry.example.org/" } }, "at '/images/registry'"],
    [{ imagePullSecrets: ["registry"] }, "at '/imagePullSecrets/0': got string, want object"],
    [{ redis: { externalUrl: "redis://:password@redis:6379" } }, "at '/redis/externalUrl'"],
    [{ redis: { builtIn: { maxMemory: "192Mi" } } }, "at '/redis/builtIn/maxMemory': '192Mi' does not match pattern"],
    [{ tracing: { otlpEndpoint: "collector:4318" } }, "at '/tracing/otlpEndpoint'"],
    [{ serviceMonitor: { from: [{ namespaces: [] }] } }, "additional properties 'namespaces' not allowed"],
    [{ logLevel: "verbose" }, "at '/logLevel': value must be one of"],
    [
      { redis: { externalUrl: "redis://redis:6379" } },
      "redis.passwordSecret.name must be given with redis.externalUrl",
    ],
    [
      { directory: { hosts: ["directory.at.example.org"] } },
      "directory.hosts: directory.at.example.org lies under the zone at.example.org",
    ],
    [{ directory: { tlsSecret: "atrium-directory-tls" } }, "directory.tlsSecret: names that begin with atrium- are"],
  ])("%j", async (values, words) => {
    const { code, errors } = await template({ ...leastValues, ...values });
    expect(errors).toContain(words);
    expect(code).toBe(1);
  });
});
