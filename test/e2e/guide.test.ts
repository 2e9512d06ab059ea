import { spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { keyFileOf, parseAtSign, readKeyFile, readPlatform } from "@atrium/sdk";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { scriptOf } from "../chart/guide.ts";
import { type Cluster, nodeAddress, startCluster } from "../cluster/cluster.ts";
import { type PlatformImages, platformImages } from "../cluster/images.ts";
import { startCaller, startWriter } from "./steady-clients.ts";

/**
 * Every command of the guide, as it stands there, in a cluster that has nothing in it: images have the names that the chart
 * has by default, and load balancers are given their addresses by hand.
 */

const root = fileURLToPath(new URL("../..", import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), "atrium-guide-"));
const checkout = join(scratch, "checkout");
const platformFile = join(scratch, "platform.json");
const say = (progress: string) => void process.stderr.write(`${progress}\n`);

/** What quotas count is looked for every half minute, and then counted every five: not here. */
const managerFlags = ["--resource-quota-sync-period=10s"];

let cluster: Cluster;
let images: PlatformImages;

beforeAll(async () => {
  images = await platformImages(say);
  cluster = await startCluster({ images, managerFlags, say });
  tagAs("0.1.0");
  cluster.tagImage(images.redis, "docker.io/library/redis:7.2-bookworm");
  // What commands write stays out of the checkout.
  mkdirSync(checkout);
  for (const name of readdirSync(root)) symlinkSync(join(root, name), join(checkout, name));
}, 1_200_000);

afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
  rmSync(scratch, { recursive: true, force: true });
}, 120_000);

function tagAs(version: string): void {
  for (const name of ["atrium-atserver", "atrium-operator", "atrium-directory", "atrium-gateway"] as const) {
    cluster.tagImage(images[name], `registry.atrium.dev/${name}:${version}`);
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
  await run(scriptOf("root"));
  expect(await run(scriptOf("certificates"))).toMatch(/Permitted:\n\s+DNS:at\.example\.org/);
}, 300_000);

test("certificates: one of one's own for the directory, shown to who asks for its name, and to nobody else", async () => {
  await run(`set -euo pipefail
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -keyout privkey.pem -out fullchain.pem \\
  -subj "/CN=public" -addext "subjectAltName=DNS:directory.example.org"`);
  await run(scriptOf("directory"));
  const asked = (name: string) => `openssl s_client -connect ${nodeAddress}:64 -servername ${name}`;
  const shown = (name: string) => run(`${asked(name)} </dev/null 2>/dev/null | openssl x509 -noout -subject`);
  // Until every node has learnt that the replicas before are ending, they are asked too.
  const deadline = AbortSignal.timeout(30_000);
  for (let seen = ""; seen !== "subject=CN = public\n"; deadline.throwIfAborted()) {
    seen = await shown("directory.example.org");
  }
  expect(await shown("directory.atrium.internal")).not.toContain("public");
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
  const before = running();
  await run(scriptOf("upgrade"));
  expect(running()).toEqual(before);
  expect(await run(read)).toBe("Al\n");
}, 400_000);

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

/** @returns the pods that nobody has deleted */
function running(): string[] {
  const pods: { items: { metadata: { uid: string; deletionTimestamp?: string } }[] } = JSON.parse(
    cluster.kubectl("get", "pods", "-A", "-o", "json"),
  );
  const kept = pods.items.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  return kept.map(({ metadata }) => metadata.uid);
}

/** A version before this one: other images, another definition of AtSign, other defaults. @returns its chart */
function chartBefore(): string {
  const chart = join(scratch, "before");
  cpSync(join(root, "helm/atrium"), chart, { recursive: true });
  change(join(chart, "Chart.yaml"), /ersion: 0\.1\.0/g, "ersion: 0.0.9");
  change(join(chart, "templates/crds.yaml"), /^ +shortNames:\n +- ats\n/m, "");
  change(join(chart, "values.yaml"), /drainSeconds: 20/, "drainSeconds: 15");
  change(join(chart, "templates/_pods.tpl"), /enableServiceLinks: false/, "enableServiceLinks: true");
  return chart;
}

function change(file: string, what: RegExp, to: string): void {
  const before = readFileSync(file, "utf8");
  const after = before.replace(what, to);
  if (after === before) throw new Error(`${file} has no ${what}`);
  writeFileSync(file, after);
}

/** Once the atServer of @alice is of that version. */
const replaced = (version: string) => `set -euo pipefail
for try in $(seq 600); do
  image=$(kubectl get pod alice-atserver -o jsonpath='{.spec.containers[0].image}' --ignore-not-found)
  if [ "$image" = registry.atrium.dev/atrium-atserver:${version} ]; then break; fi
  sleep 0.2
done
[ "$image" = registry.atrium.dev/atrium-atserver:${version} ]
kubectl wait atsign alice --for=condition=Ready --timeout=2m`;

/** With a class that names its image, the atServer stays what it is: what fails for it is the platform's fault. */
const still = `set -euo pipefail
kubectl apply -f - <<EOF
apiVersion: atrium.dev/v1alpha1
kind: AtSignClass
metadata: { name: still }
spec: { image: "registry.atrium.dev/atrium-atserver:0.1.0" }
EOF
kubectl apply -f - <<EOF
apiVersion: atrium.dev/v1alpha1
kind: AtSign
metadata: { name: bob, namespace: default }
spec: { atSign: "@bob", className: still }
EOF
kubectl wait atsign bob --for=condition=Ready --timeout=2m
npm run at -- activate @bob --secret "$(kubectl get secret bob-activation -o jsonpath='{.data.secret}' | base64 -d)"`;

/** While one client writes to @alice all the time, and others come to @bob, one after the other. */
async function whileClientsCome(what: string, script: string, version: string): Promise<void> {
  const ofOwner = async (name: string) => {
    const atSign = parseAtSign(name);
    return {
      atSign,
      platform: readPlatform(platformFile),
      keys: await readKeyFile(atSign, keyFileOf(atSign, scratch)),
    };
  };
  const bob = () => cluster.kubectl("get", "pod", "bob-atserver", "-o", "jsonpath={.metadata.uid}");
  const before = bob();
  await using writer = startWriter(await ofOwner("@alice"));
  await using caller = startCaller(await ofOwner("@bob"));
  await run(script);
  await run(replaced(version));
  const stored = await writer.end();
  await caller[Symbol.asyncDispose]();
  const { seen } = writer;
  const { calls, attempts, slowestMs, failures } = caller.seen;
  process.stderr.write(
    `${what}: ${seen.acknowledged} writes, at most ${Math.round(seen.longestGapMs)} ms without one; ` +
      `${calls} calls in ${attempts} attempts, the slowest ${Math.round(slowestMs)} ms\n`,
  );
  // The last one may have been stored without its answer having come.
  expect(stored).toBeGreaterThanOrEqual(seen.acknowledged);
  expect(seen.acknowledged).toBeGreaterThan(50);
  expect(seen.longestGapMs).toBeLessThan(15_000);
  expect(failures).toEqual([]);
  expect(calls).toBeGreaterThan(10);
  expect(bob()).toBe(before);
}

test("upgrade from a version before, while clients write and come: no write is lost, and nobody is refused", async () => {
  tagAs("0.0.9");
  await run(still);
  await run(`set -euo pipefail
helm upgrade atrium ${chartBefore()} -n atrium-system --reset-then-reuse-values
kubectl -n atrium-system rollout status deployment --timeout=5m`);
  await run(replaced("0.0.9"));
  const shortNames = () =>
    cluster.kubectl("get", "crd", "atsigns.atrium.dev", "-o", "jsonpath={.spec.names.shortNames}");
  expect(shortNames()).toBe("");
  await whileClientsCome("upgrade", scriptOf("upgrade"), "0.1.0");
  expect(shortNames()).toBe('["ats"]');
}, 400_000);

test("and back again", async () => {
  await whileClientsCome("rollback", scriptOf("rollback"), "0.0.9");
  expect(await run("helm -n atrium-system list")).toContain("atrium-0.0.9");
}, 400_000);

test("everything is taken away, data too, and a CA of one's own is there before the next installation", async () => {
  await run(scriptOf("everything"));
  expect(cluster.kubectl("get", "pods,pvc", "-A", "-l", "atrium.dev/atsign", "-o", "name")).toBe("");
  expect(cluster.kubectl("get", "crd,ns", "-o", "name")).not.toContain("atrium");
  await run(scriptOf("root"));
  await run(scriptOf("own"));
  await run(scriptOf("install"));
  const [shown, own] = ["atrium-ca.pem", "root.crt"].map((file) => readFileSync(join(checkout, file), "utf8").trim());
  expect(shown).toBe(own);
}, 400_000);
