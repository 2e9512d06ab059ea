import { execFileSync } from "node:child_process";
import { globSync } from "node:fs";
import { request } from "node:https";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { binaries } from "../../cluster/binaries.ts";
import { type ControlPlane, startControlPlane } from "../../cluster/control-plane.ts";
import { freePorts } from "../../cluster/ports.ts";
import { startProgram } from "../../cluster/program.ts";
import type { Resources } from "../resources.ts";
import { Api, forEach } from "./api.ts";
import { conditionHolds } from "./objects.ts";

export const release = "atrium-system";
export const concurrency = 64;
const podsPerNode = 1_000;
const root = fileURLToPath(new URL("../../..", import.meta.url));
/** What of kwok's own rules is used: pods run as soon as they have a node; nodes are ready, and renew their leases. */
const stages = ["pod/fast/pod-*.yaml", "node/fast/node-*.yaml", "node/heartbeat-with-lease/node-*.yaml"];

export interface SimulatedCluster {
  readonly plane: ControlPlane;
  readonly api: Api;
}

/**
 * An API server with etcd and scheduler, nodes that kwok simulates, the definitions of the chart, and namespaces with what
 * a controller manager would make in them.
 */
export async function startSimulatedCluster(
  resources: Resources,
  { pods, namespaces, say }: { pods: number; namespaces: readonly string[]; say: (progress: string) => void },
): Promise<SimulatedCluster> {
  const files = await binaries(["etcd", "kube-apiserver", "kube-scheduler", "kubectl", "kwok"], say);
  const directory = resources.directory();
  const plane = resources.use(
    await startControlPlane({
      directory,
      binary: (name) => files[name as keyof typeof files],
    }),
  );
  const api = new Api(plane, concurrency);
  resources.use({ [Symbol.asyncDispose]: async () => api[Symbol.dispose]() });
  const [schedulerPort = 0] = await freePorts(1);
  resources.use(
    await startProgram({
      command: files["kube-scheduler"],
      args: [
        ...[
          "--kubeconfig",
          plane.kubeconfig,
          "--leader-elect=false",
          "--kube-api-qps",
          "5000",
          "--kube-api-burst",
          "5000",
        ],
        ...["--bind-address", "127.0.0.1", "--secure-port", String(schedulerPort), "--cert-dir", directory],
      ],
      log: join(directory, "kube-scheduler.log"),
      ready: () => isHealthy(schedulerPort),
    }),
  );
  resources.use(
    await startProgram({
      command: files.kwok,
      args: [
        "--kubeconfig",
        plane.kubeconfig,
        "--manage-all-nodes",
        "--node-lease-duration-seconds",
        "40",
        ...kwokConfig(),
      ],
      log: join(directory, "kwok.log"),
      ready: () => true,
    }),
  );
  const definitions = join(root, "helm/atrium/templates/crds.yaml");
  const kubectl = (...args: readonly string[]) =>
    execFileSync(files.kubectl, ["--kubeconfig", plane.kubeconfig, ...args], {
      stdio: ["ignore", "ignore", "inherit"],
    });
  kubectl("apply", "--server-side", "-f", definitions);
  kubectl("wait", "--for=condition=Established", "--timeout=30s", "-f", definitions);
  await makeNodes(api, Math.ceil(pods / podsPerNode) + 1);
  await admitNodes(api);
  for (const namespace of [release, ...namespaces]) await makeNamespace(api, namespace);
  return { plane, api };
}

function kwokConfig(): string[] {
  const folder = join(root, "test/cluster/go/kwok");
  const module = execFileSync("go", ["list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/kwok"], {
    cwd: folder,
    encoding: "utf8",
  });
  const files = stages.flatMap((stage) => globSync(join(module.trim(), "kustomize/stage", stage)).sort());
  return files.flatMap((file) => ["--config", file]);
}

async function makeNodes(api: Api, count: number): Promise<void> {
  const room = { cpu: "1000", memory: "4Ti", pods: String(podsPerNode), "ephemeral-storage": "4Ti" };
  await forEach([...Array(count).keys()], concurrency, (n) =>
    api.create("/api/v1/nodes", {
      metadata: { name: `node-${n}`, labels: { "kubernetes.io/hostname": `node-${n}`, "kubernetes.io/os": "linux" } },
      spec: { podCIDR: `10.${n}.0.0/16`, podCIDRs: [`10.${n}.0.0/16`] },
      status: { capacity: room, allocatable: room },
    }),
  );
}

/** Nodes begin with a taint, which a controller manager takes away once they are ready. */
async function admitNodes(api: Api): Promise<void> {
  const deadline = AbortSignal.timeout(60_000);
  for (;;) {
    const nodes = await api.list("/api/v1/nodes");
    const tainted = nodes.filter(({ spec }) => spec?.taints !== undefined);
    if (tainted.length === 0) return;
    for (const node of tainted.filter((each) => conditionHolds(each, "Ready"))) {
      const { taints: _, ...spec } = node.spec ?? {};
      await api.replace(`/api/v1/nodes/${node.metadata.name}`, { ...node, spec }).catch((error: Error) => {
        // kwok was writing to it, too.
        if (!error.message.includes(": 409 ")) throw error;
      });
    }
    await delay(100, undefined, { signal: deadline });
  }
}

async function makeNamespace(api: Api, name: string): Promise<void> {
  await api.create("/api/v1/namespaces", { metadata: { name } });
  await api.create(`/api/v1/namespaces/${name}/serviceaccounts`, { metadata: { name: "default" } });
}

function isHealthy(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    // Its certificate is its own; nothing but its state is asked.
    const asking = request({ host: "127.0.0.1", port, path: "/healthz", rejectUnauthorized: false, agent: false });
    asking.once("response", (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    asking.once("error", () => resolve(false));
    asking.end();
  });
}
