import {
  address,
  integer,
  oneOf,
  optionalText,
  readSettings,
  type Setting,
  setting,
  text,
} from "@atrium/runtime/config.ts";
import { logLevels } from "@atrium/runtime/log.ts";

const settings = {
  zone: setting("OPERATOR_ZONE", dnsName),
  /** without it the one that is kept with the platform's CA */
  platformId: optionalText("OPERATOR_PLATFORM_ID"),
  cell: text("OPERATOR_CELL", { fallback: "main" }),
  /** of the release */
  namespace: text("OPERATOR_NAMESPACE"),
  podName: text("OPERATOR_POD_NAME"),
  /** what the directory gives out for every Atsign */
  gatewayPort: integer("OPERATOR_GATEWAY_PORT", { min: 1, max: 65_535, fallback: 443 }),
  /** the in-cluster listener of the gateways, for atServers */
  internalGateway: address("OPERATOR_INTERNAL_GATEWAY"),
  /** the directory's admin interface */
  directory: address("OPERATOR_DIRECTORY"),
  /** names of the public directory, for its certificate */
  directoryHosts: setting("OPERATOR_DIRECTORY_HOSTS", dnsNames, { fallback: [] }),
  /** where atServers ask for others */
  atServerDirectory: address("OPERATOR_ATSERVER_DIRECTORY"),
  /** of classes that have none of their own */
  atServerImage: text("OPERATOR_ATSERVER_IMAGE"),
  /** networks that atServers may dial although they are private; the atServer checks the form */
  privateAddresses: optionalText("OPERATOR_PRIVATE_ADDRESSES"),
  /** PriorityClass of the pods of atServers */
  atServerPriorityClass: optionalText("OPERATOR_ATSERVER_PRIORITY_CLASS"),
  /** where all services send their traces, atServers too */
  otlpEndpoint: optionalText("OTEL_EXPORTER_OTLP_ENDPOINT"),
  /** file with the spec of the NetworkPolicy of namespaces that have AtSigns */
  tenantNetworkPolicy: optionalText("OPERATOR_TENANT_NETWORK_POLICY"),
  /** how long the deletion of an AtSign may wait for its pod, its data and the directory */
  deletionMs: integer("OPERATOR_DELETION_MS", { min: 1_000, max: 86_400_000, fallback: 300_000 }),
  /** how often names are looked for in the directory that belong to nothing here any more */
  sweepMs: integer("OPERATOR_SWEEP_MS", { min: 100, max: 86_400_000, fallback: 600_000 }),
  /** where atServers find the identity service */
  identityUrl: setting("OPERATOR_IDENTITY_URL", httpsUrl),
  identityListen: address("OPERATOR_IDENTITY_LISTEN", { fallback: { host: "0.0.0.0", port: 8443 } }),
  routesListen: address("OPERATOR_ROUTES_LISTEN", { fallback: { host: "0.0.0.0", port: 8444 } }),
  healthListen: address("OPERATOR_HEALTH_LISTEN", { fallback: { host: "0.0.0.0", port: 9464 } }),
  /** of an operator that runs outside of its cluster; without it the pod's service account */
  kubeconfig: optionalText("KUBECONFIG"),
  kubernetesHost: optionalText("KUBERNETES_SERVICE_HOST"),
  kubernetesPort: text("KUBERNETES_SERVICE_PORT", { fallback: "443" }),
  logLevel: oneOf("OPERATOR_LOG_LEVEL", logLevels, { fallback: "info" }),
} satisfies Record<string, Setting<unknown>>;

export type Config = ReturnType<typeof readConfig>;

/** @throws {SettingsError} with every fault */
export function readConfig(environment: Readonly<Record<string, string | undefined>>) {
  return readSettings(settings, environment);
}

function dnsName(value: string): string {
  if (/^(?=.{1,200}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(value)) {
    return value;
  }
  throw new Error("must be a DNS name in lower case");
}

function dnsNames(value: string): readonly string[] {
  return value.split(",").map((name) => dnsName(name.trim()));
}

function httpsUrl(value: string): string {
  const url = URL.parse(value);
  if (url?.protocol !== "https:") throw new Error("must be https://HOST:PORT");
  return value;
}
