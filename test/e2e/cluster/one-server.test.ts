import { chmodSync, mkdirSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import type { Client } from "@atrium/sdk";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { nodeName } from "../../cluster/cluster.ts";
import type { Program } from "../../cluster/program.ts";
import { type AtSignObject, conditionOf, eventually, Hosting } from "./hosted.ts";

/*
 * There is one atServer of an Atsign, whatever is done to have two of them: the second gets no identity, so it serves
 * nobody, and what was acknowledged by either is there. On two nodes, and with a volume that can be reached from both,
 * so that nothing but Atrium keeps two of them apart.
 */

const namespace = "tenant";
const otherNode = "node-2";
const goneNode = "node-3";
const operator = "system:serviceaccount:atrium-system:atrium-operator";

/** As long as a kubelet needs on a busy machine to report twice, and no longer. */
const managerFlags = ["--node-monitor-period=1s", "--node-monitor-grace-period=16s"];

interface PodObject {
  readonly metadata: {
    readonly name: string;
    readonly uid: string;
    readonly labels?: object;
    readonly annotations?: object;
    readonly ownerReferences?: object[];
    readonly deletionTimestamp?: string;
  };
  readonly spec: {
    readonly nodeName?: string;
    readonly containers: readonly { readonly env: readonly { readonly name: string; readonly value?: string }[] }[];
    readonly volumes: readonly { readonly name: string }[];
  };
  readonly status: {
    readonly podIP?: string;
    readonly phase: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string; readonly message?: string }[];
    readonly containerStatuses?: readonly {
      readonly state?: { readonly terminated?: { readonly exitCode: number; readonly message?: string } };
    }[];
  };
}

let hosting: Hosting;
let otherKubelet: Program;
let shared = "";

beforeAll(async () => {
  hosting = await Hosting.start((progress) => process.stderr.write(`${progress}\n`), managerFlags);
  otherKubelet = await hosting.cluster.addNode(2);
  hosting.namespace(namespace);
  shared = join(hosting.cluster.directory, "shared");
  mkdirSync(shared);
  chmodSync(shared, 0o777);
  hosting.cluster.apply(...sharedStorage("shared", shared));
  hosting.cluster.kubectl(
    ...["create", "rolebinding", "editor", "-n", namespace, "--clusterrole=edit", "--user=editor"],
  );
  useOnly(otherNode);
  hosting.apply(namespace, "@alice", { className: "shared" });
  await hosting.activate(namespace, "@alice");
  await using alice = await hosting.client("@alice");
  await alice.put("phone.demo", "+1 555 0100");
}, 600_000);

afterAll(async () => {
  await hosting?.[Symbol.asyncDispose]();
}, 120_000);

/** A volume that all nodes have, as of a network file system, and a class of Atsigns for it. */
function sharedStorage(name: string, path: string): object[] {
  const storageClassName = name;
  return [
    {
      ...{ apiVersion: "storage.k8s.io/v1", kind: "StorageClass", metadata: { name: storageClassName } },
      provisioner: "kubernetes.io/no-provisioner",
    },
    {
      ...{ apiVersion: "v1", kind: "PersistentVolume", metadata: { name } },
      spec: {
        ...{ storageClassName, capacity: { storage: "1Gi" }, accessModes: ["ReadWriteOncePod"] },
        ...{ persistentVolumeReclaimPolicy: "Retain", hostPath: { path } },
      },
    },
    {
      ...{ apiVersion: "atrium.dev/v1alpha1", kind: "AtSignClass", metadata: { name } },
      spec: { storage: { storageClassName } },
    },
  ];
}

/** Pods are put on that node. */
function useOnly(node: string): void {
  const nodes = hosting.cluster.kubectl("get", "nodes", "-o", "jsonpath={.items[*].metadata.name}").split(" ");
  for (const each of nodes) hosting.cluster.kubectl(each === node ? "uncordon" : "cordon", each);
}

const kubectl = (...args: readonly string[]) => hosting.cluster.kubectl("-n", namespace, ...args);

function podOf(name: string, of = namespace): PodObject {
  return JSON.parse(hosting.cluster.kubectl("-n", of, "get", "pod", name, "-o", "json"));
}

/** @returns nothing before its container runs */
function logOf(name: string): string {
  try {
    return kubectl("logs", name);
  } catch {
    return "";
  }
}

interface Copy {
  readonly name: string;
  /** labels, annotations and owner */
  readonly marked?: boolean;
  /** what it has as its data; the claim of the original without it */
  readonly data?: object;
  /** changes of its environment */
  readonly env?: Readonly<Record<string, string>>;
  /** instead of what the scheduler says */
  readonly node?: string;
  readonly namespace?: string;
}

/** A pod as the operator makes them, by somebody else. */
function copyOf({ metadata, spec }: PodObject, copy: Copy): object {
  const { name, marked = false, data, env = {}, node, namespace: of = namespace } = copy;
  const { labels, annotations, ownerReferences } = metadata;
  const { nodeName: _nodeName, ...rest } = spec;
  return {
    ...{ apiVersion: "v1", kind: "Pod" },
    metadata: { name, namespace: of, ...(marked && { labels, annotations, ownerReferences }) },
    spec: {
      ...rest,
      ...(node !== undefined && { nodeName: node }),
      containers: spec.containers.map((container) => ({
        ...container,
        env: container.env.map((each) => ({ ...each, value: env[each.name] ?? each.value })),
      })),
      volumes: spec.volumes.map((volume) => (volume.name === "data" && data ? { name: "data", ...data } : volume)),
    },
  };
}

const noData = { emptyDir: {} };
const others = ["without-data", "with-claim", "past-scheduler", "forged", "older", "holder"];

const servingNow = () => hosting.until(namespace, "@alice", "Ready", "Serving");

/** Waits for another than the one before. */
function servedByAnother(before: AtSignObject, atSign = "@alice"): Promise<AtSignObject> {
  const isAnother = (seen: AtSignObject) =>
    conditionOf(seen, "Ready")?.reason === "Serving" && seen.status?.pod?.uid !== before.status?.pod?.uid;
  return hosting.untilSeen(namespace, atSign, isAnother, "served by another pod", 120_000);
}

async function expectUntouched({ metadata: { uid } }: PodObject): Promise<void> {
  expect((await servingNow()).status?.pod?.uid).toBe(uid);
  await expectData();
}

async function expectData(): Promise<void> {
  await using alice = await hosting.client("@alice");
  expect((await alice.get("phone.demo")).value).toBe("+1 555 0100");
}

/** What it says of itself, and that nobody can connect to it. */
async function expectNoService(name: string, problem: string): Promise<void> {
  await eventually(`${name} says: ${problem}`, 60_000, () => logOf(name).includes(problem));
  const { status } = podOf(name);
  expect(status.conditions).toContainEqual(expect.objectContaining({ type: "Ready", status: "False" }));
  await expect(connected(status.podIP ?? "")).resolves.toBe("ECONNREFUSED");
}

/** @returns "connected", or the code of the error */
function connected(host: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host, port: 6464, timeout: 5_000 });
    const end = (how: string) => {
      socket.destroy();
      resolve(how);
    };
    socket.once("connect", () => end("connected"));
    socket.once("timeout", () => end("timeout"));
    socket.once("error", (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
  });
}

describe("a second pod for an Atsign", () => {
  afterEach(() => {
    kubectl("delete", "pod", ...others, "--ignore-not-found", "--timeout=60s");
  }, 90_000);

  test.each([
    ["labels", "labels of atrium.dev on pods are written by the operator of Atrium alone"],
    ["annotations", "annotations of atrium.dev on pods are written by the operator of Atrium alone"],
    ["ownerReferences", "pods get owners of atrium.dev from the operator of Atrium alone"],
  ] as const)("is refused to who edits the namespace with the %s of the first", (what, words) => {
    const original = podOf("alice-atserver");
    const { metadata } = original;
    const marked = { ...metadata, labels: {}, annotations: {}, ownerReferences: [], [what]: metadata[what] };
    const copy = copyOf({ ...original, metadata: marked }, { name: "copy", marked: true, data: noData });
    expect(() => hosting.create(copy, "--as=editor")).toThrow(words);
  });

  test("gets no identity without them, whether it has the data or not", async () => {
    const original = podOf("alice-atserver");
    hosting.create(copyOf(original, { name: "without-data", data: noData }), "--as=editor");
    hosting.create(copyOf(original, { name: "with-claim" }), "--as=editor");
    // The scheduler alone sees to it that the claim is in use: who goes past it has the files.
    hosting.create(copyOf(original, { name: "past-scheduler", node: otherNode }), "--as=editor");
    for (const name of ["without-data", "past-scheduler"]) {
      await expectNoService(name, "the pod does not belong to an AtSign");
    }
    expect(messageOf(podOf("with-claim"), "PodScheduled")).toMatch(/ReadWriteOncePod access mode already in-use/);
    await expectUntouched(original);
  }, 120_000);

  test("gets no identity with all that the operator gives, by another name or epoch", async () => {
    const original = podOf("alice-atserver");
    const { status } = await servingNow();
    const older = { ATSERVER_EPOCH: String((status?.epoch ?? 0) - 1) };
    hosting.create(copyOf(original, { name: "forged", marked: true, data: noData }), `--as=${operator}`);
    hosting.create(copyOf(original, { name: "older", marked: true, data: noData, env: older }), `--as=${operator}`);
    await expectNoService("forged", "the pod is not the current one");
    await expectNoService("older", "the epoch is not the current one");
    await expectUntouched(original);
  }, 120_000);

  test("that was restored while it is suspended ends, and one that takes its place is told of", async () => {
    const original = podOf("alice-atserver");
    hosting.apply(namespace, "@alice", { className: "shared", runPolicy: "Suspended" });
    await hosting.until(namespace, "@alice", "Ready", "Suspended");
    kubectl("wait", "pod/alice-atserver", "--for=delete", "--timeout=60s");
    hosting.create(copyOf(original, { name: "alice-atserver", marked: true }), `--as=${operator}`);
    kubectl("wait", "pod/alice-atserver", "--for=delete", "--timeout=60s");

    hosting.create(copyOf(original, { name: "alice-atserver", data: noData }), "--as=editor");
    hosting.create(copyOf(original, { name: "holder" }), "--as=editor");
    await expectNoService("holder", "the pod does not belong to an AtSign");
    hosting.apply(namespace, "@alice", { className: "shared", runPolicy: "Always" });
    const refused = await hosting.until(namespace, "@alice", "Degraded", "ObjectRefused");
    expect(conditionOf(refused, "Ready")?.message).toMatch(
      /a Pod alice-atserver is there that is not Atrium's; delete it/,
    );
    kubectl("delete", "pod", "alice-atserver", "--timeout=60s");
    const waiting = await hosting.until(namespace, "@alice", "Degraded", "VolumePending");
    expect(conditionOf(waiting, "Ready")?.message).toMatch(/in-use by another pod.*Used By/s);
    kubectl("delete", "pod", "holder", "--timeout=60s");
    await servingNow();
    await expectData();
  }, 240_000);
});

/** Writes one value after the other, until it is told to stop or it cannot. */
function startWriting(client: Client, key: string) {
  const seen = { acknowledged: -1, over: false };
  const ended = (async () => {
    for (let turn = 0; !seen.over; turn++) {
      await client.put(key, String(turn));
      seen.acknowledged = turn;
    }
  })().then(
    () => undefined,
    (error: Error) => error,
  );
  return {
    get acknowledged() {
      return seen.acknowledged;
    },
    /** @returns why it could not go on */
    ended,
    stop() {
      seen.over = true;
      return ended;
    },
  };
}

const processesOf = (epoch: number | undefined) =>
  hosting.cluster.processes((env) => env.includes(`ATSERVER_EPOCH=${epoch}`) && env.includes("ATSERVER_DATA=/data"));

describe("an atServer that nobody can end", () => {
  test("because its pod was deleted by force while the kubelet was away: its successor takes over what it wrote", async () => {
    const before = await servingNow();
    const { status } = podOf("alice-atserver");
    await using older = await hosting.client("@alice", { host: status.podIP ?? "", port: 6464 });
    const writing = startWriting(older, "older.demo");
    await eventually("it writes", 10_000, () => writing.acknowledged > 10);
    otherKubelet.pause();
    try {
      useOnly(nodeName);
      kubectl("delete", "pod", "alice-atserver", "--force", "--grace-period=0");
      const after = await servedByAnother(before);
      expect(after.status?.epoch).toBeGreaterThan(before.status?.epoch ?? Number.POSITIVE_INFINITY);
      expect(podOf("alice-atserver").spec.nodeName).toBe(nodeName);
      // It was never told to end: it has found out.
      expect(await writing.ended).toBeDefined();
      await using newer = await hosting.client("@alice");
      expect(Number((await newer.get("older.demo")).value)).toBeGreaterThanOrEqual(writing.acknowledged);
      await newer.put("older.demo", "newer");
      await eventually("the older one has ended", 30_000, () => processesOf(before.status?.epoch).length === 0);
      expect((await newer.get("older.demo")).value).toBe("newer");
    } finally {
      otherKubelet.resume();
    }
    await expectData();
  }, 240_000);

  test("with an older epoch on the same files writes nothing, and ends", async () => {
    const original = podOf("alice-atserver");
    const { status } = await servingNow();
    hosting.cluster.apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: "administrators" } });
    const env = { ATSERVER_EPOCH: String((status?.epoch ?? 0) - 1) };
    const data = { hostPath: { path: shared } };
    hosting.create(copyOf(original, { name: "older", namespace: "administrators", data, env, node: nodeName }));
    await eventually("it ends", 60_000, () => endOf(podOf("older", "administrators"))?.exitCode === 76);
    expect(endOf(podOf("older", "administrators"))?.message).toContain("owns the data");
    hosting.cluster.kubectl("delete", "namespace", "administrators", "--timeout=60s");
    expect((await servingNow()).status?.epoch).toBe(status?.epoch);
    await expectData();
  }, 120_000);
});

function endOf({ status }: PodObject) {
  const [container] = status.containerStatuses ?? [];
  return container?.state?.terminated;
}

function messageOf({ status }: PodObject, type: string): string {
  return status.conditions?.find((condition) => condition.type === type)?.message ?? "";
}

describe("an atServer of a node that is lost", () => {
  let before: AtSignObject;
  let ofGone: AtSignObject;
  let goneKubelet: Program;

  beforeAll(async () => {
    const here = await servingNow();
    goneKubelet = await hosting.cluster.addNode(3);
    const path = join(hosting.cluster.directory, "shared-too");
    mkdirSync(path);
    chmodSync(path, 0o777);
    hosting.cluster.apply(...sharedStorage("shared-too", path));
    useOnly(goneNode);
    hosting.apply(namespace, "@bob", { className: "shared-too" });
    await hosting.activate(namespace, "@bob");
    await using bob = await hosting.client("@bob");
    await bob.put("phone.demo", "+1 555 0111");
    ofGone = await hosting.until(namespace, "@bob", "Ready", "Serving");
    // For good, from here on: that it is lost is seen while the next test runs.
    goneKubelet.pause();
    useOnly(otherNode);
    hosting.evict(namespace, "alice-atserver");
    before = await servedByAnother(here);
    hosting.cluster.kubectl("uncordon", nodeName);
  }, 180_000);

  const lost = () => hosting.until(namespace, "@alice", "Degraded", "NodeLost", 120_000);

  test("is not replaced, and serves again once the node is back", async () => {
    otherKubelet.pause();
    try {
      const seen = await lost();
      expect(conditionOf(seen, "Ready")).toMatchObject({ status: "False", reason: "NodeLost" });
      expect(conditionOf(seen, "Ready")?.message).toMatch(
        /node node-2 does not report.*bring the node back.*out-of-service/s,
      );
      expect(seen.status).toMatchObject({ epoch: before.status?.epoch, pod: before.status?.pod });
      expect(podOf("alice-atserver").metadata).toMatchObject({ uid: before.status?.pod?.uid });
      expect(podOf("alice-atserver").metadata.deletionTimestamp).toBeUndefined();
    } finally {
      otherKubelet.resume();
    }
    const after = await servingNow();
    expect(after.status?.pod).toEqual(before.status?.pod);
    expect(conditionOf(after, "Degraded")?.reason).toBe("AsExpected");
    await expectData();
  }, 240_000);

  test.concurrent("is replaced once its node is deleted, which Kubernetes gives a minute to come back", async () => {
    await hosting.until(namespace, "@bob", "Degraded", "NodeLost", 120_000);
    hosting.cluster.kubectl("delete", "node", goneNode);
    await servedByAnother(ofGone, "@bob");
    expect([nodeName, otherNode]).toContain(podOf("bob-atserver").spec.nodeName);
    await using bob = await hosting.client("@bob");
    expect((await bob.get("phone.demo")).value).toBe("+1 555 0111");
    await eventually("the older one has ended", 60_000, () => processesOf(ofGone.status?.epoch).length === 0);
  }, 300_000);

  test.concurrent("is replaced once somebody says that it is out of service, and serves nobody should it run all the same", async () => {
    const { status } = podOf("alice-atserver");
    await using older = await hosting.client("@alice", { host: status.podIP ?? "", port: 6464 });
    otherKubelet.pause();
    try {
      await lost();
      hosting.cluster.kubectl("taint", "node", otherNode, "node.kubernetes.io/out-of-service=nodeshutdown:NoExecute");
      await servedByAnother(before);
      expect(podOf("alice-atserver").spec.nodeName).toBe(nodeName);
      await using newer = await hosting.client("@alice");
      await newer.put("phone.demo", "+1 555 0199");
      // Nobody writes to the older one, and no kubelet asks how it is: it has to look itself.
      await eventually("the older one has ended", 60_000, () => processesOf(before.status?.epoch).length === 0);
      await expect(older.get("phone.demo")).rejects.toThrow();
    } finally {
      otherKubelet.resume();
    }
    hosting.cluster.kubectl("taint", "node", otherNode, "node.kubernetes.io/out-of-service-");
  }, 300_000);
});
