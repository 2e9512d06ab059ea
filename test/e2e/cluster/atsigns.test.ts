import { readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:tls";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { nodeName } from "../../cluster/cluster.ts";
import { provisionerName } from "../../cluster/volumes.ts";
import { type AtSignObject, conditionOf, eventually, Hosting } from "./hosted.ts";

/*
 * The life of Atsigns in a cluster. What stands in the way of an atServer is said in one condition with what to do about
 * it, and once it is put right the Atsign is served without anything else being done.
 */

const quotaExample = fileURLToPath(new URL("../../../docs/examples/resource-quota.yaml", import.meta.url));
const quotaNamespace = "customer-a";
const namespace = "tenant";

/** What quotas count is looked for every half minute, and then counted every five: these tests do not wait for that. */
const managerFlags = ["--resource-quota-sync-period=10s"];

let hosting: Hosting;

beforeAll(async () => {
  hosting = await Hosting.start((progress) => process.stderr.write(`${progress}\n`), managerFlags);
  for (const name of [namespace, "customer-b", "customer-c"]) hosting.namespace(name);
  // It takes a minute to count: the other tests come first.
  hosting.cluster.kubectl("apply", "-f", quotaExample);
  limitAtSigns(2);
}, 600_000);

afterAll(async () => {
  await hosting?.[Symbol.asyncDispose]();
}, 120_000);

function limitAtSigns(count: number): void {
  const patch = JSON.stringify({ spec: { hard: { "count/atsigns.atrium.dev": String(count) } } });
  hosting.cluster.kubectl("-n", quotaNamespace, "patch", "resourcequota", "atsigns", "--type=merge", "-p", patch);
}

function applyClass(name: string, spec: object): void {
  hosting.cluster.apply({ apiVersion: "atrium.dev/v1alpha1", kind: "AtSignClass", metadata: { name }, spec });
}

const messageOf = (seen: AtSignObject, type: string) => conditionOf(seen, type)?.message ?? "";
const isServing = (seen: AtSignObject) => conditionOf(seen, "Ready")?.reason === "Serving";

describe("an atServer that cannot be started", () => {
  test.concurrent("because its image cannot be pulled: until the class names another", async () => {
    const storage = { size: "1Gi" };
    applyClass("no-image", { storage, image: "localhost/nowhere/atserver:1" });
    hosting.apply(namespace, "@noimage", { className: "no-image" });
    const seen = await hosting.until(namespace, "@noimage", "Degraded", "ImageNotPulled");
    expect(messageOf(seen, "Ready")).toMatch(/localhost\/nowhere\/atserver:1.*correct the image of the AtSignClass/s);
    applyClass("no-image", { storage });
    const healed = await hosting.until(namespace, "@noimage", "Ready", "Serving");
    expect(messageOf(healed, "Degraded")).toBe("");
  }, 120_000);

  test.concurrent("because no volume can be made for it: until the StorageClass is there", async () => {
    applyClass("no-storage", { storage: { storageClassName: "nowhere" } });
    hosting.apply(namespace, "@nostorage", { className: "no-storage" });
    const seen = await hosting.until(namespace, "@nostorage", "Provisioned", "VolumePending");
    expect(messageOf(seen, "Ready")).toMatch(/see kubectl describe pvc, and correct storage of the AtSignClass/);
    hosting.cluster.apply({
      ...{ apiVersion: "storage.k8s.io/v1", kind: "StorageClass", volumeBindingMode: "WaitForFirstConsumer" },
      metadata: { name: "nowhere" },
      provisioner: provisionerName,
    });
    const healed = await hosting.until(namespace, "@nostorage", "Ready", "Serving");
    expect(messageOf(healed, "Degraded")).toBe("");
  }, 120_000);

  test.concurrent("because no volume can be made for it: until the class asks for another", async () => {
    applyClass("wrong-storage", { storage: { storageClassName: "never-there" } });
    hosting.apply(namespace, "@wrongstorage", { className: "wrong-storage" });
    await hosting.until(namespace, "@wrongstorage", "Provisioned", "VolumePending");
    applyClass("wrong-storage", { storage: { storageClassName: "directory" } });
    await hosting.until(namespace, "@wrongstorage", "Ready", "Serving");
  }, 120_000);

  test.concurrent("because its memory does not suffice: later and later, until the class gives it more", async () => {
    applyClass("no-memory", { resources: { requests: { memory: "16Mi" }, limits: { memory: "16Mi" } } });
    hosting.apply(namespace, "@nomemory", { className: "no-memory" });
    const seen = await hosting.until(namespace, "@nomemory", "Ready", "OutOfMemory");
    expect(messageOf(seen, "Degraded")).toMatch(/limit of 16Mi .*; raise resources\.limits\.memory of the AtSignClass/);
    // An epoch is the time of a start. After four ends the pause is five seconds.
    const starts = await startsOf("@nomemory", 5);
    const pauses = starts.slice(1).map((start, index) => start - (starts[index] ?? 0));
    expect(pauses.at(-1)).toBeGreaterThan(5_000);
    applyClass("no-memory", { resources: { limits: { memory: "128Mi" } } });
    const healed = await hosting.until(namespace, "@nomemory", "Ready", "Serving");
    // It is told for a while, for who looks later.
    expect(messageOf(healed, "Degraded")).toContain("needed more memory than its limit of 16Mi");
  }, 180_000);
});

/** @returns the epochs that it was given, once there are so many of them */
async function startsOf(atSign: string, count: number): Promise<number[]> {
  const epochs = new Set<number>();
  await eventually(`${atSign} was started ${count} times`, 90_000, () => {
    epochs.add(hosting.get(namespace, atSign).status?.epoch ?? 0);
    return epochs.size >= count;
  });
  return [...epochs];
}

/** Lowers the limit of the container that a process runs in to what it takes now and so much more. */
function leaveMemory(pid: number, bytes: number): void {
  const groups = readFileSync(`/proc/${pid}/cgroup`, "utf8");
  const [, former] = /^\d+:memory:(.*)$/m.exec(groups) ?? [];
  const [, unified] = /^0::(.*)$/m.exec(groups) ?? [];
  const files =
    former === undefined
      ? { taken: `/sys/fs/cgroup${unified}/memory.current`, limit: `/sys/fs/cgroup${unified}/memory.max` }
      : {
          taken: `/sys/fs/cgroup/memory${former}/memory.usage_in_bytes`,
          limit: `/sys/fs/cgroup/memory${former}/memory.limit_in_bytes`,
        };
  writeFileSync(files.limit, String(Number(readFileSync(files.taken, "utf8")) + bytes));
}

describe("an atServer that is sent away", () => {
  beforeAll(async () => {
    hosting.apply(namespace, "@carol");
    await hosting.activate(namespace, "@carol");
    await using carol = await hosting.client("@carol");
    await carol.put("phone.demo", "+1 555 0100");
  }, 120_000);

  const podOf = (seen: AtSignObject) => seen.status?.pod?.uid;

  async function servedByAnother(before: AtSignObject): Promise<void> {
    await hosting.untilSeen(
      namespace,
      "@carol",
      (seen) => isServing(seen) && podOf(seen) !== undefined && podOf(seen) !== podOf(before),
      "served by another pod",
    );
    await using carol = await hosting.client("@carol");
    expect((await carol.get("phone.demo")).value).toBe("+1 555 0100");
  }

  test("by an eviction: another is started", async () => {
    const before = await hosting.until(namespace, "@carol", "Ready", "Serving");
    hosting.evict(namespace, "carol-atserver");
    await servedByAnother(before);
  }, 120_000);

  test("because it needs more memory than it may have while it runs: it is back with all that it had, and it is told", async () => {
    const { status } = await hosting.until(namespace, "@carol", "Ready", "Serving");
    const [running = 0] = hosting.cluster.processes((env) => env.includes(`ATSERVER_EPOCH=${status?.epoch}`));
    leaveMemory(running, 4 * 1024 * 1024);
    await using writer = await hosting.client("@carol");
    const fill = Array.from({ length: 64 }, (_none, number) =>
      writer.put(`fill-${number}.demo`, "m".repeat(1_000_000)),
    );
    expect((await Promise.allSettled(fill)).map(({ status }) => status)).toContain("rejected");
    const isTold = (seen: AtSignObject) => isServing(seen) && conditionOf(seen, "Degraded")?.reason === "OutOfMemory";
    const seen = await hosting.untilSeen(
      namespace,
      "@carol",
      isTold,
      "served again, and told to have been out of memory",
    );
    expect(messageOf(seen, "Degraded")).toMatch(
      /limit of 128Mi .*; raise resources\.limits\.memory of the AtSignClass/,
    );
    await using carol = await hosting.client("@carol");
    expect((await carol.get("phone.demo")).value).toBe("+1 555 0100");
  }, 120_000);

  test("because its node is drained, which needs no force: it waits, says so, and comes back", async () => {
    const before = await hosting.until(namespace, "@carol", "Ready", "Serving");
    // Of a cluster of one node the platform itself cannot be drained.
    hosting.cluster.kubectl("drain", nodeName, "--pod-selector=atrium.dev/atsign", "--timeout=60s");
    try {
      const seen = await hosting.until(namespace, "@carol", "Degraded", "Unschedulable");
      expect(messageOf(seen, "Ready")).toMatch(/unschedulable.*; add nodes, or change resources or placement/);
    } finally {
      hosting.cluster.kubectl("uncordon", nodeName);
    }
    await servedByAnother(before);
  }, 180_000);
});

describe("an Atsign in a cluster", () => {
  test("is made by kubectl apply, seen by kubectl get, and activated with the secret that Kubernetes has", async () => {
    hosting.cluster.kubectl("apply", "-f", new URL("../../../docs/examples/alice.yaml", import.meta.url).pathname);
    const { status } = await hosting.until("default", "@alice", "Ready", "Serving");
    expect(status).toMatchObject({ host: "alice.at.example.org", activationSecret: "alice-activation" });
    const [head = "", row = ""] = hosting.cluster.kubectl("get", "atsigns", "-A").split("\n");
    expect(head.split(/\s+/)).toEqual(expect.arrayContaining(["ATSIGN", "STATE", "HOST", "CLASS", "AGE"]));
    expect(row).toMatch(/@alice\s+Serving\s+alice\.at\.example\.org\s+standard/);

    await hosting.activate("default", "@alice");
    await using alice = await hosting.client("@alice");
    await alice.put("phone.demo", "+1 555 0100");
    expect((await alice.get("phone.demo")).value).toBe("+1 555 0100");
    await hosting.until("default", "@alice", "Activated", "Activated");
    expect(hosting.cluster.kubectl("get", "secret", "alice-activation", "--ignore-not-found")).toBe("");
  }, 120_000);

  test("shares with another one, by mutual TLS and proof of who asks", async () => {
    hosting.apply("customer-b", "@bob");
    await hosting.activate("customer-b", "@bob");
    await using alice = await hosting.client("@alice");
    await using bob = await hosting.client("@bob");
    await alice.put("@bob:greeting.demo", "hello");
    expect((await bob.get("greeting.demo@alice")).value).toBe("hello");
    await bob.put("@alice:answer.demo", "hello back");
    expect((await alice.get("answer.demo@bob")).value).toBe("hello back");
  }, 120_000);

  test("is refused to the second who asks for its name, and says so", async () => {
    hosting.apply("customer-c", "@bob");
    const { status } = await hosting.until("customer-c", "@bob", "Ready", "Unclaimed");
    expect(status?.pod).toBeUndefined();
    await using bob = await hosting.client("@bob");
    expect((await bob.get("@alice:answer.demo")).value).toBe("hello back");
    hosting.cluster.kubectl("-n", "customer-c", "delete", "atsign", "bob", "--timeout=60s");
  }, 120_000);

  test("that is suspended serves nobody and keeps its data", async () => {
    hosting.apply("customer-b", "@bob", { runPolicy: "Suspended" });
    await hosting.until("customer-b", "@bob", "Ready", "Suspended");
    const { gateway } = hosting.platform;
    const refused = connect({ ...gateway, servername: "bob.at.example.org", rejectUnauthorized: false });
    await expect(new Promise((_resolve, reject) => refused.once("error", reject))).rejects.toThrow();
    hosting.apply("customer-b", "@bob", { runPolicy: "Always" });
    await hosting.until("customer-b", "@bob", "Ready", "Serving");
    await using bob = await hosting.client("@bob");
    expect((await bob.get("@alice:answer.demo")).value).toBe("hello back");
  }, 120_000);

  test("loses nothing that was acknowledged when its process is killed, and is back in seconds", async () => {
    const acknowledged: number[] = [];
    let killed = false;
    const writing = (async () => {
      await using alice = await hosting.client("@alice");
      for (let number = 0; ; number++) {
        await alice.put("counter.demo", String(number));
        acknowledged.push(number);
      }
    })().catch(() => undefined);
    while (acknowledged.length < 20) await new Promise(setImmediate);
    const began = performance.now();
    process.kill(processOf("@alice"), "SIGKILL");
    killed = true;
    await writing;
    expect(killed).toBe(true);
    for (;;) {
      try {
        await using alice = await hosting.client("@alice");
        const value = Number((await alice.get("counter.demo")).value);
        // What was under way may have been written, too.
        expect([acknowledged.at(-1), (acknowledged.at(-1) ?? 0) + 1]).toContain(value);
        break;
      } catch (error) {
        if (performance.now() - began > 20_000) throw error;
      }
    }
    const tookMs = performance.now() - began;
    process.stderr.write(`served again ${Math.round(tookMs)} ms after kill -9\n`);
    expect(tookMs).toBeLessThan(5_000);
  }, 60_000);

  test("that is deleted keeps its data, and has it again; with Delete it has not", async () => {
    hosting.cluster.kubectl("-n", "customer-b", "delete", "atsign", "bob", "--timeout=60s");
    hosting.cluster.kubectl("-n", "customer-b", "wait", "pod/bob-atserver", "--for=delete", "--timeout=60s");
    expect(hosting.cluster.kubectl("-n", "customer-b", "get", "pvc", "-o", "name")).toContain("bob-data");
    hosting.apply("customer-b", "@bob", { deletionPolicy: "Delete" });
    await hosting.until("customer-b", "@bob", "Ready", "Serving");
    {
      await using bob = await hosting.client("@bob");
      expect((await bob.get("@alice:answer.demo")).value).toBe("hello back");
    }
    hosting.cluster.kubectl("-n", "customer-b", "delete", "atsign", "bob", "--timeout=60s");
    hosting.cluster.kubectl("-n", "customer-b", "wait", "pvc/bob-data", "--for=delete", "--timeout=60s");
    hosting.apply("customer-c", "@bob");
    await hosting.until("customer-c", "@bob", "Ready", "Serving");
    await hosting.until("customer-c", "@bob", "Activated", "NotActivated");
  }, 180_000);
});

/** The atServer's process: the only one with these settings; tests beside this one have others of that name. */
function processOf(atSign: string): number {
  const settings = [`ATSERVER_ATSIGN=${atSign}`, "ATSERVER_DATA=/data"];
  const found = hosting.cluster.processes((environment) => settings.every((each) => environment.includes(each)));
  expect(found).toHaveLength(1);
  return found[0] ?? -1;
}

test("the Atsigns that a quota leaves room for are served, and one more is refused in its words", async () => {
  const quota = ["-n", quotaNamespace, "get", "resourcequota", "atsigns", "-o", "json"];
  const used = () => JSON.parse(hosting.cluster.kubectl(...quota)).status?.used?.["count/atsigns.atrium.dev"];
  await eventually("the quota counts", 120_000, () => used() === "0");
  for (const name of ["@within1", "@within2"]) hosting.apply(quotaNamespace, name);
  expect(() => hosting.apply(quotaNamespace, "@over")).toThrow(
    /exceeded quota: atsigns, requested: count\/atsigns\.atrium\.dev=1, used: count\/atsigns\.atrium\.dev=2/,
  );
  for (const name of ["@within1", "@within2"]) await hosting.until(quotaNamespace, name, "Ready", "Serving");
  limitAtSigns(3);
  await eventually("there is room", 30_000, () => applies("@over"));
  await hosting.until(quotaNamespace, "@over", "Ready", "Serving");
}, 240_000);

function applies(atSign: string): boolean {
  try {
    hosting.apply(quotaNamespace, atSign);
    return true;
  } catch (error) {
    expect(String(error)).toContain("exceeded quota");
    return false;
  }
}
