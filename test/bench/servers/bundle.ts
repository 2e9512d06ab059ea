import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../..", import.meta.url));

type App = "server-image" | "directory" | "gateway" | "operator";

const built = new Map<App, string>();

/**
 * The file that `npm run build` makes for the images, made anew once per run of the bench.
 * @throws {Error} with the output of the build
 */
export function bundleOf(app: App): string {
  const known = built.get(app);
  if (known !== undefined) return known;
  const { status, stderr } = spawnSync(process.execPath, ["build.js", app], { cwd: root, encoding: "utf8" });
  if (status !== 0) throw new Error(`npm run build -- ${app} failed:\n${stderr}`);
  const file = `${root}dist/${app}.js`;
  built.set(app, file);
  return file;
}
