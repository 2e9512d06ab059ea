import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { binary } from "../../../../test/cluster/binaries.ts";
import { type ApiClient, pathOf, type Resource } from "../../controller/api.ts";
import type { Applied } from "../../controller/writer.ts";
import { Writer } from "../../controller/writer.ts";
import { objectsOf } from "../../resources/testing/api-server.ts";

const chart = fileURLToPath(new URL("../../../../helm/atrium", import.meta.url));
const namespaces: Resource = { group: "", version: "v1", plural: "namespaces" };

/** Gives the operator's service account what the chart gives it. @returns its user name */
export async function grantRights(admin: ApiClient, namespace: string): Promise<string> {
  const helm = await binary("helm", (line) => process.stderr.write(`${line}\n`));
  const template = "templates/operator/rbac.yaml";
  const args = ["-n", namespace, "--kube-version", "1.36.0", "--set", "zone=at.test", "--show-only", template];
  const { status, stdout, stderr, error } = spawnSync(helm, ["template", "atrium", chart, ...args], {
    encoding: "utf8",
    timeout: 30_000,
  });
  if (status !== 0) throw error ?? new Error(stderr);
  const body = { metadata: { name: namespace } };
  await admin.request({ method: "POST", path: pathOf(namespaces), body });
  const writer = new Writer({ client: admin, term: undefined });
  for (const object of objectsOf(stdout) as Applied[]) {
    const plural = `${object.kind.toLowerCase()}s`;
    const cluster = object.kind.startsWith("Cluster");
    const metadata = { ...object.metadata, ...(!cluster && { namespace }) };
    await writer.apply({ group: "rbac.authorization.k8s.io", version: "v1", plural }, { ...object, metadata });
  }
  return `system:serviceaccount:${namespace}:atrium-operator`;
}
