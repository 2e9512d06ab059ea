import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { binary } from "../../../../test/cluster/binaries.ts";
import { scratch } from "../../testing/scratch.ts";

const templates = fileURLToPath(new URL("../../../../helm/atrium/templates/", import.meta.url));

/** One template of the chart as Helm fills it in, without the rest of the chart. */
export async function render(template: string, { namespace }: { readonly namespace: string }): Promise<string> {
  const helm = await binary("helm", (line) => process.stderr.write(`${line}\n`));
  using chart = scratch();
  mkdirSync(join(chart.path, "templates"));
  writeFileSync(join(chart.path, "Chart.yaml"), "apiVersion: v2\nname: atrium\nversion: 0.0.0\n");
  copyFileSync(join(templates, template), join(chart.path, "templates", template));
  const { status, stdout, stderr, error } = spawnSync(helm, ["template", "atrium", chart.path, "-n", namespace], {
    encoding: "utf8",
    timeout: 30_000,
  });
  if (status !== 0) throw error ?? new Error(stderr);
  return stdout;
}
