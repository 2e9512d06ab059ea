import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { binary } from "../../../../test/cluster/binaries.ts";

const chart = fileURLToPath(new URL("../../../../helm/atrium", import.meta.url));

/** One template of the chart as Helm fills it in. */
export async function render(template: string, { namespace }: { readonly namespace: string }): Promise<string> {
  const helm = await binary("helm", (line) => process.stderr.write(`${line}\n`));
  // Without a cluster Helm does not know its version: the oldest that is supported.
  const least = ["-n", namespace, "--set", "zone=at.example.org", "--kube-version", "1.31.0"];
  const args = ["template", "atrium", chart, ...least, "--show-only", `templates/${template}`];
  const { status, stdout, stderr, error } = spawnSync(helm, args, { encoding: "utf8", timeout: 30_000 });
  if (status !== 0) throw error ?? new Error(stderr);
  return stdout;
}
