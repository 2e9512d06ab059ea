import { execFileSync } from "node:child_process";
import { existsSync, globSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Program, startProgram } from "./program.ts";

export interface NetworkOptions {
  /** of the bridge; at most 15 characters */
  readonly bridge: string;
  /** the first three... `10.213`: pods are in that /16, the bridge has its first address */
  readonly prefix: string;
}

export interface NodeOptions {
  readonly name: string;
  readonly binary: (name: string) => string;
  /** of this node alone */
  readonly directory: string;
  /** file of the root that clients of the kubelet are issued by */
  readonly clientCa: string;
  readonly kubeconfig: string;
  readonly network: NetworkOptions;
  /** of the node, on the bridge */
  readonly address: string;
  /** directory that the addresses of pods are kept in, by all nodes of the network */
  readonly leases: string;
  /** those of its pods are made in it; in one that it shares, a kubelet ends what it does not know */
  readonly controlGroup: string;
  /** name of the pause image in containerd */
  readonly sandboxImage: string;
  readonly ports: {
    readonly kubelet: number;
    readonly kubeletHealth: number;
    readonly proxyHealth: number;
    proxyMetrics: number;
  };
}

export function makeBridge({ bridge, prefix }: NetworkOptions): void {
  const ip = (...args: string[]) => execFileSync("ip", args, { stdio: ["ignore", "ignore", "inherit"] });
  ip("link", "add", bridge, "type", "bridge");
  ip("addr", "add", `${prefix}.0.1/16`, "dev", bridge);
  ip("link", "set", bridge, "up");
  writeFileSync("/proc/sys/net/ipv4/ip_forward", "1");
}

/** Another address for the machine, that a further node has. */
export function addAddress({ bridge }: NetworkOptions, address: string): void {
  execFileSync("ip", ["addr", "add", `${address}/32`, "dev", bridge], { stdio: ["ignore", "ignore", "inherit"] });
}

/** A kubelet does not make it itself. */
function makeControlGroup(name: string): void {
  for (const hierarchy of globSync("/sys/fs/cgroup/*/")) {
    if (existsSync(join(hierarchy, "cgroup.procs"))) mkdirSync(join(hierarchy, name), { recursive: true });
  }
  if (existsSync("/sys/fs/cgroup/cgroup.procs")) mkdirSync(join("/sys/fs/cgroup", name), { recursive: true });
}

export async function startContainerd({ directory, sandboxImage, network, leases }: NodeOptions): Promise<Program> {
  const root = join(directory, "containerd");
  const cni = join(directory, "cni");
  mkdirSync(cni, { recursive: true });
  mkdirSync(root, { recursive: true });
  writeFileSync(
    join(cni, "10-bridge.conflist"),
    JSON.stringify({
      cniVersion: "0.4.0",
      name: network.bridge,
      plugins: [
        {
          type: "bridge",
          bridge: network.bridge,
          isGateway: true,
          ipMasq: false,
          hairpinMode: true,
          ipam: {
            type: "host-local",
            dataDir: leases,
            // The first addresses are those of nodes.
            ranges: [[{ subnet: `${network.prefix}.0.0/16`, rangeStart: `${network.prefix}.0.10` }]],
            routes: [{ dst: "0.0.0.0/0" }],
          },
        },
        { type: "portmap", capabilities: { portMappings: true } },
      ],
    }),
  );
  const socket = join(directory, "containerd.sock");
  const config = join(root, "config.toml");
  writeFileSync(
    config,
    `version = 2
root = "${join(root, "root")}"
state = "${join(root, "state")}"
[grpc]
  address = "${socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${sandboxImage}"
  restrict_oom_score_adj = true
  disable_tcp_service = true
  stream_server_port = "0"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "${cni}"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
`,
  );
  return await startProgram({
    command: "containerd",
    args: ["--config", config],
    log: join(directory, "containerd.log"),
    ready: () => {
      try {
        execFileSync("ctr", ["-a", socket, "version"], { stdio: "ignore" });
        return true;
      } catch {
        return false;
      }
    },
  });
}

/** kubelet, kube-proxy: a node of the cluster on this machine. */
export async function startKubelet(options: NodeOptions): Promise<Program> {
  const { name, binary, directory, clientCa, kubeconfig, network, address, controlGroup, ports } = options;
  const config = join(directory, "kubelet.yaml");
  makeControlGroup(controlGroup);
  // A kubelet takes away the logs that it does not know.
  const podLogsDir = join(directory, "pod-logs");
  mkdirSync(podLogsDir, { recursive: true });
  writeFileSync(
    config,
    JSON.stringify({
      apiVersion: "kubelet.config.k8s.io/v1beta1",
      kind: "KubeletConfiguration",
      address,
      port: ports.kubelet,
      healthzPort: ports.kubeletHealth,
      readOnlyPort: 0,
      authentication: {
        anonymous: { enabled: false },
        webhook: { enabled: true },
        x509: { clientCAFile: clientCa },
      },
      authorization: { mode: "Webhook" },
      cgroupDriver: "cgroupfs",
      cgroupRoot: controlGroup,
      failCgroupV1: false,
      failSwapOn: false,
      evictionHard: {},
      enforceNodeAllocatable: [],
      imageGCHighThresholdPercent: 100,
      imageGCLowThresholdPercent: 99,
      maxPods: 250,
      clusterDNS: [`${network.prefix}.0.1`],
      clusterDomain: "cluster.local",
      containerRuntimeEndpoint: `unix://${join(directory, "containerd.sock")}`,
      staticPodPath: "",
      volumePluginDir: join(directory, "volume-plugins"),
      podLogsDir,
      syncFrequency: "10s",
      nodeStatusUpdateFrequency: "5s",
      registerWithTaints: [],
      cpuManagerPolicy: "none",
    }),
  );
  return await startProgram({
    command: binary("kubelet"),
    args: [
      ...["--config", config, "--kubeconfig", kubeconfig, "--root-dir", join(directory, "kubelet")],
      ...["--node-ip", address, "--hostname-override", name, "--cert-dir", join(directory, "kubelet-pki")],
    ],
    log: join(directory, "kubelet.log"),
    ready: () => answers(`http://127.0.0.1:${ports.kubeletHealth}/healthz`),
  });
}

export async function startProxy(options: NodeOptions): Promise<Program> {
  const { name, binary, directory, kubeconfig, network, address, ports } = options;
  const config = join(directory, "kube-proxy.yaml");
  writeFileSync(
    config,
    JSON.stringify({
      apiVersion: "kubeproxy.config.k8s.io/v1alpha1",
      kind: "KubeProxyConfiguration",
      clientConnection: { kubeconfig },
      clusterCIDR: `${network.prefix}.0.0/16`,
      mode: "nftables",
      hostnameOverride: name,
      conntrack: { maxPerCore: 0 },
      healthzBindAddress: `127.0.0.1:${ports.proxyHealth}`,
      metricsBindAddress: `127.0.0.1:${ports.proxyMetrics}`,
      nodePortAddresses: [`${address}/32`],
    }),
  );
  return await startProgram({
    command: binary("kube-proxy"),
    args: ["--config", config],
    log: join(directory, "kube-proxy.log"),
    ready: () => answers(`http://127.0.0.1:${ports.proxyHealth}/livez`),
  });
}

export async function answers(url: string): Promise<boolean> {
  return (await fetch(url, { signal: AbortSignal.timeout(1_000) }).catch(() => undefined))?.ok === true;
}
