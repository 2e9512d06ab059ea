import { execFile, execFileSync, spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { binaries, cacheDirectory } from "./binaries.ts";
import { type ControlPlane, startControlPlane } from "./control-plane.ts";
import type { Image, PlatformImages } from "./images.ts";
import { controlGroupOf, removeLeftovers } from "./leftovers.ts";
import { lockMachine } from "./lock.ts";
import {
  addAddress,
  answers,
  makeBridge,
  type NodeOptions,
  startContainerd,
  startKubelet,
  startProxy,
} from "./node.ts";
import { freePorts } from "./ports.ts";
import { type Program, startProgram } from "./program.ts";
import { type Tools, toolsOf } from "./tools.ts";
import { startProvisioner } from "./volumes.ts";

const execute = promisify(execFile);

const network = { bridge: "atrium0", prefix: "10.213" } as const;
/** Of the machine on the bridge: API server, DNS and the node itself are there. */
export const nodeAddress = `${network.prefix}.0.1`;
export const nodeName = "node-1";
/** The standard one of a service network 10.214.0.0/16; see control-plane.ts. */
const clusterDomain = "cluster.local";

const keptLogs = 5;

const programs = [
  ...["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl"],
  ...["helm", "coredns"],
] as const;

/** A Kubernetes on this machine, made of its true parts: with one node, or more. */
export interface Cluster extends Tools, AsyncDisposable {
  /** of logs and data; gone once the cluster is disposed of */
  readonly directory: string;
  readonly controlPlane: ControlPlane;
  readonly kubelet: Program;
  /** Gives an image of this cluster another name. */
  tagImage(image: Image, name: string): void;
  restartKubelet(): Promise<void>;
  /**
   * Another node, with a containerd and a kubelet of its own, and the same images.
   *
   * @param number from 2 on; its name is `node-NUMBER`
   * @returns its kubelet
   */
  addNode(number: number): Promise<Program>;
  /** Processes of this machine, containers' included, by their environment. */
  processes(test: (environment: readonly string[]) => boolean): number[];
  /** Copies the logs to a place where they stay. @returns that place */
  keepLogs(): string;
}

/**
 * Starts a cluster, some seconds once everything is built, and waits until its node is ready. It needs Linux and root.
 *
 * @param images that its nodes have from the start
 * @param say is told what takes long
 * @param signal ends the waiting for another cluster's end
 * @throws {Error} that says what is missing, or the end of a log
 */
export async function startCluster({
  images,
  managerFlags = [],
  say,
  signal,
}: {
  images: PlatformImages;
  /** of kube-controller-manager, besides those that it needs */
  managerFlags?: readonly string[];
  say: (progress: string) => void;
  signal?: AbortSignal;
}): Promise<Cluster> {
  if (process.getuid?.() !== 0) throw new Error("a cluster of its own needs root; ATRIUM_KUBECONFIG names another one");
  const files = await binaries(programs, say);
  const binary = (name: string) => (files as Readonly<Record<string, string>>)[name] ?? name;
  const directory = mkdtempSync(join(tmpdir(), "atrium-cluster-"));
  const parts = new AsyncDisposableStack();
  try {
    const lock = await lockMachine({ pid: process.pid, directory, bridge: network.bridge }, say, signal);
    parts.defer(() => {
      // Whatever the programs have left: containers, mounts, interfaces.
      removeLeftovers({ directory, bridge: network.bridge });
      lock[Symbol.dispose]();
    });
    removeLeftovers({ directory: join(directory, "before"), bridge: network.bridge });
    makeBridge(network);
    return await start({ binary, directory, images, managerFlags, parts, signal });
  } catch (error) {
    keepLogs(directory);
    await parts.disposeAsync();
    rmSync(directory, { recursive: true, force: true });
    throw error;
  }
}

async function start({
  binary,
  directory,
  images,
  managerFlags,
  parts,
  signal,
}: {
  binary: (name: string) => string;
  directory: string;
  images: PlatformImages;
  managerFlags: readonly string[];
  parts: AsyncDisposableStack;
  signal: AbortSignal | undefined;
}): Promise<Cluster> {
  const [manager = 0, scheduler = 0, dns = 0] = await freePorts(3);
  const kubeconfig = join(directory, "kubeconfig");
  const node = await nodeOptions(1);
  const nodes = [node];
  const tags: { name: string; of: string }[] = [];
  parts.use(await startContainerd(node));
  const importing = importImages(node, images);
  // It is awaited below; the control plane may fail before.
  importing.catch(() => undefined);
  const controlPlane = parts.use(await startControlPlane({ binary, directory, address: nodeAddress }));
  const tools = toolsOf({ kubectlFile: binary("kubectl"), helmFile: binary("helm"), kubeconfig }, directory, signal);
  const { kubectl, apply } = tools;
  // Pods reach the API server by the Service `kubernetes`, whose endpoints an API server of its own does not write here.
  apply({
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: "kubernetes", namespace: "default", labels: { "kubernetes.io/service-name": "kubernetes" } },
    addressType: "IPv4",
    endpoints: [{ addresses: [nodeAddress], conditions: { ready: true } }],
    ports: [{ name: "https", port: Number(new URL(controlPlane.url).port), protocol: "TCP" }],
  });
  // For logs and exec: by this name the API server is known to the kubelet, as certificates of tests have it.
  apply({
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "ClusterRoleBinding",
    metadata: { name: "kube-apiserver-to-kubelet" },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "system:kubelet-api-admin" },
    subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: "Atrium test" }],
  });
  const manage = (name: string, port: number, ...more: readonly string[]) =>
    startProgram({
      command: binary(name),
      args: [
        ...["--kubeconfig", kubeconfig, "--leader-elect=false", "--bind-address", "127.0.0.1"],
        ...["--secure-port", String(port), ...more],
      ],
      log: join(directory, `${name}.log`),
      ready: () => true,
    });
  parts.use(
    await manage(
      "kube-controller-manager",
      manager,
      ...["--service-account-private-key-file", join(directory, "service-accounts.key")],
      ...["--root-ca-file", join(directory, "ca.pem"), "--use-service-account-credentials"],
      ...["--cluster-cidr", `${network.prefix}.0.0/16`, "--allocate-node-cidrs=false", ...managerFlags],
    ),
  );
  parts.use(await manage("kube-scheduler", scheduler));
  await importing;
  let kubelet = await startKubelet(node);
  parts.defer(() => kubelet.stop());
  parts.use(await startProxy(node));
  parts.use(await startDns({ binary, directory, kubeconfig, healthPort: dns }));
  parts.use(await startProvisioner({ directory, kubeconfig, apply }));
  kubectl("wait", "node", nodeName, "--for=condition=Ready", "--timeout=60s");
  // Pods cannot be made in a namespace before it has its account.
  kubectl("wait", "serviceaccount/default", "--for=create", "--timeout=60s");
  return {
    ...{ ...tools, directory, controlPlane },
    tagImage({ name: of }, name) {
      tags.push({ name, of });
      for (const each of nodes) tag(each, { name, of });
    },
    get kubelet() {
      return kubelet;
    },
    processes: processesWith,
    async restartKubelet() {
      await kubelet.stop();
      kubelet = await startKubelet(node);
    },
    async addNode(number) {
      const added = await nodeOptions(number);
      mkdirSync(added.directory);
      addAddress(network, added.address);
      parts.use(await startContainerd(added));
      await importImages(added, images);
      for (const each of tags) tag(added, each);
      nodes.push(added);
      const started = parts.use(await startKubelet(added));
      kubectl("wait", `node/${added.name}`, "--for=create", "--timeout=60s");
      kubectl("wait", `node/${added.name}`, "--for=condition=Ready", "--timeout=60s");
      return started;
    },
    keepLogs: () => keepLogs(directory),
    async [Symbol.asyncDispose]() {
      // Of what was wrong with it one may only hear later: a test that failed, a user who asks.
      keepLogs(directory);
      // Containers end while there is somebody to end them.
      spawnSync(binary("kubectl"), [
        ...["--kubeconfig", kubeconfig, "delete", "pods", "--all", "-A", "--grace-period=0", "--force"],
        "--wait=false",
      ]);
      await parts.disposeAsync();
      rmSync(directory, { recursive: true, force: true });
    },
  };

  async function nodeOptions(number: number): Promise<NodeOptions> {
    const [kubelet = 0, kubeletHealth = 0, proxyHealth = 0, proxyMetrics = 0] = await freePorts(4);
    const name = `node-${number}`;
    return {
      ...{ name, binary, kubeconfig, network },
      directory: number === 1 ? directory : join(directory, name),
      clientCa: join(directory, "ca.pem"),
      address: `${network.prefix}.0.${number}`,
      leases: join(directory, "ipam"),
      controlGroup: join(controlGroupOf(directory), name),
      sandboxImage: images.pause.name,
      ports: { kubelet, kubeletHealth, proxyHealth, proxyMetrics },
    };
  }
}

async function importImages(node: NodeOptions, images: PlatformImages): Promise<void> {
  for (const { archive } of Object.values(images)) await execute(...ctr(node, "image", "import", archive));
}

function tag(node: NodeOptions, { name, of }: { name: string; of: string }): void {
  execFileSync(...ctr(node, "image", "tag", "--force", of, name), { stdio: ["ignore", "ignore", "inherit"] });
}

/** @returns the command that does this in a node's containerd */
function ctr({ directory }: NodeOptions, ...args: readonly string[]): [string, string[]] {
  return ["ctr", ["-a", join(directory, "containerd.sock"), "-n", "k8s.io", ...args]];
}

function processesWith(test: (environment: readonly string[]) => boolean): number[] {
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .filter((entry) => {
      try {
        return test(readFileSync(`/proc/${entry}/environ`, "utf8").split("\0"));
      } catch {
        return false; // it has ended
      }
    })
    .map(Number);
}

function startDns({
  binary,
  directory,
  kubeconfig,
  healthPort,
}: {
  binary: (name: string) => string;
  directory: string;
  kubeconfig: string;
  healthPort: number;
}): Promise<Program> {
  const file = join(directory, "Corefile");
  writeFileSync(
    file,
    `.:53 {
  bind ${nodeAddress}
  errors
  health 127.0.0.1:${healthPort}
  kubernetes ${clusterDomain} in-addr.arpa {
    kubeconfig ${kubeconfig} atrium
    pods insecure
    ttl 5
  }
}
`,
  );
  return startProgram({
    command: binary("coredns"),
    args: ["-conf", file],
    log: join(directory, "coredns.log"),
    ready: () => answers(`http://127.0.0.1:${healthPort}/health`),
  });
}

/** Those of the last few clusters are kept. @returns where they are now */
function keepLogs(directory: string): string {
  const all = join(cacheDirectory(), "logs");
  const place = join(all, `cluster-${new Date().toISOString().replaceAll(":", "")}`);
  mkdirSync(place, { recursive: true });
  for (const name of readdirSync(all).sort().slice(0, -keptLogs)) rmSync(join(all, name), { recursive: true });
  if (!existsSync(directory)) return place;
  for (const name of globSync("{,*/}*.log", { cwd: directory })) {
    cpSync(join(directory, name), join(place, name.replace("/", "-")));
  }
  for (const pods of globSync("{,*/}pod-logs", { cwd: directory })) {
    cpSync(join(directory, pods), join(place, "pods"), { recursive: true });
  }
  return place;
}
