import { createHash } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type Cluster, nodeAddress } from "./cluster.ts";
import { type PlatformImages, registry } from "./images.ts";
import type { Tools } from "./tools.ts";

const chart = fileURLToPath(new URL("../../helm/atrium", import.meta.url));
export const namespace = "atrium-system";
const release = "atrium";
const deployments = ["atrium-operator", "atrium-directory", "atrium-gateway"] as const;
const readyMs = 180_000;
const addressMs = 60_000;

/** Where an installed platform is reached from this machine. */
export interface InstalledPlatform {
  readonly zone: string;
  /** `address`: where `host` is dialled */
  readonly directory: { readonly host: string; readonly port: number; readonly address: string };
  readonly gateway: { readonly host: string; readonly port: number };
  /** PEM */
  readonly ca: string;
}

interface Options {
  readonly images: PlatformImages;
  readonly zone: string;
  /** of the chart, besides those that a cluster without registry and load balancer needs */
  readonly values?: Readonly<Record<string, unknown>>;
  /** `name=value`, as helm takes it; they come last */
  readonly set?: readonly string[];
  readonly say: (progress: string) => void;
}

const directoryHost = "directory.atrium.internal";
/** As a load balancer would do it: both Services are reached at the address of the node. */
const outside = { service: { type: "ClusterIP", externalIPs: [nodeAddress] } } as const;

/**
 * Installs the chart with the images that the cluster has, or upgrades what is installed.
 *
 * @returns once everything answers
 * @throws {Error} that says what did not become ready, with its events
 */
export async function installPlatform(
  cluster: Cluster,
  { images, zone, values = {}, set = [], say }: Options,
): Promise<InstalledPlatform> {
  const tag = tagImages(cluster, images);
  const all = {
    images: { registry, tag, redis: images.redis.name, pullPolicy: "IfNotPresent" },
    gateway: outside,
    directory: { ...outside, hosts: [directoryHost] },
    ...values,
  };
  return await installChart(cluster, { zone, values: all, set, say });
}

/**
 * Installs the chart, or upgrades what is installed, with images that the cluster can pull.
 *
 * @returns once everything answers
 * @throws {Error} that says what did not become ready, with its events
 */
export async function installChart(
  tools: Tools,
  { zone, values = {}, set = [], say }: Omit<Options, "images">,
): Promise<InstalledPlatform> {
  say("installing the chart …");
  tools.helm(
    ...["upgrade", release, chart, "--install", "--namespace", namespace, "--create-namespace"],
    ...Object.entries({ zone, ...values }).flatMap(([name, value]) => [
      "--set-json",
      `${name}=${JSON.stringify(value)}`,
    ]),
    ...set.flatMap((each) => ["--set", each]),
  );
  for (const name of deployments) await rolledOut(tools, name, say);
  const [directory, gateway] = [await addressOf(tools, "atrium-directory"), await addressOf(tools, "atrium-gateway")];
  return {
    zone,
    directory: { host: directoryHostOf(tools), port: directory.port, address: directory.host },
    gateway,
    ca: await trustBundle(tools),
  };
}

/** The definitions stay, and with them what belongs to tenants. */
export function uninstallChart(tools: Tools): void {
  tools.helm("uninstall", release, "--namespace", namespace, "--wait", "--timeout=120s");
}

/** Under one tag, as a release has it. @returns the tag */
function tagImages(cluster: Cluster, images: PlatformImages): string {
  const ofPlatform = Object.entries(images).filter(([name]) => name.startsWith("atrium-"));
  const hash = createHash("sha256");
  for (const [, { name }] of ofPlatform) hash.update(name);
  const tag = hash.digest("hex").slice(0, 12);
  for (const [name, image] of ofPlatform) cluster.tagImage(image, `${registry}/${name}:${tag}`);
  return tag;
}

async function rolledOut(cluster: Tools, name: string, say: (progress: string) => void): Promise<void> {
  say(`waiting for ${name} …`);
  try {
    await cluster.kubectlWaits(
      "-n",
      namespace,
      "rollout",
      "status",
      `deployment/${name}`,
      `--timeout=${readyMs / 1_000}s`,
    );
  } catch (cause) {
    const events = cluster.kubectl("-n", namespace, "get", "events", "--sort-by=.lastTimestamp");
    const pods = cluster.kubectl("-n", namespace, "get", "pods", "-o", "wide");
    const logs = cluster.kubectl("-n", namespace, "logs", `deployment/${name}`, "--all-pods", "--tail=15");
    throw new Error(`${name} did not become ready.\n${pods}\n${events.split("\n").slice(-15).join("\n")}\n${logs}`, {
      cause,
    });
  }
}

/** The name that clients know it by: the first value of directory.hosts. */
function directoryHostOf(tools: Tools): string {
  const { directory } = JSON.parse(
    tools.helm("get", "values", release, "--namespace", namespace, "--all", "--output=json"),
  ) as { directory: { hosts: readonly string[] } };
  return directory.hosts[0] ?? directoryHost;
}

interface ServiceObject {
  readonly spec: {
    readonly type: string;
    readonly clusterIP: string;
    readonly externalIPs?: readonly string[];
    readonly ports: readonly { readonly port: number; readonly nodePort?: number }[];
  };
  readonly status: {
    readonly loadBalancer?: { readonly ingress?: readonly { readonly ip?: string; readonly hostname?: string }[] };
  };
}

/** Where a Service is reached from outside of the cluster. @throws {Error} when nobody gives it an address */
async function addressOf(tools: Tools, name: string): Promise<{ host: string; port: number }> {
  const deadline = performance.now() + addressMs;
  for (;;) {
    const service = JSON.parse(tools.kubectl("-n", namespace, "get", "service", name, "-o", "json")) as ServiceObject;
    const { type, externalIPs, ports } = service.spec;
    const [{ port, nodePort } = { port: 0, nodePort: 0 }] = ports;
    const [ingress] = service.status.loadBalancer?.ingress ?? [];
    const host = externalIPs?.[0] ?? ingress?.ip ?? ingress?.hostname;
    if (host !== undefined) return { host, port };
    if (type === "NodePort" && nodePort) return { host: nodeAddressOf(tools), port: nodePort };
    if (type !== "LoadBalancer" || performance.now() > deadline) {
      const value = name.replace("atrium-", "");
      throw new Error(
        `the Service ${name} has no address outside of the cluster: set ${value}.service.type=NodePort, ` +
          `or ${value}.service.externalIPs, or see to the cluster's load balancers`,
      );
    }
    await delay(500);
  }
}

function nodeAddressOf(tools: Tools): string {
  const path = '{.items[0].status.addresses[?(@.type=="InternalIP")].address}';
  return tools.kubectl("get", "nodes", "-o", `jsonpath=${path}`);
}

/** The operator writes it. */
async function trustBundle(cluster: Tools): Promise<string> {
  const deadline = performance.now() + 30_000;
  for (;;) {
    const bundle = cluster.kubectl(
      ...["-n", namespace, "get", "configmap", "atrium-trust", "--ignore-not-found", "-o", "jsonpath={.data.ca\\.crt}"],
    );
    if (bundle !== "") return bundle;
    if (performance.now() > deadline) throw new Error("the operator wrote no ConfigMap atrium-trust");
    await delay(200);
  }
}
