import { leastValues } from "./helm.ts";

/** Installations as there may be, for what must hold for all of them. */
export const valueSets: Readonly<Record<string, object>> = {
  "the zone alone": leastValues,
  "everything switched on": {
    ...leastValues,
    platformId: "6f1c",
    cell: "eu1",
    images: { registry: "registry.example.org/atrium", digests: { gateway: `sha256:${"0a".repeat(32)}` } },
    imagePullSecrets: [{ name: "registry" }],
    operator: { privateAddresses: ["10.20.0.0/16", "fd00:20::/64"] },
    gateway: {
      proxyProtocolFrom: ["10.0.0.0/8", "fd00::/8"],
      service: { annotations: { "example.org/lb": "internal" }, loadBalancerSourceRanges: ["203.0.113.0/24"] },
    },
    directory: {
      hosts: ["directory.example.org"],
      tlsSecret: "directory-public",
      upstream: "root.atsign.org:64",
      upstreamCa: { secret: "upstream-ca", key: "bundle.pem" },
      cells: ["eu1", "us1"],
    },
    networkPolicy: { clusterNetworks: ["203.0.113.0/24", "2a00:1:2::/48"] },
    serviceMonitor: { enabled: true, labels: { release: "prometheus" } },
    tracing: { otlpEndpoint: "http://collector.tracing.svc:4318" },
  },
  "a Redis of one's own": {
    ...leastValues,
    redis: {
      externalUrl: "rediss://redis.example.org:6380",
      passwordSecret: { name: "redis-account", key: "secret" },
      ca: { secret: "redis-ca", key: "ca.pem" },
    },
  },
  "a small machine": {
    ...leastValues,
    operator: { replicas: 1 },
    gateway: { replicas: 1, port: 6464, service: { type: "NodePort", nodePort: 30443 } },
    directory: { replicas: 1, service: { type: "ClusterIP", externalIPs: ["192.0.2.10"] } },
    networkPolicy: { enabled: false },
    priorityClasses: { create: false },
  },
  "traces to a public address": { ...leastValues, tracing: { otlpEndpoint: "https://otlp.example.com" } },
};
