import { describe, expect, test } from "@jest/globals";
import { ObjectStore } from "../controller/store.ts";
import type { AtSign } from "../resources/at-sign.ts";
import { type AtSignClass, standardClass } from "../resources/at-sign-class.ts";
import type { Node, Pod, VolumeClaim } from "./kubernetes-objects.ts";
import { claimsOf } from "./names.ts";
import { podOf, type Site } from "./objects/pod.ts";
import { type Sources, viewOf } from "./view.ts";

const now = Date.parse("2026-11-24T10:00:00Z");
const ago = (ms: number) => new Date(now - ms).toISOString();

const site: Site = {
  zone: "at.test",
  gatewayPort: 443,
  identityUrl: "https://operator.test:8443",
  internalGateway: { host: "gateway.test", port: 6464 },
  directory: { host: "directory.test", port: 64 },
  image: "atserver:1",
  privateAddresses: undefined,
  priorityClass: undefined,
  otlpEndpoint: undefined,
  trust: "PEM",
};

const alice: AtSign = {
  metadata: { namespace: "a", name: "alice", uid: "u1" },
  spec: { atSign: "@alice", runPolicy: "Always", deletionPolicy: "Retain" },
  status: { epoch: 7, pod: { name: "alice-atserver", uid: "p1" } },
};

const container = { name: "atserver", restartCount: 0 };
const readyStatus = { phase: "Running", podIP: "10.0.0.1", conditions: [{ type: "Ready", status: "True" as const }] };

function pod(changes: Omit<Partial<Pod>, "metadata"> & { readonly metadata?: Partial<Pod["metadata"]> } = {}): Pod {
  const made = podOf({ atSign: alice, spec: standardClass().spec, host: "alice.at.test", site }, 7);
  const metadata = { ...made.metadata, uid: "p1", creationTimestamp: ago(60_000), ...changes.metadata };
  return { spec: { nodeName: "n1" }, status: readyStatus, ...changes, metadata };
}

const bound: VolumeClaim = {
  metadata: { namespace: "a", name: "alice-data" },
  spec: { volumeName: "v1" },
  status: { phase: "Bound" },
};

function view(
  changes: Partial<Sources> & { readonly nodeReady?: "True" | "Unknown"; classes?: readonly AtSignClass[] },
) {
  const { nodeReady = "True", classes: all = [standardClass()], ...sources } = changes;
  const [classes, namespaces, nodes] = [new ObjectStore<AtSignClass>(), new ObjectStore(), new ObjectStore<Node>()];
  for (const each of all) classes.set(each);
  nodes.set({ metadata: { name: "n1" }, status: { conditions: [{ type: "Ready", status: nodeReady }] } });
  return viewOf({
    ...{ key: "a/alice", atSign: alice, pod: pod(), volumeClaim: bound, site, claims: claimsOf("p", "main"), now },
    ...{ stores: { classes, namespaces, nodes }, listing: { state: "ours", generation: 7, parked: false } },
    ...{ failure: undefined, refusal: undefined, outOfMemory: undefined, mayReplace: () => true, ...sources },
  });
}

describe("a pod is seen as", () => {
  test.each<[string, Parameters<typeof view>[0], object]>([
    ["ready", {}, { state: "ready", epoch: 7, uid: "p1", address: "10.0.0.1", port: 6464 }],
    ["absent", { pod: undefined }, { state: "absent" }],
    ["starting", { pod: pod({ status: { phase: "Pending" } }) }, { state: "starting", epoch: 7 }],
    ["stopping", { pod: pod({ metadata: { deletionTimestamp: ago(0) } }) }, { state: "stopping", epoch: 7 }],
    ["lost with its node", { nodeReady: "Unknown" }, { state: "lost", epoch: 7 }],
    [
      "lost with its node, though its end was asked for",
      { nodeReady: "Unknown", pod: pod({ metadata: { deletionTimestamp: ago(0) } }) },
      { state: "lost", epoch: 7 },
    ],
    [
      "failed",
      { pod: pod({ status: { phase: "Failed" } }), failure: { failures: 2, endedAt: now, how: "exit code 1" } },
      { state: "failed", failures: 2, endedAt: now, how: "exit code 1" },
    ],
    ["one to replace: of another UID", { pod: pod({ metadata: { uid: "p2" } }) }, { state: "starting", replace: true }],
    [
      "one to replace: of another epoch",
      { pod: pod({ metadata: { annotations: { "atrium.dev/epoch": "6" } } }) },
      { state: "starting", replace: true },
    ],
    [
      "one to replace: of an AtSign that was there before",
      { atSign: { ...alice, metadata: { ...alice.metadata, uid: "u2" } } },
      { state: "starting", replace: true },
    ],
    ["one to replace: of another image", { site: { ...site, image: "atserver:2" } }, { state: "ready", replace: true }],
    [
      "one to replace, when its turn comes",
      { site: { ...site, image: "atserver:2" }, mayReplace: () => false },
      { state: "ready" },
    ],
    [
      "one to replace at once: of another image, and not ready",
      { site: { ...site, image: "atserver:2" }, pod: pod({ status: { phase: "Pending" } }), mayReplace: () => false },
      { state: "starting", replace: true },
    ],
  ])("%s", (_what, sources, server) => {
    const seen = view(sources).observed.server;
    expect(seen).toMatchObject(server);
    expect("replace" in seen).toBe("replace" in server);
  });
});

const waiting = (reason: string, message: string): Pod =>
  pod({ status: { phase: "Pending", containerStatuses: [{ ...container, state: { waiting: { reason, message } } }] } });
const unscheduled = (message: string, createdMs: number): Pod =>
  pod({
    metadata: { creationTimestamp: ago(createdMs) },
    status: {
      phase: "Pending",
      conditions: [{ type: "PodScheduled", status: "False", reason: "Unschedulable", message }],
    },
  });
const provisioned = (reason: string, status: "True" | "False", message: string): AtSign => ({
  ...alice,
  status: { conditions: [{ type: "Provisioned", status, reason, message, lastTransitionTime: "" }] },
});

describe("in the way is", () => {
  test.each<[string, Parameters<typeof view>[0], string | undefined, RegExp]>([
    ["nothing", {}, undefined, /^$/],
    [
      "an image",
      { pod: waiting("ErrImagePull", "no such host") },
      "ImageNotPulled",
      /^no such host; correct the image/,
    ],
    [
      "an image, in the kubelet's other words",
      { pod: waiting("ImagePullBackOff", 'Back-off pulling image "a/b:1": ErrImagePull: no such host') },
      "ImageNotPulled",
      /^no such host; correct the image/,
    ],
    ["a container", { pod: waiting("CreateContainerError", "no user") }, "ContainerNotCreated", /no user/],
    ["no node", { pod: unscheduled("0/3 nodes are available", 6_000) }, "Unschedulable", /0\/3 .*; add nodes/],
    ["nothing, if no node has it a moment ago", { pod: unscheduled("0/3 nodes", 1_000) }, undefined, /^$/],
    ["a volume", { pod: unscheduled("unbound PersistentVolumeClaims", 6_000) }, "VolumePending", /describe pvc/],
    [
      "another pod that has the claim",
      {
        pod: unscheduled(
          "PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod",
          6_000,
        ),
      },
      "VolumePending",
      /in-use by another pod; .*Used By/,
    ],
    ["a volume that went", { volumeClaim: { ...bound, status: { phase: "Lost" } } }, "VolumeLost", /is gone/],
    [
      "a volume that is going",
      { volumeClaim: { ...bound, metadata: { ...bound.metadata, deletionTimestamp: ago(0) } } },
      "VolumeLost",
      /is being deleted/,
    ],
    [
      "nothing but a claim that is going and never had a volume",
      {
        pod: undefined,
        volumeClaim: {
          metadata: { ...bound.metadata, deletionTimestamp: ago(0) },
          status: { phase: "Pending" },
        },
      },
      "VolumePending",
      /another is made/,
    ],
    [
      "a claim that went, which had data",
      { volumeClaim: undefined, atSign: provisioned("Provisioned", "True", "the data is in the volume v1") },
      "VolumeLost",
      /alice-data was deleted \(the data is in the volume v1\)/,
    ],
    [
      "a claim that went, still",
      { volumeClaim: undefined, atSign: provisioned("VolumeLost", "False", "as before") },
      "VolumeLost",
      /^as before$/,
    ],
    [
      "nothing, when no claim was made yet",
      { volumeClaim: undefined, atSign: provisioned("NoVolume", "False", "") },
      undefined,
      /^$/,
    ],
    ["a class", { classes: [] }, "ClassNotFound", /annotate one/],
    [
      "memory",
      { outOfMemory: { at: "10:00", limit: "16Mi", until: now + 1 } },
      "OutOfMemory",
      /its limit of 16Mi .*10:00/,
    ],
    ["a node", { nodeReady: "Unknown" }, "NodeLost", /n1 .*out-of-service/],
    [
      "nothing, when it shall not run",
      { nodeReady: "Unknown", atSign: { ...alice, spec: { ...alice.spec, runPolicy: "Suspended" } } },
      undefined,
      /^$/,
    ],
  ])("%s", (_what, sources, reason, message) => {
    const { obstacle } = view(sources).observed;
    expect(obstacle?.reason).toBe(reason);
    expect(obstacle?.message ?? "").toMatch(message);
  });
});

test("what is normal for a moment is looked at again", () => {
  expect(view({ pod: unscheduled("0/3 nodes", 1_000) }).lookAgainAt).toBe(now + 4_000);
  expect(view({}).lookAgainAt).toBeUndefined();
});

test.each([
  ["b/bob", "Released"],
  ["bob", "Released"],
  ["eu2/b/bob", "Released"],
  ["a/eu2/b/bob", "Always"],
  ["b/", "Always"],
  ["0123456789abcdef0123456789abcdef", "Released"],
  ["not a name!", "Always"],
])("the annotation release-to with %s means %s", (to, run) => {
  const metadata = { ...alice.metadata, annotations: { "atrium.dev/release-to": to } };
  expect(view({ atSign: { ...alice, metadata } }).observed.wanted.run).toBe(run);
});
