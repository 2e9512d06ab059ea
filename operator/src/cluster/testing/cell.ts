import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Address } from "@atrium/runtime/config.ts";
import type { Ready } from "@atrium/runtime/lifecycle.ts";
import { freePorts } from "../../../../test/cluster/ports.ts";
import {
  type ApiClient,
  ApiError,
  type KubernetesObject,
  type List,
  pathOf,
  type Resource,
} from "../../controller/api.ts";
import { startTestControlPlane, type TestControlPlane } from "../../controller/testing/control-plane.ts";
import { newCaSecret, secrets } from "../../identity/ca-secret.ts";
import {
  type CertificateAuthority,
  createRoot,
  openAuthority,
  type Pair,
} from "../../identity/certificate-authority.ts";
import { type AtSign, type AtSignSpec, atSigns } from "../../resources/at-sign.ts";
import { installDefinitions } from "../../resources/testing/api-server.ts";
import { namespaces, type Pod, pods } from "../kubernetes-objects.ts";
import { type OperatorProcess, operatorProcess } from "./operator-process.ts";

const zone = "at.test";
export const system = "atrium-system";
const platformId = "test-platform";

/** An API server alone, a directory and operators: what there is of a cell when nothing is run. */
export interface Cell extends AsyncDisposable {
  readonly plane: TestControlPlane;
  readonly client: ApiClient;
  readonly platform: Platform;
  /** lines of all operators so far are in it */
  readonly log: string;
  startOperator(environment?: Readonly<Record<string, string>>): Promise<OperatorProcess>;
  /** forgets everything, at the same address */
  restartDirectory(): Promise<void>;
  stopDirectory(): Promise<void>;
  /** what the directory's admin interface says of a name */
  record(name: string): Promise<{ readonly status: number; readonly body: Readonly<Record<string, unknown>> }>;
  isRegistryComplete(): Promise<boolean>;
}

/** What all cells of a platform share. */
interface Platform {
  readonly root: Pair;
  readonly authority: CertificateAuthority;
  readonly directory: TestDirectory;
}

interface CellOptions {
  readonly name?: string;
  /** the cells of a new platform */
  readonly cells?: readonly string[];
  /** that of another cell, which outlives this one */
  readonly platform?: Platform;
}

export async function startCell({ name = "main", cells = [name], platform }: CellOptions = {}): Promise<Cell> {
  await using stack = new AsyncDisposableStack();
  const plane = stack.use(await startTestControlPlane());
  const client = plane.client();
  await installDefinitions(client);
  await makeNamespace(client, system);
  const { root, authority, directory } = platform ?? (await newPlatform(stack, plane.directory, cells));
  const body = newCaSecret(system, root, platformId);
  await client.request({ method: "POST", path: pathOf(secrets, { namespace: system }), body });
  const operator = await authority.issue({ dnsNames: ["operator.atrium.internal"], client: true }, Date.now());
  const [gatewayPort = 0] = await freePorts(1);
  const log = join(plane.directory, "operator.log");
  const processes: OperatorProcess[] = [];
  stack.defer(async () => {
    for (const process of processes) await process[Symbol.asyncDispose]();
  });
  const running = stack.move();
  return {
    ...{ plane, client, log, platform: { root, authority, directory } },
    async startOperator(environment = {}) {
      const started = await operatorProcess(
        {
          PATH: process.env.PATH ?? "",
          KUBECONFIG: plane.kubeconfig,
          OPERATOR_ZONE: zone,
          OPERATOR_CELL: name,
          OPERATOR_NAMESPACE: system,
          // As of a container that is started again in its pod: the lease is its own.
          OPERATOR_POD_NAME: "operator",
          OPERATOR_INTERNAL_GATEWAY: `127.0.0.1:${gatewayPort}`,
          OPERATOR_DIRECTORY: `127.0.0.1:${directory.admin.port}`,
          OPERATOR_ATSERVER_DIRECTORY: "directory.test:64",
          OPERATOR_ATSERVER_IMAGE: "atserver:test",
          OPERATOR_IDENTITY_URL: "https://operator.test:8443",
          OPERATOR_IDENTITY_LISTEN: "127.0.0.1:0",
          OPERATOR_ROUTES_LISTEN: "127.0.0.1:0",
          OPERATOR_HEALTH_LISTEN: "127.0.0.1:0",
          OPERATOR_LOG_LEVEL: "debug",
          ...environment,
        },
        log,
      );
      processes.push(started);
      return started;
    },
    restartDirectory: () => directory.restart(),
    stopDirectory: () => directory.stop(),
    record: (name) => ask(directory.admin, { ...operator, ca: root.certificate }, `/v1/records/${name}`),
    async isRegistryComplete() {
      const { body: state } = await ask(directory.admin, { ...operator, ca: root.certificate }, "/v1/registry");
      return state.complete === true;
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

interface TestDirectory extends AsyncDisposable {
  readonly admin: Address;
  stop(): Promise<void>;
  restart(): Promise<void>;
}

async function newPlatform(stack: AsyncDisposableStack, path: string, cells: readonly string[]): Promise<Platform> {
  const root = await createRoot([zone, "atrium.internal", `${system}.svc`], Date.now());
  const authority = await openAuthority(root);
  const directory = stack.use(await startDirectory(join(path, "directory"), authority, cells));
  return { root, authority, directory };
}

async function startDirectory(
  path: string,
  authority: CertificateAuthority,
  cells: readonly string[],
): Promise<TestDirectory> {
  mkdirSync(path);
  const pair = await authority.issue({ dnsNames: ["directory.atrium.internal"], client: false }, Date.now());
  const files = { "certificate.pem": pair.certificate, "key.pem": pair.key, "trust.pem": authority.certificate };
  for (const [name, content] of Object.entries(files)) writeFileSync(join(path, name), content);
  const [port = 0] = await freePorts(1);
  let child: ChildProcess | undefined;
  const start = async () => {
    const started = fork(join(import.meta.dirname, "../../../../directory/src/main.ts"), {
      env: {
        DIRECTORY_LISTEN: "127.0.0.1:0",
        DIRECTORY_ADMIN_LISTEN: `127.0.0.1:${port}`,
        DIRECTORY_HEALTH_LISTEN: "127.0.0.1:0",
        DIRECTORY_TLS: path,
        DIRECTORY_ADMIN_CA: join(path, "trust.pem"),
        DIRECTORY_REGISTRY: "memory:",
        DIRECTORY_CELLS: cells.join(","),
      },
      execArgv: ["--disable-warning=ExperimentalWarning"],
      stdio: ["ignore", "pipe", "inherit", "ipc"],
    });
    child = started;
    started.stdout?.on("data", (text) => appendFileSync(join(path, "log"), text));
    await Promise.race([
      once(started, "message").then(([message]) => message as Ready),
      once(started, "exit").then(([code]) => Promise.reject(new Error(`the directory ended with ${code}`))),
    ]);
  };
  const stop = async () => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
  };
  await start();
  return {
    admin: { host: "127.0.0.1", port },
    stop,
    async restart() {
      await stop();
      await start();
    },
    [Symbol.asyncDispose]: stop,
  };
}

function ask(
  { host, port }: Address,
  { certificate, key, ca }: { certificate: string; key: string; ca: string },
  path: string,
): Promise<{ status: number; body: Record<string, unknown> }> {
  return new Promise((resolve, reject) => {
    const options = { host, port, path, cert: certificate, key, ca, servername: "directory.atrium.internal" };
    const asking = request({ ...options, agent: false }, async (response) => {
      try {
        const text = (await response.setEncoding("utf8").toArray()).join("");
        resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) });
      } catch (error) {
        reject(error);
      }
    });
    asking.once("error", reject);
    asking.end();
  });
}

/** Looks until it is so. @throws {Error} with what was seen last when it takes too long */
export async function until<T>(look: () => Promise<T> | T, isSo: (seen: T) => boolean, withinMs = 10_000): Promise<T> {
  const endMs = performance.now() + withinMs;
  for (;;) {
    const seen = await look();
    if (isSo(seen)) return seen;
    if (performance.now() > endMs)
      throw new Error(`not so within ${withinMs} ms: ${JSON.stringify(seen, withoutFields)}`);
    await delay(25);
  }
}

/** Who set which field is long, and of no interest. */
function withoutFields(key: string, value: unknown): unknown {
  return key === "managedFields" ? undefined : value;
}

/** @returns undefined when there is none */
export async function read<T extends KubernetesObject>(
  client: ApiClient,
  resource: Resource,
  of: { namespace?: string; name: string },
): Promise<T | undefined> {
  try {
    return await client.request<T>({ method: "GET", path: pathOf(resource, of) });
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  }
}

export async function list<T extends KubernetesObject>(client: ApiClient, resource: Resource, namespace?: string) {
  const { items } = await client.request<List<T>>({ method: "GET", path: pathOf(resource, { namespace }) });
  return items;
}

/** With what the controller manager would make in it. */
export async function makeNamespace(
  client: ApiClient,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<void> {
  const body = { apiVersion: "v1", kind: "Namespace", metadata: { name, labels } };
  await client.request({ method: "POST", path: pathOf(namespaces), body });
  const account = { apiVersion: "v1", kind: "ServiceAccount", metadata: { namespace: name, name: "default" } };
  const accounts = { group: "", version: "v1", plural: "serviceaccounts" };
  await client.request({ method: "POST", path: pathOf(accounts, { namespace: name }), body: account });
}

export async function applyAtSign(
  client: ApiClient,
  namespace: string,
  name: string,
  spec: Partial<AtSignSpec> = {},
  annotations: Readonly<Record<string, string>> = {},
): Promise<AtSign> {
  return await client.request<AtSign>({
    method: "PATCH",
    path: pathOf(atSigns, { namespace, name }),
    query: { fieldManager: "test", fieldValidation: "Strict", force: true },
    contentType: "application/apply-patch+yaml",
    body: {
      apiVersion: "atrium.dev/v1alpha1",
      kind: "AtSign",
      metadata: { namespace, name, annotations },
      spec: { atSign: `@${name}`, ...spec },
    },
  });
}

export async function remove(
  client: ApiClient,
  resource: Resource,
  of: { namespace?: string; name: string },
): Promise<void> {
  await client.request({ method: "DELETE", path: pathOf(resource, of), body: { gracePeriodSeconds: 0 } });
}

export async function patch(
  client: ApiClient,
  resource: Resource,
  { metadata }: KubernetesObject,
  body: object,
): Promise<void> {
  const { namespace, name } = metadata;
  const contentType = "application/merge-patch+json";
  await client.request({ method: "PATCH", path: pathOf(resource, { namespace, name }), contentType, body });
}

/** Writes what a kubelet would into the status of an object. */
export async function patchStatus(
  client: ApiClient,
  resource: Resource,
  of: { namespace?: string; name: string },
  status: object,
) {
  await client.request({
    method: "PATCH",
    path: pathOf(resource, { ...of, subresource: "status" }),
    contentType: "application/merge-patch+json",
    body: { status },
  });
}

/** As a kubelet does once the atServer's probe succeeds. */
export async function makeReady(client: ApiClient, pod: Pod, podIP = "10.1.2.3"): Promise<void> {
  const now = new Date().toISOString().replace(/\.\d+Z$/, "Z");
  const { namespace, name } = pod.metadata;
  await patchStatus(
    client,
    pods,
    { ...(namespace && { namespace }), name },
    {
      ...{ phase: "Running", podIP, podIPs: [{ ip: podIP }] },
      conditions: [{ type: "Ready", status: "True", lastTransitionTime: now }],
      containerStatuses: [
        {
          ...{ name: "atserver", image: "atserver:test", imageID: "", ready: true, restartCount: 0 },
          state: { running: { startedAt: now } },
        },
      ],
    },
  );
}

/** The reason of a condition, with its status: `Ready=False:Starting`. */
export function told(atSign: AtSign | undefined, type: string): string {
  const condition = atSign?.status?.conditions?.find((each) => each.type === type);
  return condition === undefined ? "" : `${condition.status}:${condition.reason}`;
}
