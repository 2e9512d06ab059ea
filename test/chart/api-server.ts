import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { binaries } from "../cluster/binaries.ts";
import { startControlPlane } from "../cluster/control-plane.ts";
import { chartDirectory, type Ended, releaseNamespace, run, runWell, type Tool } from "./helm.ts";

/** A cluster without nodes: what is applied is checked and kept, and nothing runs. */
export interface ApiServer extends AsyncDisposable {
  readonly run: (tool: Tool, args: readonly string[], input?: string) => Promise<Ended>;
  /** @throws {Error} with what it said, when it fails */
  readonly runWell: (tool: Tool, args: readonly string[], input?: string) => Promise<string>;
  /** `helm install` or `helm upgrade` of the chart, in `atrium-system` */
  readonly helm: (command: "install" | "upgrade", values: object) => Promise<string>;
}

/** With the namespace `atrium-system`, whose pods must be restricted. */
export async function startApiServer(): Promise<ApiServer> {
  const directory = mkdtempSync(join(tmpdir(), "atrium-chart-"));
  const files = await binaries(["etcd", "kube-apiserver"], (progress) => process.stderr.write(`${progress}\n`));
  const plane = await startControlPlane({ directory, binary: (name) => files[name as keyof typeof files] });
  const access = ["--kubeconfig", plane.kubeconfig, "-n", releaseNamespace];
  const server: ApiServer = {
    run: (tool, args, input) => run(tool, [...access, ...args], input),
    runWell: (tool, args, input) => runWell(tool, [...access, ...args], input),
    helm: (command, values) =>
      server.runWell("helm", [command, "atrium", chartDirectory, "--values", "-"], JSON.stringify(values)),
    async [Symbol.asyncDispose]() {
      await plane[Symbol.asyncDispose]();
      rmSync(directory, { recursive: true, force: true });
    },
  };
  const namespace: object = {
    apiVersion: "v1",
    kind: "Namespace",
    metadata: {
      name: releaseNamespace,
      labels: {
        "pod-security.kubernetes.io/enforce": "restricted",
        "pod-security.kubernetes.io/warn": "restricted",
      },
    },
  };
  await server.runWell("kubectl", ["create", "-f", "-"], JSON.stringify(namespace));
  // The controller manager would make it.
  await server.runWell("kubectl", ["create", "serviceaccount", "default"]);
  return server;
}
