import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { OutgoingHttpHeaders } from "node:http";
import type { RequestOptions } from "node:https";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseAllDocuments } from "yaml";
import { binaries, binary } from "../../../../test/cluster/binaries.ts";
import { startControlPlane } from "../../../../test/cluster/control-plane.ts";
import { freePorts } from "../../../../test/cluster/ports.ts";
import { type Program, startProgram } from "../../../../test/cluster/program.ts";
import { ApiClient, ApiError, type KubernetesObject, pathOf, type Resource } from "../../controller/api.ts";
import { scratch } from "../../testing/scratch.ts";
import { chartFile } from "../generate.ts";

/** Whom a request is made as, and what it asks for besides. */
interface Caller {
  readonly user?: string;
  readonly groups?: readonly string[];
  readonly accept?: string;
}

/** An API server with etcd and nothing else. */
export interface TestApiServer extends AsyncDisposable {
  /** of the administrator who needs no permission, or of who is said */
  client(caller?: Caller): ApiClient;
  /** the controller manager with these of its controllers alone; it ends with the API server */
  startControllers(...names: readonly string[]): Promise<void>;
}

export async function startApiServer(): Promise<TestApiServer> {
  const directory = scratch();
  const say = (line: string) => void process.stderr.write(`${line}\n`);
  const files = await binaries(["etcd", "kube-apiserver"], say);
  const programs: Program[] = [];
  const plane = await startControlPlane({
    binary: (name) => files[name as keyof typeof files],
    directory: directory.path,
  });
  const authenticate = ({ user, groups = [], accept }: Caller) => {
    const headers: OutgoingHttpHeaders = {
      authorization: `Bearer ${plane.token}`,
      ...(user !== undefined && { "impersonate-user": user }),
      ...(groups.length > 0 && { "impersonate-group": [...groups] }),
      ...(accept !== undefined && { accept }),
    };
    return async (options: RequestOptions) => {
      options.ca = plane.ca;
      options.headers = Object.assign({}, options.headers, headers);
    };
  };
  return {
    client: (caller = {}) =>
      new ApiClient({
        getCurrentCluster: () => ({ server: plane.url }),
        applyToHTTPSOptions: authenticate(caller),
      }),
    async startControllers(...names) {
      const [port = 0] = await freePorts(1);
      const program = await startProgram({
        command: await binary("kube-controller-manager", say),
        args: [
          ...["--kubeconfig", plane.kubeconfig, "--controllers", names.join(","), "--leader-elect=false"],
          ...["--bind-address", "127.0.0.1", "--secure-port", String(port), "--cert-dir", directory.path],
        ],
        log: join(directory.path, "kube-controller-manager.log"),
        ready: () => listens(port),
      });
      programs.push(program);
    },
    async [Symbol.asyncDispose]() {
      for (const program of programs) await program.stop();
      await plane[Symbol.asyncDispose]();
      directory[Symbol.dispose]();
    },
  };
}

function listens(port: number): Promise<boolean> {
  const socket = connect({ host: "127.0.0.1", port });
  return once(socket, "connect")
    .then(
      () => true,
      () => false,
    )
    .finally(() => socket.destroy());
}

const definitions: Resource = { group: "apiextensions.k8s.io", version: "v1", plural: "customresourcedefinitions" };

/** The objects of a file of YAML. */
export function objectsOf(text: string): KubernetesObject[] {
  return parseAllDocuments(text).map((document) => {
    const [fault] = document.errors;
    if (fault !== undefined) throw fault;
    return document.toJS() as KubernetesObject;
  });
}

/** As `kubectl apply --server-side` does it. */
export async function apply(api: ApiClient, resource: Resource, object: KubernetesObject): Promise<KubernetesObject> {
  const { name, namespace } = object.metadata;
  return await api.request({
    method: "PATCH",
    path: pathOf(resource, { namespace, name }),
    query: { fieldManager: "test", fieldValidation: "Strict" },
    contentType: "application/apply-patch+yaml",
    body: object,
  });
}

/**
 * Applies the definitions of the chart, and waits until objects of them are served.
 *
 * @returns their resource versions
 */
export async function installDefinitions(
  api: ApiClient,
  objects = objectsOf(readFileSync(chartFile, "utf8")),
): Promise<(string | undefined)[]> {
  const applied = [];
  for (const object of objects) applied.push(await apply(api, definitions, object));
  for (const { metadata } of objects) await established(api, metadata.name);
  return applied.map(({ metadata }) => metadata.resourceVersion);
}

/** Watches one definition until it says that it is served. */
async function established(api: ApiClient, name: string): Promise<void> {
  interface Event {
    readonly object: { readonly status?: { readonly conditions?: readonly { type: string; status: string }[] } };
  }
  const query = { watch: true, fieldSelector: `metadata.name=${name}`, timeoutSeconds: 20 };
  for await (const { object } of api.stream<Event>({ path: pathOf(definitions), query }, 25_000)) {
    if (object.status?.conditions?.some(({ type, status }) => type === "Established" && status === "True")) return;
  }
  throw new Error(`${name} is not served`);
}

/** @returns what the API server said of the request, without its beginning; `accepted` when it did it */
export async function verdict(request: Promise<unknown>): Promise<string> {
  try {
    await request;
    return "accepted";
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return error.message;
  }
}

/** The API server takes up policies and definitions a moment after it has accepted them, and tells nobody when. */
export async function effective(holds: () => Promise<boolean>): Promise<void> {
  const deadline = AbortSignal.timeout(20_000);
  while (!(await holds())) await delay(50, undefined, { signal: deadline });
}
