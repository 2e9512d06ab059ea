import type { IncomingMessage, OutgoingHttpHeaders } from "node:http";
import { type RequestOptions, request } from "node:https";
import { text } from "node:stream/consumers";
import { binaries } from "../../../../test/cluster/binaries.ts";
import { type ControlPlane, startControlPlane } from "../../../../test/cluster/control-plane.ts";
import { scratch } from "../../testing/scratch.ts";
import { ApiClient, type ApiClientOptions, type KubernetesObject, type List, pathOf, type Resource } from "../api.ts";
import { type Applied, Writer } from "../writer.ts";

interface Caller extends ApiClientOptions {
  /** in place of the administrator */
  readonly user?: string;
  /** where it is dialled, in place of the API server */
  readonly port?: number;
}

/** An API server and etcd of a test's own. */
export interface TestControlPlane extends ControlPlane {
  readonly directory: string;
  readonly port: number;
  client(caller?: Caller): ApiClient;
}

/** @param flags of the API server; may name files of the directory */
export async function startTestControlPlane(
  flags: (directory: string) => readonly string[] = () => [],
): Promise<TestControlPlane> {
  const directory = scratch();
  const files = await binaries(["etcd", "kube-apiserver"], (line) => process.stderr.write(`${line}\n`));
  const plane = await startControlPlane({
    binary: (name) => files[name as keyof typeof files],
    directory: directory.path,
    extraFlags: flags(directory.path),
  });
  return {
    url: plane.url,
    ca: plane.ca,
    token: plane.token,
    kubeconfig: plane.kubeconfig,
    etcdUrl: plane.etcdUrl,
    get apiServer() {
      return plane.apiServer;
    },
    restartApiServer: () => plane.restartApiServer(),
    directory: directory.path,
    port: Number(new URL(plane.url).port),
    client: ({ user, port, ...options } = {}) => new ApiClient(credentials(plane, { user, port }), options),
    async [Symbol.asyncDispose]() {
      await plane[Symbol.asyncDispose]();
      directory[Symbol.dispose]();
    },
  };
}

/** Of the administrator, who may pose as somebody else. */
export function credentials(
  { url, ca, token }: Pick<ControlPlane, "url" | "ca" | "token">,
  { user, port }: { user?: string | undefined; port?: number | undefined } = {},
) {
  const server = port === undefined ? url : `https://127.0.0.1:${port}`;
  const headers: OutgoingHttpHeaders = {
    authorization: `Bearer ${token}`,
    ...(user !== undefined && { "impersonate-user": user }),
  };
  return {
    getCurrentCluster: () => ({ server }),
    async applyToHTTPSOptions(options: RequestOptions) {
      options.ca = ca;
      options.headers = Object.assign({}, options.headers, headers);
    },
  };
}

/**
 * Lets one user do everything, but hardly anything at the same time: the API server refuses the rest with 429 (its
 * concurrency is divided by shares, and this user's flow has the least, cannot borrow and does not queue).
 */
export async function throttle(plane: TestControlPlane, user: string): Promise<void> {
  const client = plane.client();
  const writer = new Writer({ client, term: undefined });
  const subjects = [{ kind: "User", name: user, apiGroup: "rbac.authorization.k8s.io" }];
  const rbac = { group: "rbac.authorization.k8s.io", version: "v1", plural: "clusterrolebindings" };
  const flow = { group: "flowcontrol.apiserver.k8s.io", version: "v1" };
  const metadata = { name: user };
  await writer.create(rbac, {
    ...{ apiVersion: "rbac.authorization.k8s.io/v1", kind: "ClusterRoleBinding", metadata, subjects },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "cluster-admin" },
  } as Applied);
  await writer.create({ ...flow, plural: "prioritylevelconfigurations" }, {
    ...{ apiVersion: "flowcontrol.apiserver.k8s.io/v1", kind: "PriorityLevelConfiguration", metadata },
    spec: {
      type: "Limited",
      limited: {
        ...{ nominalConcurrencyShares: 1, lendablePercent: 0, borrowingLimitPercent: 0 },
        limitResponse: { type: "Reject" },
      },
    },
  } as Applied);
  const all = { verbs: ["*"], apiGroups: ["*"], resources: ["*"], namespaces: ["*"], clusterScope: true };
  await writer.create({ ...flow, plural: "flowschemas" }, {
    ...{ apiVersion: "flowcontrol.apiserver.k8s.io/v1", kind: "FlowSchema", metadata },
    spec: {
      priorityLevelConfiguration: { name: user },
      matchingPrecedence: 2,
      rules: [{ subjects: [{ kind: "User", user: { name: user } }], resourceRules: [all] }],
    },
  } as Applied);
  const deadline = AbortSignal.timeout(20_000);
  // Nobody tells when it has effect.
  const refused = () => metric(plane, "apiserver_flowcontrol_rejected_requests_total", `flow_schema="${user}"`);
  while ((await refused()) === undefined) {
    deadline.throwIfAborted();
    const client = plane.client({ user });
    const asks = Array.from({ length: 20 }, () => client.request({ method: "GET", path: pathOf(configMaps) }));
    await Promise.all(asks);
  }
}

/** A metric of the API server, summed over all that have this label; undefined when there is none. */
export async function metric(
  plane: Pick<ControlPlane, "url" | "ca" | "token">,
  name: string,
  label: string,
): Promise<number | undefined> {
  const options = { headers: {}, agent: false } as const;
  await credentials(plane).applyToHTTPSOptions(options);
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    request(`${plane.url}/metrics`, options, resolve).once("error", reject).end();
  });
  const lines = (await text(answer)).split("\n").filter((line) => line.startsWith(`${name}{`) && line.includes(label));
  return lines.length === 0 ? undefined : lines.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
}

/** Everything of etcd that is older than now is forgotten. */
export async function compactEtcd({ etcdUrl }: Pick<ControlPlane, "etcdUrl">): Promise<void> {
  const ask = async (path: string, body: unknown) => {
    const answer = await fetch(`${etcdUrl}/v3/kv/${path}`, { method: "POST", body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`${path}: ${await answer.text()}`);
    return (await answer.json()) as { header: { revision: string } };
  };
  const { header } = await ask("range", { key: Buffer.from("/").toString("base64") });
  await ask("compaction", { revision: header.revision, physical: true });
}

export interface ConfigMap extends KubernetesObject {
  readonly data?: Readonly<Record<string, string>>;
}

export const configMaps: Resource = { group: "", version: "v1", plural: "configmaps" };

export function configMap(namespace: string, name: string, data: Readonly<Record<string, string>> = {}) {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { namespace, name }, data };
}

export async function createNamespace(client: ApiClient, name: string): Promise<void> {
  const namespaces: Resource = { group: "", version: "v1", plural: "namespaces" };
  const body = { apiVersion: "v1", kind: "Namespace", metadata: { name } };
  await client.request({ method: "POST", path: pathOf(namespaces), body });
}

/** What the API server has, in one answer. */
export async function listed<T>(client: ApiClient, resource: Resource, namespace: string): Promise<readonly T[]> {
  const { items } = await client.request<List<T>>({ method: "GET", path: pathOf(resource, { namespace }) });
  return items;
}
