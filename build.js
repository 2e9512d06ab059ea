// `npm run build [-- PART …]`: one file per app in dist/, the same bytes for the same sources.
// The images and the benchmarks run these: Node's own type stripping would cost each process 12 MB of private memory
// (docs/decisions/0003-one-file-per-app-and-few-megabytes.md). Names inside stay as they are, so that a stack trace or a
// CPU profile of production reads like the sources.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL(".", import.meta.url));
const dist = join(root, "dist");

const parts = {
  "server-image": "server-image/src/main.ts",
  operator: "operator/src/main.ts",
  directory: "directory/src/main.ts",
  gateway: "gateway/src/main.ts",
};

const asked = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(parts);
const unknown = asked.find((part) => !(part in parts));
if (unknown !== undefined) {
  process.stderr.write(`there is no part ${unknown}; there are ${Object.keys(parts).join(", ")}\n`);
  process.exit(1);
}

mkdirSync(dist, { recursive: true });
// What lies beside the files in the images says the same of them as the repository does.
writeFileSync(join(dist, "package.json"), '{ "type": "module" }\n');
for (const part of asked) await bundle(part);

/** Makes `dist/PART.js`, its source map, and the licenses of what is in it. */
async function bundle(part) {
  // Dependencies that are CommonJS ask for Node's modules with `require`, which an ES module does not have.
  const banner = 'import{createRequire}from"node:module";const require=createRequire(import.meta.url);';
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: [{ in: parts[part], out: part }],
    outdir: "dist",
    bundle: true,
    platform: "node",
    target: "node24",
    format: "esm",
    banner: { js: banner },
    minifySyntax: true,
    minifyWhitespace: true,
    sourcemap: "linked",
    sourcesContent: false,
    legalComments: "none",
    metafile: true,
    logLevel: "warning",
  });
  const packages = new Set(Object.keys(metafile.inputs).flatMap(packageOf));
  writeFileSync(join(dist, `${part}.licenses.txt`), [...packages].sort().map(license).join("\n"));
}

/** @returns the innermost folder of node_modules that a file lies in, if it does */
function packageOf(file) {
  const [folder] = /^.*\bnode_modules\/(?:@[^/]+\/)?[^/]+/.exec(file) ?? [];
  return folder === undefined ? [] : [folder];
}

/** What a package asks to be handed on with copies of it. */
function license(folder) {
  const { name, version, license } = JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8"));
  const files = readdirSync(join(root, folder)).filter((file) => /^(?:licen[cs]e|notice)(?:\.|$)/i.test(file));
  const texts = files.sort().map((file) => readFileSync(join(root, folder, file), "utf8").trim());
  return [`== ${name} ${version} (${license})`, ...texts, ""].join("\n\n");
}
