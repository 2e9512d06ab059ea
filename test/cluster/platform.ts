import { createHash } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type Cluster, nodeAddress } from "./cluster.ts";
import { type PlatformImages, registry } from "./images.ts";

const chart = fileURLToPath(new URL("../../helm/atrium", import.meta.url));
export const namespace = "atrium-system";
const release = "atrium";
const deployments = ["atrium-operator", "atrium-directory", "atrium-gateway"] as const;
const readyMs = 180_000;

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
  readonly say: (progress: string) => void;
}

const directoryHost = "directory.atrium.internal";
/** As a load balancer would do it: both Services are reached at the address of the node. */
const outside = { service: { type: "ClusterIP", externalIPs: [nodeAddress] } } as const;

/** Brings the images into the cluster and installs the chart, or upgrades what is installed.
 *
 * @returns once everything answers
 * @throws {Error} that says what did not become ready, with its events
 */
export async function installPlatform(
  cluster: Cluster,
  { images, zone, values = {}, say }: Options,
): Promise<InstalledPlatform> {
  say("bringing the images into the cluster …");
  const tag = importImages(cluster, images);
  say("installing the chart …");
  const all = {
    zone,
    images: { registry, tag, redis: images.redis.name, pullPolicy: "IfNotPresent" },
    gateway: outside,
    directory: { ...outside, hosts: [directoryHost] },
    ...values,
  };
  cluster.helm(
    ...["upgrade", release, chart, "--install", "--namespace", namespace, "--create-namespace"],
    ...Object.entries(all).flatMap(([name, value]) => ["--set-json", `${name}=${JSON.stringify(value)}`]),
  );
  for (const name of deployments) await rolledOut(cluster, name, say);
  return await reached(cluster, zone);
}

/** Under one tag, as a release has it. @returns the tag */
function importImages(cluster: Cluster, images: PlatformImages): string {
  const { redis, ...all } = images;
  const ofPlatform = Object.entries(all).filter(([name]) => name.startsWith("atrium-"));
  const hash = createHash("sha256");
  for (const [, { name }] of ofPlatform) hash.update(name);
  const tag = hash.digest("hex").slice(0, 12);
  for (const [name, image] of ofPlatform) cluster.importImage(image, `${registry}/${name}:${tag}`);
  cluster.importImage(redis);
  return tag;
}

async function rolledOut(cluster: Cluster, name: string, say: (progress: string) => void): Promise<void> {
  say(`waiting for ${name} …`);
  try {
    cluster.kubectl("-n", namespace, "rollout", "status", `deployment/${name}`, `--timeout=${readyMs / 1_000}s`);
  } catch (cause) {
    const events = cluster.kubectl("-n", namespace, "get", "events", "--sort-by=.lastTimestamp");
    const pods = cluster.kubectl("-n", namespace, "get", "pods", "-o", "wide");
    const logs = cluster.kubectl("-n", namespace, "logs", `deployment/${name}`, "--all-pods", "--tail=15");
    throw new Error(`${name} did not become ready.\n${pods}\n${events.split("\n").slice(-15).join("\n")}\n${logs}`, {
      cause,
    });
  }
}

async function reached(cluster: Cluster, zone: string): Promise<InstalledPlatform> {
  const portOf = (service: string) =>
    Number(cluster.kubectl("-n", namespace, "get", "service", service, "-o", "jsonpath={.spec.ports[0].port}"));
  return {
    zone,
    directory: { host: directoryHost, port: portOf("atrium-directory"), address: nodeAddress },
    gateway: { host: nodeAddress, port: portOf("atrium-gateway") },
    ca: await trustBundle(cluster),
  };
}

/** The operator writes it. */
async function trustBundle(cluster: Cluster): Promise<string> {
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
