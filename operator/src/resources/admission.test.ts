import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type ApiClient, type KubernetesObject, pathOf, type RequestParts } from "../controller/api.ts";
import { atSigns } from "./at-sign.ts";
import {
  apply,
  effective,
  installDefinitions,
  objectsOf,
  startApiServer,
  type TestApiServer,
  verdict,
} from "./testing/api-server.ts";
import { apiVersion, atSign } from "./testing/objects.ts";
import { render } from "./testing/render.ts";
import { coreResources, resourceOf } from "./testing/resources.ts";

const { pods, namespaces, serviceAccounts } = coreResources;
const tenant = "customer-a";
const platform = "atrium-system";

let server: TestApiServer;
let admin: ApiClient;
let operator: ApiClient;
let editor: ApiClient;

beforeAll(async () => {
  server = await startApiServer();
  admin = server.client();
  // Of the group that may do everything: what is refused is refused by the policy.
  const as = (user: string) => server.client({ user, groups: ["system:masters"] });
  operator = as(`system:serviceaccount:${platform}:atrium-operator`);
  editor = as("editor");
  await installDefinitions(admin);
  for (const name of [tenant, platform, "kube-system"]) await makeNamespace(name);
  const policies = objectsOf(await render("admission.yaml", { namespace: platform }));
  for (const object of policies) await apply(admin, resourceOf(object), object);
  await effective(async () => (await create(editor, pod({ labels: { "atrium.dev/atsign": "a" } }))) !== "accepted");
  await effective(async () => (await setStatus(editor, {})) !== "accepted");
}, 60_000);

afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
});

const owner = { apiVersion, kind: "AtSign", name: "alice", uid: "0a1b2c3d", controller: true };
const otherOwner = { apiVersion: "v1", kind: "ConfigMap", name: "alice", uid: "0a1b2c3d" };

const refusals = {
  labels: "labels of atrium.dev on pods are written by the operator of Atrium alone",
  annotations: "annotations of atrium.dev on pods are written by the operator of Atrium alone",
  ownerReferences: "pods get owners of atrium.dev from the operator of Atrium alone",
};

const marked: [keyof typeof refusals, Metadata][] = [
  ["labels", { labels: { "atrium.dev/atsign": "alice" } }],
  ["labels", { labels: { "atrium.dev/atsign": "" } }],
  ["labels", { labels: { "sub.atrium.dev/x": "" } }],
  ["annotations", { annotations: { "atrium.dev/epoch": "1" } }],
  ["ownerReferences", { ownerReferences: [owner] }],
  ["ownerReferences", { ownerReferences: [otherOwner, { ...owner, apiVersion: "atrium.dev/v1" }] }],
];

describe("a new pod", () => {
  test.each<[string, Metadata]>([
    ["nothing", {}],
    [
      "names that only look alike",
      { labels: { "notatrium.dev/x": "", atrium: "", "app.kubernetes.io/part-of": "atrium" } },
    ],
    ["the name in a value", { annotations: { "example.org/x": "atrium.dev/epoch" } }],
    ["another owner", { ownerReferences: [otherOwner] }],
  ])("with %s may be anybody's", async (_what, metadata) => {
    expect(await create(editor, pod(metadata))).toBe("accepted");
  });

  test.each(marked)("with such %s is the operator's alone: %j", async (what, metadata) => {
    expect(await create(operator, pod(metadata))).toBe("accepted");
    expect(await create(editor, pod(metadata))).toContain(refusals[what]);
    const controller = server.client({
      user: "system:serviceaccount:kube-system:replicaset-controller",
      groups: ["system:masters"],
    });
    expect(await create(controller, pod(metadata))).toContain(refusals[what]);
  });

  test("of another namespace's service account of the same name is refused", async () => {
    const other = server.client({
      user: `system:serviceaccount:${tenant}:atrium-operator`,
      groups: ["system:masters"],
    });
    expect(await create(other, pod({ labels: { "atrium.dev/atsign": "a" } }))).toContain(refusals.labels);
  });

  test.each(["kube-system", platform])("of %s is nobody's business", async (namespace) => {
    const metadata = { namespace, labels: { "atrium.dev/atsign": "a" } };
    expect(await create(editor, pod(metadata))).toBe("accepted");
  });

  test("is not hidden by very many labels", async () => {
    const many = Object.fromEntries(Array.from({ length: 10_000 }, (_, n) => [`l${n}`, ""]));
    expect(await create(editor, pod({ labels: many }))).toBe("accepted");
    expect(await create(editor, pod({ labels: { ...many, "atrium.dev/atsign": "a" } }))).toContain(refusals.labels);
  });
});

describe("a pod that is there", () => {
  test.each(marked)("gets no such %s: %j", async (what, metadata) => {
    const name = await make(pod({}));
    expect(await patch(editor, name, metadata)).toContain(refusals[what]);
    expect(await patch(editor, name, metadata, "status")).toMatch(
      what === "ownerReferences" ? "accepted" : refusals[what],
    );
    expect(await patch(operator, name, metadata)).toBe("accepted");
  });

  test("keeps what the operator wrote, and is otherwise anybody's", async () => {
    const labels = { "atrium.dev/atsign": "alice" };
    const annotations = { "atrium.dev/epoch": "1" };
    const name = await make(pod({ labels, annotations, ownerReferences: [owner] }));
    expect(await patch(editor, name, { labels: { "atrium.dev/atsign": "bob" } })).toContain(refusals.labels);
    expect(await patch(editor, name, { labels: { "atrium.dev/atsign": null } })).toContain(refusals.labels);
    expect(await patch(editor, name, { annotations: { "atrium.dev/epoch": null } })).toContain(refusals.annotations);
    expect(await patch(editor, name, { labels: { mine: "yes" }, annotations: { mine: "yes" } })).toBe("accepted");
  });

  test("may lose its owner, as the garbage collector does it", async () => {
    const collector = server.client({
      user: "system:serviceaccount:kube-system:generic-garbage-collector",
      groups: ["system:masters"],
    });
    const name = await make(pod({ ownerReferences: [owner] }));
    const unblocked = { ...owner, blockOwnerDeletion: false };
    expect(await patch(collector, name, { ownerReferences: [unblocked] })).toBe("accepted");
    expect(await patch(collector, name, { ownerReferences: [] })).toBe("accepted");
    expect(await patch(collector, name, { ownerReferences: [owner] })).toContain(refusals.ownerReferences);
  });

  test("does not come to an owner by way of another", async () => {
    const name = await make(pod({ ownerReferences: [otherOwner] }));
    expect(await patch(editor, name, { ownerReferences: [owner] })).toContain(refusals.ownerReferences);
  });

  test("is not marked by who binds it to a node", async () => {
    const name = await make(pod({}));
    const bind = (metadata: Metadata) =>
      verdict(
        editor.request({
          method: "POST",
          path: pathOf(pods, { namespace: tenant, name, subresource: "binding" }),
          body: {
            apiVersion: "v1",
            kind: "Binding",
            metadata: { name, namespace: tenant, ...metadata },
            target: { apiVersion: "v1", kind: "Node", name: "node" },
          },
        }),
      );
    expect(await bind({ annotations: { "atrium.dev/epoch": "1" } })).toContain(refusals.annotations);
    expect(await bind({ annotations: { "example.org/x": "1" } })).toBe("accepted");
  });

  test("may be deleted by anybody", async () => {
    const name = await make(pod({ labels: { "atrium.dev/atsign": "alice" } }));
    const path = pathOf(pods, { namespace: tenant, name });
    expect(await verdict(editor.request({ method: "DELETE", path }))).toBe("accepted");
  });
});

describe("an AtSign", () => {
  test("has its spec from anybody and its status from the operator", async () => {
    await apply(editor, atSigns, atSign("alice", { atSign: "@alice" }));
    expect(await setStatus(editor, { epoch: 7 })).toContain(
      "the status of AtSigns is written by the operator of Atrium alone",
    );
    expect(await setStatus(operator, { epoch: 7 })).toBe("accepted");
    await apply(editor, atSigns, atSign("alice", { atSign: "@alice", runPolicy: "Suspended" }));
  });
});

interface Metadata {
  readonly namespace?: string;
  readonly labels?: Readonly<Record<string, string | null>>;
  readonly annotations?: Readonly<Record<string, string | null>>;
  readonly ownerReferences?: readonly object[];
}

function pod(metadata: Metadata) {
  const spec = { containers: [{ name: "main", image: "example.org/any" }] };
  return { apiVersion: "v1", kind: "Pod", metadata: { namespace: tenant, generateName: "pod-", ...metadata }, spec };
}

function create(client: ApiClient, object: ReturnType<typeof pod>): Promise<string> {
  return verdict(client.request({ ...creation(object), query: { dryRun: "All" } }));
}

/** @returns its name */
async function make(object: ReturnType<typeof pod>): Promise<string> {
  return (await operator.request<KubernetesObject>(creation(object))).metadata.name;
}

function creation(object: ReturnType<typeof pod>): RequestParts {
  return { method: "POST", path: pathOf(pods, { namespace: object.metadata.namespace }), body: object };
}

function patch(client: ApiClient, name: string, metadata: Metadata, subresource?: string): Promise<string> {
  return verdict(
    client.request({
      method: "PATCH",
      path: pathOf(pods, { namespace: tenant, name, ...(subresource !== undefined && { subresource }) }),
      contentType: "application/merge-patch+json",
      body: { metadata },
    }),
  );
}

function setStatus(client: ApiClient, status: object): Promise<string> {
  return verdict(
    client.request({
      method: "PATCH",
      path: pathOf(atSigns, { namespace: "default", name: "alice", subresource: "status" }),
      contentType: "application/merge-patch+json",
      body: { status },
    }),
  );
}

/** With what makes a namespace's first pod possible. */
async function makeNamespace(name: string): Promise<void> {
  await apply(admin, namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name } });
  const metadata = { name: "default", namespace: name };
  await apply(admin, serviceAccounts, { apiVersion: "v1", kind: "ServiceAccount", metadata });
}
