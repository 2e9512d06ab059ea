import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { type ApiServer, startApiServer } from "./api-server.ts";
import { leastValues, releaseNamespace } from "./helm.ts";

let server: ApiServer;

beforeAll(async () => {
  server = await startApiServer();
  await server.runWell("kubectl", ["create", "namespace", "customer-a"]);
  await server.helm("install", leastValues);
});
afterAll(async () => server[Symbol.asyncDispose]());

interface Rule {
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly nonResourceURLs?: readonly string[];
  readonly verbs: readonly string[];
}

/**
 * What a service account may do in a namespace, as the API server sees it: `verbs group/resource [names]`. Without what
 * every account may: ask what the API is, and who it is.
 */
async function rights(account: string, namespace: string): Promise<readonly string[]> {
  const everybody = await reviewed("nobody", namespace);
  return (await reviewed(account, namespace)).filter((rule) => !everybody.includes(rule));
}

async function reviewed(account: string, namespace: string): Promise<readonly string[]> {
  const groups = ["system:serviceaccounts", `system:serviceaccounts:${releaseNamespace}`, "system:authenticated"];
  const as = [
    `--as=system:serviceaccount:${releaseNamespace}:${account}`,
    ...groups.map((group) => `--as-group=${group}`),
  ];
  const review = { apiVersion: "authorization.k8s.io/v1", kind: "SelfSubjectRulesReview", spec: { namespace } };
  const path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews";
  const answer = await server.runWell("kubectl", [...as, "create", "--raw", path, "-f", "-"], JSON.stringify(review));
  const { resourceRules, nonResourceRules, incomplete } = JSON.parse(answer).status;
  expect(incomplete).toBe(false);
  return [...resourceRules, ...nonResourceRules].flatMap(lines).sort();
}

function lines({
  apiGroups = [],
  resources = [],
  resourceNames,
  nonResourceURLs = [],
  verbs,
}: Rule): readonly string[] {
  const names = resourceNames === undefined ? "" : ` [${[...resourceNames].sort().join(" ")}]`;
  const paths = apiGroups.flatMap((group) => resources.map((each) => (group === "" ? each : `${group}/${each}`)));
  return [...paths, ...nonResourceURLs].map((path) => `${path}${names}: ${[...verbs].sort().join(" ")}`);
}

/** In every namespace, and why. */
const everywhere: Readonly<Record<string, string>> = {
  "atrium.dev/atsignclasses: create list watch": "reads classes; makes the default one when there is none",
  "atrium.dev/atsigns/status: update": "says what is",
  "atrium.dev/atsigns: get list patch watch": "what it is all about; the finalizer of those whose data goes with them",
  "authentication.k8s.io/tokenreviews: create": "asks whose token an atServer comes with",
  "events.k8s.io/events: create patch": "tells what happens",
  "namespaces: list watch": "which may use a class, and which are being deleted",
  "networking.k8s.io/networkpolicies: create delete list patch watch": "one policy for the atServers of a namespace",
  "nodes: list watch": "which are lost",
  "persistentvolumeclaims: create delete get list patch watch": "the volumes of atServers",
  "persistentvolumes: get list patch": "the reclaim policy of what is to be retained, and whose data it is",
  "pods: create delete get list watch": "the atServers",
  "secrets: create delete get": "activation secrets, by name; it cannot list Secrets",
};

/** In the release's namespace besides, and why. */
const atHome: Readonly<Record<string, string>> = {
  "configmaps [atrium-trust]: get patch": "the roots that clients trust",
  "configmaps: create": "the same; what does not exist yet has no name to allow",
  "coordination.k8s.io/leases [atrium-operator]: get update": "who leads",
  "coordination.k8s.io/leases: create": "the same",
  "secrets [atrium-directory-serving-tls atrium-directory-tls atrium-gateway-tls]: get patch":
    "certificates of the platform's parts",
  "secrets [atrium-platform-ca]: get update": "the platform's CA",
};

test("the operator may do this in the namespace of a tenant, and no more", async () => {
  expect(await rights("atrium-operator", "customer-a")).toEqual(Object.keys(everywhere));
});

test("the operator may do this besides in its own namespace, and no more", async () => {
  const here = await rights("atrium-operator", releaseNamespace);
  expect(here.filter((right) => !(right in everywhere))).toEqual(Object.keys(atHome));
});

test.each(["atrium-gateway", "atrium-directory", "atrium-redis", "default"])("%s may do nothing", async (account) => {
  expect(await rights(account, releaseNamespace)).toEqual([]);
  expect(await rights(account, "customer-a")).toEqual([]);
});

test.each([
  ["edit", "atrium.dev/atsigns: create delete deletecollection get list patch update watch"],
  ["view", "atrium.dev/atsigns: get list watch"],
])("who may %s the AtSigns of a namespace may do this, and never write their status", async (what, right) => {
  const account = `tenant-${what}`;
  const role = `atrium-atsigns-${what}`;
  const subject = `--serviceaccount=${releaseNamespace}:${account}`;
  await server.runWell("kubectl", [
    ...["create", "rolebinding", account, "-n", "customer-a", `--clusterrole=${role}`, subject],
  ]);
  expect(await rights(account, "customer-a")).toEqual([right]);
  expect(await rights(account, releaseNamespace)).toEqual([]);
  const labels = await server.runWell("kubectl", ["get", "clusterrole", role, "-o", "jsonpath={.metadata.labels}"]);
  expect(JSON.parse(labels)).toHaveProperty([`rbac.authorization.k8s.io/aggregate-to-${what}`], "true");
});

test("the operator's lease is renewed at the level of leader elections, and nothing else of it is", async () => {
  const flows = JSON.parse(await server.runWell("kubectl", ["get", "flowschemas", "-o", "json"])).items as {
    metadata: { name: string; uid: string };
    status?: { conditions?: { type: string; status: string }[] };
  }[];
  const ours = flows.find(({ metadata }) => metadata.name === "atrium-operator-lease");
  expect(ours?.status?.conditions).not.toContainEqual(expect.objectContaining({ type: "Dangling", status: "True" }));
  const flowOf = async (path: string) => {
    const as = ["--as=system:serviceaccount:atrium-system:atrium-operator", "--as-group=system:serviceaccounts"];
    const { errors } = await server.run("kubectl", ["-v=8", "get", "--raw", path, ...as]);
    const uid = /X-Kubernetes-Pf-Flowschema-Uid: (\S+)/i.exec(errors)?.[1];
    return flows.find(({ metadata }) => metadata.uid === uid)?.metadata.name;
  };
  const of = `namespaces/${releaseNamespace}`;
  expect(await flowOf(`/apis/coordination.k8s.io/v1/${of}/leases/atrium-operator`)).toBe("atrium-operator-lease");
  expect(await flowOf(`/api/v1/${of}/secrets/atrium-platform-ca`)).toBe("service-accounts");
});

test("no pod but the operator's has a token", async () => {
  const workloads = ["get", "deployments,statefulsets", "-o", "json"];
  const { items } = JSON.parse(await server.runWell("kubectl", workloads));
  const withToken = items.filter(
    (item: { spec: Workload }) => item.spec.template.spec.automountServiceAccountToken !== false,
  );
  expect(withToken.map((item: { metadata: { name: string } }) => item.metadata.name)).toEqual(["atrium-operator"]);
});

interface Workload {
  readonly template: { readonly spec: { readonly automountServiceAccountToken?: boolean } };
}
