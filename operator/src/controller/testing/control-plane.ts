import type { OutgoingHttpHeaders } from "node:http";
import type { RequestOptions } from "node:https";
import { binaries } from "../../../../test/cluster/binaries.ts";
import { type ControlPlane, startControlPlane } from "../../../../test/cluster/control-plane.ts";
import { scratch } from "../../testing/scratch.ts";
import { ApiClient, type ApiClientOptions, type KubernetesObject, type List, pathOf, type Resource } from "../api.ts";

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
    ...(user !== undefined && { "impersonate-user": user, "impersonate-group": "system:masters" }),
  };
  return {
    getCurrentCluster: () => ({ server }),
    async applyToHTTPSOptions(options: RequestOptions) {
      options.ca = ca;
      options.headers = Object.assign({}, options.headers, headers);
    },
  };
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
