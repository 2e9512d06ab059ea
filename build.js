// `npm run build [-- APP …]`: one file per app in dist/, the same bytes for the same sources.
// The images and the benchmarks run these: Node's own type stripping would cost each process 12 MB of private memory
// (docs/decisions/0003-one-file-per-app-and-few-megabytes.md). Names inside stay as they are, so that a stack trace or a
// CPU profile of production reads like the sources.
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL(".", import.meta.url));
const all = ["server-image", "directory", "gateway"];
const apps = process.argv.length > 2 ? process.argv.slice(2) : all;
const unknown = apps.find((app) => !all.includes(app));
if (unknown !== undefined) {
  process.stderr.write(`there is no app ${unknown}; there are ${all.join(", ")}\n`);
  process.exit(1);
}

// Dependencies that are CommonJS ask for Node's modules with `require`, which an ES module does not have.
const banner = 'import{createRequire}from"node:module";const require=createRequire(import.meta.url);';

await build({
  absWorkingDir: root,
  entryPoints: apps.map((app) => ({ in: `${app}/src/main.ts`, out: app })),
  outdir: "dist",
  outExtension: { ".js": ".mjs" },
  bundle: true,
  platform: "node",
  target: "node24",
  format: "esm",
  banner: { js: banner },
  minifySyntax: true,
  minifyWhitespace: true,
  sourcemap: "linked",
  sourcesContent: false,
  legalComments: "linked",
  logLevel: "warning",
});
