import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Client, ClientError, keyFileOf, parseAtSign, readKeyFile, readPlatform } from "@atrium/sdk";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { scriptOf } from "../chart/guide.ts";
import { type Cluster, nodeAddress, startCluster } from "../cluster/cluster.ts";
import { type PlatformImages, platformImages } from "../cluster/images.ts";

/**
 * Every command of the guide, as it stands there, in a cluster that has nothing in it: images have the names that the chart
 * has by default, and load balancers are given their addresses by hand.
 */

const root = fileURLToPath(new URL("../..", import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), "atrium-guide-"));
const checkout = join(scratch, "checkout");
const platformFile = join(scratch, "platform.json");
const say = (progress: string) => void process.stderr.write(`${progress}\n`);

let cluster: Cluster;
let images: PlatformImages;

beforeAll(async () => {
  images = await platformImages(say);
  cluster = await startCluster({ images, say });
  importAs("0.1.0");
  cluster.importImage(images.redis, "docker.io/library/redis:7.2-bookworm");
  // What commands write stays out of the checkout.
  mkdirSync(checkout);
  for (const name of readdirSync(root)) symlinkSync(join(root, name), join(checkout, name));
}, 1_200_000);

afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
  rmSync(scratch, { recursive: true, force: true });
}, 120_000);

function importAs(version: string): void {
  for (const name of ["atrium-atserver", "atrium-operator", "atrium-directory", "atrium-gateway"] as const) {
    cluster.importImage(images[name], `registry.atrium.dev/${name}:${version}`);
  }
}

/** @returns everything that was printed. @throws {Error} with the end of it */
function run(script: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const path = [dirname(cluster.kubectlFile), dirname(cluster.helmFile), process.env.PATH].join(":");
    const env = {
      ...{ PATH: path, HOME: scratch, KUBECONFIG: cluster.kubeconfig },
      ...{ ATRIUM_PLATFORM: platformFile, ATRIUM_INSTALL: "0" },
    };
    const child = spawn("bash", ["-c", script], { cwd: checkout, env, stdio: ["ignore", "pipe", "pipe"] });
    let said = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        said += text;
      });
    }
    child.once("close", (code) =>
      code === 0 ? resolve(said) : reject(new Error(`ended with ${code}:\n${said.slice(-6_000)}\n${state()}`)),
    );
  });
}

/** For who reads why it failed. */
function state(): string {
  return cluster.kubectl("get", "pods,atsigns", "-A", "-o", "wide");
}

/** As the load balancers of a cloud. */
function balance(): void {
  const status = JSON.stringify({ status: { loadBalancer: { ingress: [{ ip: nodeAddress }] } } });
  for (const service of ["atrium-gateway", "atrium-directory"]) {
    const patch = ["patch", "service", service, "--subresource=status", "--type=merge", "-p", status];
    cluster.kubectl("-n", "atrium-system", ...patch);
  }
}

const dataOf = (name: string) => cluster.kubectl("get", "pvc", `${name}-data`, "-o", "jsonpath={.spec.volumeName}");

test("install", async () => {
  const said = await run(scriptOf("install"));
  expect(said).toMatch(/TEST SUITE:\s+atrium-test\n.*Phase:\s+Succeeded/s);
  balance();
  const directory = { host: "directory.atrium.internal", port: 64, address: nodeAddress };
  const platform = { zone: "at.example.org", directory, gateway: { host: nodeAddress, port: 443 } };
  writeFileSync(platformFile, JSON.stringify({ ...platform, ca: join(checkout, "atrium-ca.pem") }));
}, 400_000);

test("quickstart", async () => {
  const said = await run(scriptOf("quickstart"));
  expect(said).toMatch(/default\s+alice\s+@alice\s+Serving\s+alice\.at\.example\.org\s+standard/);
  expect(said.match(/^Al$/gm)).toHaveLength(2);
}, 300_000);

test("atServers are as the chart asks: their priority, and the policy of their namespace", async () => {
  await run(
    "kubectl apply -f docs/examples/alice.yaml && kubectl wait atsign alice --for=condition=Ready --timeout=2m",
  );
  const priority = ["get", "pod", "alice-atserver", "-o", "jsonpath={.spec.priorityClassName}"];
  expect(cluster.kubectl(...priority)).toBe("atrium-atserver");
  const policy = JSON.parse(cluster.kubectl("get", "networkpolicy", "atrium-atservers", "-o", "json"));
  const asked = ["get", "configmap", "atrium-tenant-network-policy", "-o", "jsonpath={.data.spec\\.json}"];
  expect(policy.spec).toEqual(JSON.parse(cluster.kubectl("-n", "atrium-system", ...asked)));
  await run('kubectl patch atsign alice --type=merge -p \'{"spec":{"deletionPolicy":"Delete"}}\'');
  await run("kubectl delete atsign alice && kubectl wait networkpolicy atrium-atservers --for=delete --timeout=1m");
}, 300_000);

test("tenants", async () => {
  expect(await run(scriptOf("tenants"))).toMatch(/count\/atsigns\.atrium\.dev\s+0\s+20/);
}, 300_000);

test("certificates", async () => {
  expect(await run(scriptOf("certificates"))).toMatch(/Permitted:\n\s+DNS:at\.example\.org/);
}, 300_000);

test("troubleshooting", async () => {
  await run(scriptOf("troubleshooting"));
}, 300_000);

const possess = `set -euo pipefail
kubectl apply -f docs/examples/alice.yaml
kubectl wait atsign alice --for=condition=Ready --timeout=2m
npm run at -- activate @alice --secret "$(kubectl get secret alice-activation -o jsonpath='{.data.secret}' | base64 -d)"
npm run at -- put @alice public:nick.demo Al`;

const read = "npm run --silent at -- get @alice public:nick.demo";

test("upgrade, after which nothing but what changed was restarted and Atsigns serve as before", async () => {
  await run(possess);
  const pods = () => cluster.kubectl("get", "pods", "-A", "-o", "jsonpath={.items[*].metadata.uid}");
  const before = pods();
  await run(scriptOf("upgrade"));
  expect(pods()).toBe(before);
  expect(await run(read)).toBe("Al\n");
}, 400_000);

/** Writes again and again, as an owner whose client comes back; until it is disposed of. */
async function startWriter() {
  const atSign = parseAtSign("@alice");
  const platform = readPlatform(platformFile);
  const keys = await readKeyFile(atSign, keyFileOf(atSign, scratch));
  const open = () => Client.open({ atSign, platform, keys, timeoutMs: 5_000 });
  const seen = { acknowledged: -1, longestGapMs: 0 };
  let over = false;
  const writing = (async () => {
    let lastMs = performance.now();
    for (let number = 0; !over; ) {
      try {
        await using alice = await open();
        for (; !over; number++) {
          await alice.put("counter.demo", String(number));
          seen.acknowledged = number;
          seen.longestGapMs = Math.max(seen.longestGapMs, performance.now() - lastMs);
          lastMs = performance.now();
        }
      } catch (error) {
        if (!(error instanceof ClientError)) throw error;
        number++;
        await delay(100);
      }
    }
  })();
  return {
    seen,
    /** After another one was acknowledged: a gap counts when it is over. @returns what is stored */
    async end(): Promise<number> {
      const deadline = AbortSignal.timeout(60_000);
      for (const before = seen.acknowledged; seen.acknowledged === before; await delay(20)) deadline.throwIfAborted();
      over = true;
      await writing;
      await using alice = await open();
      return Number((await alice.get("counter.demo")).value);
    },
  };
}

test("uninstall, which leaves all that belongs to tenants, and install again without what was in Redis", async () => {
  const volume = dataOf("alice");
  const pod = cluster.kubectl("get", "pod", "alice-atserver", "-o", "jsonpath={.metadata.uid}");
  const [uninstall, install] = scriptOf("uninstall").split(/^(?=helm install)/m);
  await run(uninstall ?? "");
  expect(cluster.kubectl("get", "atsigns", "-A", "-o", "name")).toBe("atsign.atrium.dev/alice\n");
  expect(cluster.kubectl("get", "crd", "-o", "name")).toContain("atsigns.atrium.dev");
  cluster.kubectl("-n", "atrium-system", "delete", "pvc", "data-atrium-redis-0", "--timeout=60s");

  await run(`set -euo pipefail\n${install}`);
  balance();
  expect(await run(read)).toBe("Al\n");
  expect(dataOf("alice")).toBe(volume);
  expect(cluster.kubectl("get", "pod", "alice-atserver", "-o", "jsonpath={.metadata.uid}")).toBe(pod);
}, 400_000);

test("an upgrade to other images, while an Atsign is written to", async () => {
  importAs("0.2.0");
  const writer = await startWriter();
  await run(`set -euo pipefail
helm upgrade atrium ./helm/atrium -n atrium-system --reset-then-reuse-values --set images.tag=0.2.0
kubectl -n atrium-system rollout status deployment --timeout=5m
image=registry.atrium.dev/atrium-atserver:0.2.0
until kubectl get pod alice-atserver -o jsonpath='{.spec.containers[0].image}' | grep -qx $image; do sleep 0.2; done
kubectl wait atsign alice --for=condition=Ready --timeout=2m`);
  const stored = await writer.end();
  const { seen } = writer;
  process.stderr.write(`upgrade: longest time without a write ${Math.round(seen.longestGapMs)} ms\n`);
  // The last one may have been stored without its answer having come.
  expect(stored).toBeGreaterThanOrEqual(seen.acknowledged);
  expect(seen.acknowledged).toBeGreaterThan(50);
  expect(seen.longestGapMs).toBeLessThan(15_000);
}, 400_000);
